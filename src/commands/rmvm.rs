//! `rmvm`: remove guests; their definitions stay.

use clap::Args;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::images::ledger::Ledger;
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::status::Statuses;
use crate::ui::Format;
use crate::update::Leftover;

/// Remove guests; their definitions stay
#[derive(Debug, Args)]
#[command(
    after_help = "Silent on success, as xCAT's; -V tells of each node. A guest that is not there is success with a warning.

Examples:
  rmvm c7                    refused while c7 runs
  rmvm -f -p rack1           also running ones, and their anonymous volumes"
)]
pub(crate) struct Rmvm {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    pub(super) noderange: String,
    /// Also those that run
    #[arg(short, long)]
    pub(super) force: bool,
    /// Also their anonymous storage; named volumes and bind mounts stay
    #[arg(short, long)]
    pub(super) purge: bool,
    #[command(flatten)]
    pub(super) shape: Shape,
}

impl Run for Rmvm {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let tell = cx.verbose || self.shape.format() == Format::Json;
        self.remove(cx, if tell { Answer::line("removed") } else { Answer::silent() }).await
    }
}

impl Rmvm {
    pub(super) async fn remove(&self, cx: &Context, success: Answer) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        self.remove_of(cx, nodes, success).await
    }

    /// Removes the guests of nodes that are known already.
    pub(super) async fn remove_of(&self, cx: &Context, nodes: Vec<Node>, success: Answer) -> Result<Outcome, Failure> {
        let backends = cx.backends()?;
        cx.check(self.shape.format(), &nodes, |node| Ok(backends.guests(node).map(drop)?))?;
        let (statuses, ledger) = (Statuses::default(), Ledger::default());
        let leftover = Leftover::read(cx.tables()?)?;
        let ask = async |node: Node| {
            let removed = backends.guests(&node)?.remove(&node, self.force, self.purge).await;
            let warnings = match removed {
                Ok(()) => {
                    ledger.note(backends, &node, "removed");
                    Vec::new()
                }
                // Gone is what it was to be; the wrong host in a definition must not pass unnoticed, though.
                Err(plugins::Error::Absent { host }) => vec![format!("nothing to remove: no such guest on {host}")],
                Err(error) => return Err(error.into()),
            };
            statuses.set(&node, "defined");
            leftover.void(node.name())?;
            Ok(Answer { warnings, ..success.clone() })
        };
        let ended = cx.each(nodes, Manner::from(&self.shape), ask).await;
        cx.record(statuses)?;
        cx.enter(ledger)?;
        Ok(ended.into())
    }
}
