//! `each`: one question to many nodes at once. It alone knows fan-out, Ctrl-C, progress, folding and the count of failures.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tables::Node;
use tokio::signal::unix::Signal;

use crate::context::Context;
use crate::failure::{Failure, add_hints};
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// How many nodes are asked at once; the backends bound what one host sees.
pub(crate) const DEFAULT_FANOUT: usize = 512;

/// How to ask, and how to show the answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) format: Format,
    pub(crate) fanout: usize,
    pub(crate) interrupted: Interrupted,
}

/// What Ctrl-C does to the nodes that are being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// They come to their end: half of what is done to a node is worse than all of it. A second Ctrl-C does not wait.
    Wait,
    /// What runs there is ended: it may never end by itself.
    Leave,
}

impl From<&crate::commands::Shape> for Manner {
    fn from(shape: &crate::commands::Shape) -> Self {
        Self { format: shape.format(), fanout: DEFAULT_FANOUT, interrupted: Interrupted::Wait }
    }
}

impl Manner {
    /// Asks so many nodes more at once.
    pub(crate) fn widened(self, by: usize) -> Self {
        Self { fanout: self.fanout + by, ..self }
    }
}

impl Context {
    /// Asks every node, shows each answer the moment it is known, and says how it ended.
    ///
    /// Ctrl-C starts nothing new, does with what runs as [`Interrupted`] says, and names what was left.
    pub(crate) async fn each<F>(&self, nodes: Vec<Node>, manner: Manner, ask: impl Fn(Node) -> F) -> Ended
    where
        F: Future<Output = Result<Answer, Failure>>,
    {
        let bar = self.ui.count("nodes", nodes.len());
        let mut unfinished: BTreeSet<String> = nodes.iter().map(|node| node.name().to_owned()).collect();
        let mut waiting = nodes.into_iter();
        let mut running = FuturesUnordered::new();
        let mut tally = Tally::default();
        let mut keyboard = self.keyboard();
        let mut interrupted = pressed(&mut keyboard).now_or_never().is_some();
        let start = |node: Node| {
            let (name, answer) = (node.name().to_owned(), ask(node));
            async move { (name, answer.await) }
        };
        let first = if interrupted { 0 } else { manner.fanout.max(1) };
        running.extend(waiting.by_ref().take(first).map(&start));
        loop {
            let finished = tokio::select! {
                biased;
                finished = running.next() => finished,
                () = pressed(&mut keyboard) => {
                    let again = std::mem::replace(&mut interrupted, true);
                    if again || manner.interrupted == Interrupted::Leave {
                        break;
                    }
                    self.ui.note(&format!("Interrupted: waiting for {} running; press again to leave them.", running.len()));
                    continue;
                }
            };
            let Some((name, answer)) = finished else { break };
            bar.inc(1);
            unfinished.remove(&name);
            tally.add(answer.is_ok());
            self.show(manner.format, name, answer, &mut tally.hints);
            if !interrupted {
                running.extend(waiting.next().map(&start));
            }
        }
        self.give_back(keyboard);
        bar.finish_and_clear();
        self.ui.finish_folding();
        self.ui.hints(&tally.hints);
        self.name_left(unfinished, waiting);
        Ended { failed: tally.failed, interrupted }
    }

    /// Says which nodes were never asked, and which were left in the middle.
    fn name_left(&self, mut unfinished: BTreeSet<String>, waiting: impl Iterator<Item = Node>) {
        let waiting: BTreeSet<String> = waiting.map(|node| node.name().to_owned()).collect();
        unfinished.retain(|name| !waiting.contains(name));
        for (what, names) in [("Broken off", unfinished), ("Not done", waiting)] {
            if !names.is_empty() {
                let names: Vec<String> = names.into_iter().collect();
                self.ui.note(&format!("{what}: {}", tables::noderange::fold(&names)));
            }
        }
    }

    fn show(&self, format: Format, node: String, answer: Result<Answer, Failure>, hints: &mut Vec<String>) {
        match answer {
            Ok(answer) => self.say(format, &node, answer),
            Err(failure) => {
                self.say(format, &node, *failure.said);
                self.ui.reply(format, Reply { node: Some(node), body: Body::Error(failure.message) });
                add_hints(hints, failure.hints);
            }
        }
    }

    fn say(&self, format: Format, node: &str, mut answer: Answer) {
        let reply = |body| Reply { node: Some(node.to_owned()), body };
        for warning in std::mem::take(&mut answer.warnings) {
            self.ui.reply(format, reply(Body::Warning(warning)));
        }
        if answer != Answer::silent() {
            self.ui.reply(format, reply(Body::Answer(answer)));
        }
    }
}

/// Waits for a Ctrl-C.
pub(crate) async fn pressed(keyboard: &mut Option<Signal>) {
    let pressed = match keyboard {
        Some(keyboard) => keyboard.recv().await,
        None => None,
    };
    if pressed.is_none() {
        std::future::pending::<()>().await;
    }
}

#[derive(Default)]
struct Tally {
    failed: usize,
    hints: Vec<String>,
}

impl Tally {
    fn add(&mut self, ok: bool) {
        self.failed += usize::from(!ok);
    }
}

/// How a fan-out ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    failed: usize,
    interrupted: bool,
}

impl Ended {
    /// The number of failed nodes as exit code, as xdsh and psh have it.
    pub(crate) fn counted(self) -> Outcome {
        match Outcome::from(self) {
            Outcome::SomeFailed => Outcome::Failed(self.failed),
            other => other,
        }
    }
}

impl From<Ended> for Outcome {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended { interrupted: true, .. } => Self::Interrupted,
            Ended { failed: 0, .. } => Self::Done,
            Ended { .. } => Self::SomeFailed,
        }
    }
}
