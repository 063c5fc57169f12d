//! `nodepurge`: nodes out of all tables, and what was made from them.

use std::path::PathBuf;

use clap::Args;
use netboot::hosts::Style;
use tables::objects;

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::hosts;
use crate::outcome::Outcome;

/// Remove nodes from all tables and from /etc/hosts
#[derive(Debug, Args)]
#[command(after_help = "noderm and makehosts -d in one. Guests are not touched: rmvm them first.

Examples:
  nodepurge n7
  nodepurge rack1 -m 'sold'")]
pub(crate) struct Nodepurge {
    /// The nodes
    noderange: String,
    /// The file of names and addresses
    #[arg(long, value_name = "PATH", default_value = hosts::FILE)]
    file: PathBuf,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Nodepurge {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let style = Style::read(cx.tables()?)?;
        // First the file: once the tables have forgotten the nodes, nobody can name what is left of them.
        hosts::remove(&self.file, &nodes, &style)?;
        let node = objects::find("node").expect("nodes are among the types");
        let names: Vec<&str> = nodes.iter().map(|node| node.name()).collect();
        cx.tables()?.edit(&cx.origin(self.reason), |edit| edit.undefine(node, &names))?;
        Ok(Outcome::Done)
    }
}
