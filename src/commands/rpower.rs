//! `rpower`: is it on, and switching it.

use std::fs::File;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use plugins::{PowerAction, PowerReading, PowerState};
use tables::Node;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::{Run, Shape};
use crate::carriers::Drained;
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{Manner, pressed};
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::status::Statuses;
use crate::ui::Agreement;

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
switched on only if its circuits carry it beside all others that are on: see tabdump -d circuit, tabdump -d feed.")]
pub(crate) struct Rpower {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// What to do; stat, state and status only ask
    #[arg(value_enum, value_name = "ACTION")]
    action: Verb,
    /// On a terminal, ask before more than N nodes are touched
    #[arg(short = 'm', long, value_name = "N")]
    most: Option<usize>,
    /// Touch N nodes, and the next N at the earliest SECONDS later
    #[arg(long, value_name = "N/SECONDS")]
    stagger: Option<Stagger>,
    /// Stop the containers that run on a server before it loses its power; they stay off, and it is said how to start them
    #[arg(long)]
    drain: bool,
    /// Do not ask a server that loses its power which containers run on it, nor look at what circuits carry
    #[arg(long, conflicts_with = "drain")]
    force: bool,
    #[command(flatten)]
    shape: Shape,
}

/// How many nodes at a time, and how long after each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stagger {
    nodes: NonZeroUsize,
    pause: Duration,
}

impl FromStr for Stagger {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "it takes how many nodes at a time and how many seconds apart, such as 8/5";
        let (nodes, seconds) = text.split_once('/').ok_or(FORM)?;
        let pause = seconds.parse::<u32>().map_err(|_| FORM)?;
        Ok(Self { nodes: nodes.parse().map_err(|_| FORM)?, pause: Duration::from_secs(pause.into()) })
    }
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
    #[value(alias = "unpause")]
    Resume,
}

impl Run for Rpower {
    fn is_audited(&self) -> bool {
        self.action.action().is_some()
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let mut nodes = cx.nodes(&self.noderange)?;
        let backends = cx.backends()?;
        let manner = Manner::from(&self.shape).widened(backends.beyond_fanout(&nodes));
        let (mut outcome, mut stopped) = (Outcome::Done, Vec::new());
        let _circuits;
        if let Some(action) = self.action.action() {
            cx.check(manner.format, &nodes, |node| Ok(backends.power(node)?.check(node, action)?))?;
            let guests = self.secure(cx, &nodes, action).await?;
            self.confirm(cx, &nodes).await?;
            // Behind the question, which may stand there for an hour.
            _circuits = self.load(cx, &nodes, action).await?;
            if !guests.is_empty() {
                if matches!(action, PowerAction::Off | PowerAction::Softoff) {
                    // Switched off with their servers, whether they were named or not.
                    nodes.retain(|node| guests.iter().all(|guest| guest.name() != node.name()));
                }
                Drained { nodes, stopped, outcome } = cx.drain(manner, nodes, guests).await?;
            }
        }
        let statuses = Statuses::default();
        let ask = async |node: Node| {
            match self.action.action() {
                None => Ok(self.action.tell(backends.power(&node)?.state(&node).await?)),
                Some(action) => {
                    let powered = cx.apply_power(&node, action).await?;
                    statuses.add(&node, action, &powered);
                    Ok(Answer { warnings: powered.warning.into_iter().collect(), ..Answer::line(powered.word) })
                }
            }
        };
        let outcome = outcome.and(self.staggered(cx, nodes, manner, ask).await);
        cx.record(statuses)?;
        if !stopped.is_empty() {
            let stopped = tables::noderange::fold(&stopped);
            cx.ui.hints(&[format!("these containers were stopped, and stay off until you say: rpower {stopped} on")]);
        }
        Ok(outcome)
    }
}

