//! What rpower, rinstall and rnetboot have in common, which switch many nodes: a person is asked, nothing is cut off unasked, no
//! circuit is overloaded, and not all at once.

use std::fs::File;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use plugins::PowerAction;
use tables::Node;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::carriers::Drained;
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{Manner, pressed};
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::ui::{Agreement, Format};

/// How nodes are switched.
#[derive(Debug, Args)]
pub(crate) struct Switching {
    /// On a terminal, ask before more than N nodes are touched
    #[arg(short = 'm', long, value_name = "N")]
    most: Option<Most>,
    /// Touch N nodes, and the next N at the earliest SECONDS later
    #[arg(long, value_name = "N/SECONDS")]
    stagger: Option<Stagger>,
    /// Stop the containers that run on a server before it loses its power; they stay off, and it is said how to start them
    #[arg(long)]
    drain: bool,
    /// Do not ask a server that loses its power which containers run on it, nor look at what circuits carry
    #[arg(long, conflicts_with = "drain")]
    force: bool,
}

/// How many nodes nobody is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Most(usize);

impl FromStr for Most {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| match text.contains("==") {
            true => "it takes a number of nodes; to wait for nodes, as -m TABLE.COLUMN==STATUS does with xCAT: rinstall --wait SECONDS",
            false => "it takes a number of nodes",
        })
    }
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

/// Nodes that may be switched.
#[must_use = "their circuits are ours only as long as this is there"]
pub(crate) struct Cleared {
    pub(crate) nodes: Vec<Node>,
    /// How it went to stop what ran on them.
    pub(crate) outcome: Outcome,
    stopped: Vec<String>,
    _circuits: Option<File>,
}

impl Cleared {
    /// Says of the containers that were stopped how they are started again.
    pub(crate) fn tell_stopped(&self, cx: &Context) {
        if !self.stopped.is_empty() {
            let stopped = tables::noderange::fold(&self.stopped);
            cx.ui.hints(&[format!("these containers were stopped, and stay off until you say: rpower {stopped} on")]);
        }
    }
}

impl Switching {
    /// Sees to it that all of them may be switched, before the first is; `verb` is what a person is asked about.
    pub(crate) async fn clear(
        &self,
        cx: &Context,
        manner: Manner,
        mut nodes: Vec<Node>,
        action: PowerAction,
        verb: &str,
    ) -> Result<Cleared, Failure> {
        let guests = self.secure(cx, manner.format, &nodes, action).await?;
        self.confirm(cx, &nodes, verb).await?;
        // Behind the question, which may stand there for an hour.
        let circuits = self.load(cx, &nodes, action).await?;
        let (mut outcome, mut stopped) = (Outcome::Done, Vec::new());
        if !guests.is_empty() {
            if matches!(action, PowerAction::Off | PowerAction::Softoff) {
                // Switched off with their servers, whether they were named or not.
                nodes.retain(|node| guests.iter().all(|guest| guest.name() != node.name()));
            }
            Drained { nodes, stopped, outcome } = cx.drain(manner, nodes, guests).await?;
        }
        Ok(Cleared { nodes, outcome, stopped, _circuits: circuits })
    }

    /// Sees to it that nothing is cut off unasked; the containers that are to be stopped first.
    async fn secure(
        &self,
        cx: &Context,
        format: Format,
        nodes: &[Node],
        action: PowerAction,
    ) -> Result<Vec<Node>, Failure> {
        let mut guests = Vec::new();
        if self.force {
            return Ok(guests);
        }
        if may_cut_power(action) {
            match self.drain {
                true => guests = cx.carried_by(format, nodes).await?,
                false => cx.refuse_carriers(format, nodes).await?,
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

    /// Asks a person, if there is one and there are many nodes.
    async fn confirm(&self, cx: &Context, nodes: &[Node], verb: &str) -> Result<(), Failure> {
        if self.most.is_none_or(|most| nodes.len() <= most.0) {
            return Ok(());
        }
        let names: Vec<String> = nodes.iter().map(|node| node.name().to_owned()).collect();
        let question = format!("{verb}: {} nodes, {}?", nodes.len(), tables::noderange::fold(&names));
        match cx.ui.confirm(&question).await {
            Agreement::Yes | Agreement::Nobody => Ok(()),
            Agreement::No => Err(Failure::refused("nothing was done: it was not agreed to")),
            Agreement::Interrupted => {
                Err(Failure { outcome: Outcome::Interrupted, ..Failure::refused("nothing was done") })
            }
        }
    }

    /// Does something to the nodes, group after group; says which were left after a Ctrl-C.
    pub(crate) async fn each<F>(
        &self,
        cx: &Context,
        nodes: Vec<Node>,
        manner: Manner,
        ask: impl Fn(Node) -> F,
    ) -> Outcome
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
        match self.stagger {
            Some(stagger) => nodes.chunks(stagger.nodes.get()).map(<[Node]>::to_vec).collect(),
            None => vec![nodes],
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
