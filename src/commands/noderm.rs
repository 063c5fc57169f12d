//! `noderm`: nodes out of all tables.

use clap::Args;
use tables::objects;

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Remove nodes from all tables
#[derive(Debug, Args)]
#[command(
    after_help = "Silent on success; defundo brings the nodes back. /etc/hosts is left alone (nodepurge cleans it), and so are
guests that were made from the definitions (rmvm them first).

Examples:
  noderm n7
  noderm rack1 -m 'sold'"
)]
pub(crate) struct Noderm {
    /// The nodes
    noderange: String,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Noderm {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let node = objects::find("node").expect("nodes are among the types");
        cx.tables()?.edit(&cx.origin(self.reason), |edit| {
            let names = edit.expand(&self.noderange)?;
            if names.is_empty() {
                return Err(tables::Error::EmptyRange { range: self.noderange });
            }
            edit.undefine(node, &names.iter().map(String::as_str).collect::<Vec<_>>())
        })?;
        Ok(Outcome::Done)
    }
}