impl Rpower {
    /// Sees to it that nothing is cut off unasked; the containers that are to be stopped first.
    async fn secure(&self, cx: &Context, nodes: &[Node], action: PowerAction) -> Result<Vec<Node>, Failure> {
        let mut guests = Vec::new();
        if self.force {
            return Ok(guests);
        }
        if may_cut_power(action) {
            match self.drain {
                true => guests = cx.carried_by(self.shape.format(), nodes).await?,
                false => cx.refuse_carriers(self.shape.format(), nodes).await?,
            }
        }
        Ok(guests)
    }

    /// Sees to it that no circuit is overloaded unasked, and that nobody else loads it until we are done.
    async fn load(&self, cx: &Context, nodes: &[Node], action: PowerAction) -> Result<Option<File>, Failure> {
        if self.force || !matches!(action, PowerAction::On | PowerAction::Boot) {
            return Ok(None);
        }
        let claimed = cx.claim_circuits(nodes).await?;
        cx.refuse_overload(nodes).await?;
        Ok(claimed)
    }

    /// Asks the nodes, group after group; says which were not asked after a Ctrl-C.
    async fn staggered<F>(&self, cx: &Context, nodes: Vec<Node>, manner: Manner, ask: impl Fn(Node) -> F) -> Outcome
    where
        F: Future<Output = Result<Answer, Failure>>,
    {
        let mut outcome = Outcome::Done;
        let mut groups = self.groups(nodes).into_iter();
        // Heard from now on, also in the moment between two groups.
        let mut keyboard = signal(SignalKind::interrupt()).ok();
        while let Some(group) = groups.next() {
            let next = Instant::now() + self.stagger.map_or(Duration::ZERO, |stagger| stagger.pause);
            outcome = outcome.and(cx.each(group, manner, &ask).await.into());
            if outcome != Outcome::Interrupted
                && !groups.as_slice().is_empty()
                && !slept_until(next, &mut keyboard).await
            {
                outcome = Outcome::Interrupted;
            }
            if outcome == Outcome::Interrupted {
                break;
            }
        }
        let left: Vec<String> = groups.flatten().map(|node| node.name().to_owned()).collect();
        if !left.is_empty() {
            cx.ui.note(&format!("Not done: {}", tables::noderange::fold(&left)));
        }
        outcome
    }

    /// The nodes that are touched together; all of them unless they are to be staggered.
    fn groups(&self, nodes: Vec<Node>) -> Vec<Vec<Node>> {
        match self.stagger.filter(|_| self.action.action().is_some()) {
            Some(stagger) => nodes.chunks(stagger.nodes.get()).map(<[Node]>::to_vec).collect(),
            None => vec![nodes],
        }
    }

    /// Asks a person, if there is one and there are many nodes.
    async fn confirm(&self, cx: &Context, nodes: &[Node]) -> Result<(), Failure> {
        if self.most.is_none_or(|most| nodes.len() <= most) {
            return Ok(());
        }
        let names: Vec<String> = nodes.iter().map(|node| node.name().to_owned()).collect();
        let verb = self.action.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        let question = format!("{verb}: {} nodes, {}?", nodes.len(), tables::noderange::fold(&names));
        match cx.ui.confirm(&question).await {
            Agreement::Yes | Agreement::Nobody => Ok(()),
            Agreement::No => Err(Failure::refused("nothing was done: it was not agreed to")),
            Agreement::Interrupted => {
                Err(Failure { outcome: Outcome::Interrupted, ..Failure::refused("nothing was done") })
            }
        }
    }
}

/// Whether what runs on the node may be ended without being asked.
fn may_cut_power(action: PowerAction) -> bool {
    match action {
        PowerAction::Off | PowerAction::Softoff | PowerAction::Reset | PowerAction::Boot | PowerAction::Cycle => true,
        PowerAction::On | PowerAction::Suspend | PowerAction::Resume => false,
    }
}

/// Waits; false if Ctrl-C came first.
async fn slept_until(moment: Instant, keyboard: &mut Option<Signal>) -> bool {
    tokio::select! {
        () = sleep_until(moment) => true,
        () = pressed(keyboard) => false,
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
