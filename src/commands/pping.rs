//! `pping`: which nodes are there?

use clap::Args;
use plugins::Reached;
use tables::Node;

use super::{Run, Shape, xdsh};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{Interrupted, Manner};
use crate::outcome::Outcome;
use crate::reply::Answer;

/// Tell which nodes answer: ping or noping
#[derive(Debug, Args)]
#[command(
    after_help = "A server is sent an echo request; of a container its engine is asked, because its address may be on
a network that the management node is not on.

Examples:
  pping all -b               one line for those that answer, one for the rest"
)]
pub(crate) struct Pping {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// Nodes at once
    #[arg(short, long, default_value_t = xdsh::DEFAULT_FANOUT, value_name = "N")]
    fanout: usize,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Pping {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let backends = cx.backends()?;
        let ask = async |node: Node| {
            let word = match backends.reach(&node)?.reach(&node).await? {
                Reached::Nothing => "noping",
                Reached::Ping | Reached::Sshd => "ping",
            };
            Ok(Answer::line(word))
        };
        Ok(cx
            .each(
                nodes,
                Manner { fanout: self.fanout, format: self.shape.format(), interrupted: Interrupted::Leave },
                ask,
            )
            .await
            .into())
    }
}
