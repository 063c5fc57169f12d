//! `nodediscoverdef`: a discovered machine becomes a node by hand, or is forgotten.

use clap::Args;

use super::Run;
use crate::context::Context;
use crate::discovery::{Chosen, define};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// Make a discovered machine be a node, or forget it
#[derive(Debug, Args)]
#[command(
    after_help = "The machine hears of it when it asks the next time, within seconds, and goes through the node's chain. A node that is known to be
another machine, by MAC address, serial number or UUID, is not given to it. What is forgotten comes back when it reports again.

Examples:
  nodediscoverdef -u 4c414200-0000-4000-8000-000000000001 -n n7
  nodediscoverdef -r -u 4c414200-0000-4000-8000-000000000001
  nodediscoverdef -r -t undef"
)]
pub(crate) struct Nodediscoverdef {
    #[command(flatten)]
    chosen: Chosen,
    /// The node that it is
    #[arg(short = 'n', long, value_name = "NODE", requires = "uuid", required_unless_present = "remove")]
    node: Option<String>,
    /// Forget it; nodes that were made of it stay
    #[arg(short = 'r', long, conflicts_with = "node")]
    remove: bool,
}

impl Run for Nodediscoverdef {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let tables = cx.tables()?;
        if self.chosen.uuid.is_none() && self.chosen.kind.is_none() {
            return Err(Failure::usage("which machines is not said: -u UUID, or -t TYPE to forget several"));
        }
        let rows = self.chosen.rows(tables)?;
        let uuids: Vec<&str> = rows.iter().filter_map(|row| row.get("uuid")).collect();
        let line = match (&self.node, rows.first()) {
            (Some(node), Some(row)) => {
                tables.try_edit(&cx.origin(None), |edit| define(edit, row, node))?;
                format!("Defined [{}] to node {node}.", uuids.join(","))
            }
            _ => {
                let count = tables.edit(&cx.origin(None), |edit| edit.forget_machines(&uuids))?;
                format!("{count} machines are forgotten.")
            }
        };
        cx.ui.reply(Format::Lines, Reply { node: None, body: Body::Answer(Answer::line(line)) });
        Ok(Outcome::Done)
    }
}
