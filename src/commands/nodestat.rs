//! `nodestat`: how far does one get to a node?

use clap::Args;
use plugins::{PowerState, Reached};
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::status::Statuses;

/// Tell how far one gets to nodes: sshd, ping or noping
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nodestat rack1
  nodestat all -p -b         with the power state of those that do not answer
  nodestat all -u            also write it to nodelist.status")]
pub(crate) struct Nodestat {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// Add the power state of nodes that do not answer: noping(off)
    #[arg(short = 'p', long)]
    powerstat: bool,
    /// Write the answer to nodelist.status
    #[arg(short = 'u', long)]
    updatedb: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Nodestat {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let backends = cx.backends()?;
        let statuses = Statuses::default();
        let ask = async |node: Node| {
            let word = match backends.reach(&node)?.reach(&node).await? {
                Reached::Nothing => "noping",
                Reached::Ping => "ping",
                Reached::Sshd => "sshd",
            };
            if self.updatedb {
                statuses.set(&node, word);
            }
            if word != "noping" || !self.powerstat {
                return Ok(Answer::line(word));
            }
            let asked = match backends.power(&node) {
                Ok(power) => power.state(&node).await,
                Err(error) => Err(error),
            };
            let reading = asked.map_err(|error| Failure::from(error).after(Answer::line(word)))?;
            let power = match reading.state {
                PowerState::On => "on",
                PowerState::Off => "off",
                PowerState::Suspended => "suspend",
                PowerState::Other => "unknown",
            };
            Ok(Answer::line(format!("{word}({power})")))
        };
        let ended = cx.each(nodes, Manner::from(&self.shape), ask).await;
        cx.record(statuses)?;
        Ok(ended.into())
    }
}
