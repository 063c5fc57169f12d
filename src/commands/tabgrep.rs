//! `tabgrep`: which tables say something of a node.

use clap::Args;
use tables::Select;
use tables::schema::{self, Scope};

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// List the tables with a row for a node or one of its groups
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tabgrep n1")]
pub(crate) struct Tabgrep {
    /// The node or group
    node: String,
}

impl Run for Tabgrep {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let tables = cx.tables()?;
        let nodelist = schema::find("nodelist").expect("table nodelist is in the schema");
        let own = tables.rows(nodelist, Select::Keys(&[&self.node]))?;
        let groups = own.first().and_then(|row| row.get("groups")).unwrap_or_default();
        let mut names = vec![self.node.as_str()];
        names.extend(groups.split(',').filter(|group| !group.is_empty()));
        for table in schema::ALL.iter().filter(|table| table.scope == Scope::Node) {
            if !tables.rows(table, Select::Keys(&names))?.is_empty() {
                cx.ui.line(table.name);
            }
        }
        Ok(Outcome::Done)
    }
}
