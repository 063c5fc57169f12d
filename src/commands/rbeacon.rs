//! `rbeacon`: the light by which a machine is found.

use clap::{Args, ValueEnum};
use plugins::BeaconState;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;

/// Switch or query the lights by which machines are found
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rbeacon n7 on
  rbeacon all stat -b        which are on?")]
pub(crate) struct Rbeacon {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// What to do; on holds until off
    #[arg(value_enum, value_name = "ACTION")]
    action: Verb,
    #[command(flatten)]
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verb {
    #[value(alias = "blink")]
    On,
    Off,
    Stat,
}

impl Run for Rbeacon {
    fn is_audited(&self) -> bool {
        self.action != Verb::Stat
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let backends = cx.backends()?;
        if self.action != Verb::Stat {
            cx.check(self.shape.format(), &nodes, |node| Ok(backends.beacon(node)?.check(node)?))?;
        }
        let manner = Manner::from(&self.shape).widened(backends.beyond_fanout(&nodes));
        let ask = async |node: Node| {
            let beacon = backends.beacon(&node)?;
            let word = match self.action {
                Verb::Stat => tell(beacon.state(&node).await?),
                Verb::On => {
                    beacon.switch(&node, true).await?;
                    "on"
                }
                Verb::Off => {
                    beacon.switch(&node, false).await?;
                    "off"
                }
            };
            Ok(Answer::line(word))
        };
        Ok(cx.each(nodes, manner, ask).await.into())
    }
}

fn tell(state: Option<BeaconState>) -> &'static str {
    match state {
        Some(BeaconState::Off) => "off",
        Some(BeaconState::On) => "on",
        Some(BeaconState::Blinking) => "blink",
        None => "unknown",
    }
}
