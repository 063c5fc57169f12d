//! `rpower`: is it on, and switching it.

use clap::{Args, ValueEnum};
use plugins::{PowerAction, PowerReading, PowerState};
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::fanout::Manner;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::status::Statuses;

/// Query or change the power state of nodes
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rpower n1 stat             is it on?
  rpower rack1,-n7 off       stop gracefully, then force
  rpower all stat -b         one line for all that answer alike")]
pub(crate) struct Rpower {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// What to do; stat, state and status only ask
    #[arg(value_enum, value_name = "ACTION")]
    action: Verb,
    #[command(flatten)]
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verb {
    /// on, off or suspend
    #[value(alias = "status")]
    Stat,
    /// The backend's own word, such as running or exited
    State,
    #[value(alias = "start")]
    On,
    /// Graceful, then forced after the node's own time limit
    #[value(alias = "stop")]
    Off,
    /// Ask to stop, do not force
    Softoff,
    /// Restart what is on
    #[value(alias = "restart")]
    Reset,
    /// On if off, else reset
    Boot,
    /// Off, then on
    Cycle,
    #[value(alias = "pause")]
    Suspend,
    #[value(alias = "unpause")]
    Resume,
}

impl Run for Rpower {
    fn is_audited(&self) -> bool {
        self.action.action().is_some()
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let backends = cx.backends()?;
        if self.action.action().is_some() {
            cx.check(self.shape.format(), &nodes, |node| Ok(backends.power(node).map(drop)?))?;
        }
        let statuses = Statuses::default();
        let ask = async |node: Node| {
            let power = backends.power(&node)?;
            match self.action.action() {
                None => Ok(self.action.tell(power.state(&node).await?)),
                Some(action) => {
                    let powered = power.apply(&node, action).await?;
                    statuses.add(&node, action, &powered);
                    Ok(Answer { warnings: powered.warning.into_iter().collect(), ..Answer::line(powered.word) })
                }
            }
        };
        let ended = cx.each(nodes, Manner::from(&self.shape), ask).await;
        cx.record(statuses)?;
        Ok(ended.into())
    }
}

impl Verb {
    /// None for those that only ask.
    fn action(self) -> Option<PowerAction> {
        Some(match self {
            Self::Stat | Self::State => return None,
            Self::On => PowerAction::On,
            Self::Off => PowerAction::Off,
            Self::Softoff => PowerAction::Softoff,
            Self::Reset => PowerAction::Reset,
            Self::Boot => PowerAction::Boot,
            Self::Cycle => PowerAction::Cycle,
            Self::Suspend => PowerAction::Suspend,
            Self::Resume => PowerAction::Resume,
        })
    }

    fn tell(self, reading: PowerReading) -> Answer {
        let word = match reading.state {
            _ if self == Self::State => return Answer::line(reading.word),
            PowerState::On => "on",
            PowerState::Off => "off",
            PowerState::Suspended => "suspend",
            PowerState::Other => return Answer::line(reading.word),
        };
        Answer::line(word)
    }
}
