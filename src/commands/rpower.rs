//! `rpower`: is it on, and switching it.

use clap::{Args, ValueEnum};
use plugins::{PowerAction, PowerReading, PowerState};
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::status::Statuses;
use crate::switching::Switching;

/// Query or change the power state of nodes
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rpower n1 stat             is it on?
  rpower rack1,-n7 off       containers stop gracefully, then by force; servers at once
  rpower n1 softoff          ask the system to stop, on a server too
  rpower all stat -b         one line for all that answer alike
  rpower all on --stagger 8/5   eight at a time, five seconds apart
  rpower web off -m 20       ask first if web has more than 20 nodes
  rpower h7 reset --drain    stop the containers that run on it, then reset it

A server on which containers run is left alone without --drain or --force, and so is one that is on and does not tell. A server is
switched on only if its circuits carry it beside all others that are on: see tabdump -d circuit, tabdump -d feed.

Where column power names several ways (ipmi,ssh,wol), the next one is tried if a BMC has heard nothing of us, does not let us in, or
is not defined as it needs; a warning says so. If it has heard us and then fell silent, it may have done it: reset, boot and cycle stop
there.

A BMC has site.connecttimeout (5 s) to let us in; one that has said nothing by IPMI after seven tenths of that is given up then.
Where BMCs are slower: chdef -t site connecttimeout=20")]
pub(crate) struct Rpower {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// What to do; stat, state and status only ask
    #[arg(value_enum, value_name = "ACTION")]
    action: Verb,
    #[command(flatten)]
    switching: Switching,
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
    /// Containers gracefully, then by force after their own time limit; servers at once
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
    #[value(aliases = ["unpause", "wake"])]
    Resume,
}

impl Run for Rpower {
    fn is_audited(&self) -> bool {
        self.action.action().is_some()
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        cx.tell_progress(self.shape.format());
        let backends = cx.backends()?;
        let manner = Manner::from(&self.shape).widened(backends.beyond_fanout(&nodes));
        let Some(action) = self.action.action() else {
            let ask = async |node: Node| {
                let (reading, warning) = backends.power(&node)?.told(&node).await?;
                Ok(Answer { warnings: warning.into_iter().collect(), ..self.action.tell(reading) })
            };
            return Ok(cx.each(nodes, manner, ask).await.into());
        };
        cx.check(manner.format, &nodes, |node| Ok(backends.power(node)?.check(node, action)?))?;
        let verb = self.action.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        let mut cleared = self.switching.clear(cx, manner, nodes, action, &verb).await?;
        let statuses = Statuses::default();
        let switch = async |node: Node| {
            let powered = cx.apply_power(&node, action).await?;
            statuses.add(&node, action, &powered);
            Ok(Answer { warnings: powered.warning.into_iter().collect(), ..Answer::line(powered.word) })
        };
        let nodes = std::mem::take(&mut cleared.nodes);
        let outcome = cleared.outcome.and(self.switching.each(cx, nodes, manner, switch).await);
        cx.record(statuses)?;
        cleared.tell_stopped(cx);
        Ok(outcome)
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
