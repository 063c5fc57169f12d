//! One wave: its nodes are made anew on the new image and asked whether they are good; and the way back.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use plugins::{Backends, Invocation, Life, PowerAction, Program};
use serde_json::json;
use tables::{Node, Stage, Update};

use super::Asked;
use super::book::Book;
use super::gate::{Checked, Seen, Verdict, judge};
use super::member::Member;
use super::records;
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::remote::{self, Line};
use crate::reply::Answer;
use crate::status::Statuses;

/// Between two looks at a node that is not good yet.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// A check may take as long as this even when its time is nearly over.
const SHORTEST_CHECK: Duration = Duration::from_secs(1);

/// What waves work with.
pub(crate) struct Site<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) backends: &'a Backends,
    pub(crate) asked: &'a Asked,
    pub(crate) book: &'a Book<'a>,
    pub(crate) statuses: &'a Statuses,
    /// How long each node was down that was made anew last.
    pub(crate) downtimes: Mutex<BTreeMap<String, Duration>>,
}

/// How a wave, or the way back, has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Nodes with which all went well.
    pub(crate) good: BTreeSet<String>,
    /// Why others failed, by name.
    pub(crate) failed: BTreeMap<String, String>,
    /// False if Ctrl-C came before the first node was touched.
    pub(crate) is_begun: bool,
    /// Whether some were left in the middle, as after a second Ctrl-C.
    pub(crate) is_broken: bool,
    pub(crate) is_interrupted: bool,
}

impl Site<'_> {
    /// Updates the nodes of a wave, all at once; `title` is for the ledger.
    pub(crate) async fn update(&self, wave: &[&Member], title: &str) -> Ended {
        self.each(wave, async |member| self.update_one(member, title).await).await
    }

    /// Gives nodes back what they had.
    pub(crate) async fn go_back(&self, members: &[&Member]) -> Ended {
        self.each(members, async |member| self.back_one(member).await).await
    }

    async fn each(&self, members: &[&Member], work: impl AsyncFn(&Member) -> Result<Answer, Failure>) -> Ended {
        let by_name: BTreeMap<&str, &Member> = members.iter().map(|member| (member.name(), *member)).collect();
        let results = Mutex::new(BTreeMap::new());
        let is_begun = Cell::new(members.is_empty());
        let ask = async |node: Node| {
            is_begun.set(true);
            let done = work(by_name[node.name()]).await;
            let why = done.as_ref().err().map(|failure| failure.message.clone());
            results.lock().unwrap_or_else(PoisonError::into_inner).insert(node.name().to_owned(), why);
            done
        };
        // The members of a wave are in it together: Ctrl-C leaves none of them out.
        let manner = Manner { fanout: members.len(), ..self.asked.manner };
        let nodes = members.iter().map(|member| member.node.clone()).collect();
        let ended = self.cx.each(nodes, manner, ask).await;
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        let is_broken = results.len() < members.len();
        let (failed, good): (BTreeMap<_, _>, BTreeMap<_, _>) = results.into_iter().partition(|(_, why)| why.is_some());
        Ended {
            good: good.into_keys().collect(),
            failed: failed.into_iter().map(|(name, why)| (name, why.unwrap_or_default())).collect(),
            is_begun: is_begun.get(),
            is_broken,
            is_interrupted: Outcome::from(ended) == Outcome::Interrupted,
        }
    }

    /// How long a node was down when it was made anew last; None for one that was off, or that somebody else had taken away.
    pub(crate) fn downtime(&self, node: &str) -> Option<Duration> {
        self.downtimes.lock().unwrap_or_else(PoisonError::into_inner).get(node).copied()
    }

    async fn update_one(&self, member: &Member, title: &str) -> Result<Answer, Failure> {
        let node = member.after();
        let update = self.begin(member).await?;
        let warnings = self.make(&node, update.was_on).await?;
        if update.stage == Stage::Begun {
            records::updated(self, member, title)?;
            self.book.keep(&[Update { stage: Stage::Made, ..update.clone() }])?;
        }
        if update.was_on {
            self.pass(&node).await?;
        }
        let off = if update.was_on { "" } else { "; it is off" };
        let line = format!("updated to {}, was {}{off}", member.to(), member.from());
        Ok(Answer { warnings, data: Some(self.told("updated", member, update.was_on)), ..Answer::line(line) })
    }

    async fn back_one(&self, member: &Member) -> Result<Answer, Failure> {
        let update = self.book.get(member.name()).unwrap_or_else(|| member.update.clone());
        let was_on = update.was_on;
        // From here on the node may be anything: a command that completes a killed one must not take it for good.
        self.book.keep(&[Update { stage: Stage::Begun, ..update }])?;
        let warnings = self.make(&member.before(), was_on).await?;
        let line = format!("rolled back to {}", member.from());
        Ok(Answer { warnings, data: Some(self.told("rolled-back", member, was_on)), ..Answer::line(line) })
    }

    /// Writes down what the node was, before anything is done to it.
    async fn begin(&self, member: &Member) -> Result<Update, Failure> {
        if let Some(begun) = self.book.get(member.name()) {
            self.book.keep(std::slice::from_ref(&begun))?;
            return Ok(begun);
        }
        let vitals = self.backends.guests(&member.node)?.vitals(&member.node).await?;
        let was_on = matches!(vitals.life, Life::Running | Life::Restarting);
        let update = Update { was_on, stage: Stage::Begun, ..member.update.clone() };
        self.book.keep(std::slice::from_ref(&update))?;
        Ok(update)
    }

    /// Makes the guest be what `node` says, and run if it shall be on; what is so already stays as it is. Returns what
    /// the operator should know.
    async fn make(&self, node: &Node, on: bool) -> Result<Vec<String>, Failure> {
        let (guests, power) = (self.backends.guests(node)?, self.backends.power(node)?);
        let mut warnings = Vec::new();
        let mut stopped = None;
        match guests.differences(node).await {
            Ok(differences) if differences.is_empty() => (),
            Ok(_) => {
                stopped = Some(Instant::now());
                warnings.extend(power.apply(node, PowerAction::Off).await?.warning);
                guests.create(node, true).await?;
            }
            Err(plugins::Error::Absent { .. }) => drop(guests.create(node, true).await?),
            Err(error) => return Err(error.into()),
        }
        if on {
            let powered = power.apply(node, PowerAction::On).await?;
            self.statuses.set(node, "booted");
            warnings.extend(powered.warning);
        }
        let mut downtimes = self.downtimes.lock().unwrap_or_else(PoisonError::into_inner);
        match stopped.filter(|_| on) {
            Some(stopped) => drop(downtimes.insert(node.name().to_owned(), stopped.elapsed())),
            None => drop(downtimes.remove(node.name())),
        }
        Ok(warnings)
    }

    /// Waits until the node is good.
    async fn pass(&self, node: &Node) -> Result<(), Failure> {
        let gate = &self.asked.gate;
        let start = Instant::now();
        loop {
            let vitals = self.backends.guests(node)?.vitals(node).await?;
            let checked = match &gate.check {
                Some(command) if vitals.life == Life::Running => {
                    let left = gate.wait.saturating_sub(start.elapsed());
                    Some(self.check(node, command, left.max(SHORTEST_CHECK)).await)
                }
                _ => None,
            };
            match judge(gate, &Seen { vitals, checked }, start.elapsed()) {
                Verdict::Good => return Ok(()),
                Verdict::Bad(why) => return Err(Failure::refused(why)),
                Verdict::NotYet(why) => tracing::debug!(node = node.name(), why, "not good yet"),
            }
            // One look comes just when the time is over.
            let left = gate.wait.saturating_sub(start.elapsed());
            tokio::time::sleep(LOOK_AGAIN.min(left)).await;
        }
    }

    async fn check(&self, node: &Node, command: &str, limit: Duration) -> Checked {
        let invocation = Invocation { program: Program::Shell(command.to_owned()), ..Invocation::default() };
        let mut last = String::new();
        let line = |line: Line| {
            let (Line::Stdout(text) | Line::Stderr(text)) = line;
            if !text.trim().is_empty() {
                last = text;
            }
        };
        match remote::run(self.backends, node, &invocation, Some(limit), line).await {
            Ok(code) => Checked::Code(code, last),
            Err(failure) => Checked::Failed(failure.message),
        }
    }

    /// For scripts.
    fn told(&self, what: &str, member: &Member, runs: bool) -> serde_json::Value {
        let Update { image, digest, from_image, from_digest, .. } = &member.update;
        let from = json!({ "image": from_image, "digest": from_digest });
        let to = json!({ "image": image, "digest": digest });
        let downtime = self.downtime(member.name()).map(|down| down.as_secs_f64());
        json!({ "did": what, "from": from, "to": to, "runs": runs, "downtime": downtime })
    }
}
