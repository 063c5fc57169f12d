//! Nodes that boot, watched until they say that they are up: each new status, how many are in which stage, and at the end who
//! got stuck where and why.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use netboot::why::Verdict;
use serde_json::json;
use tables::{Select, Tables, noderange, schema};
use tokio::time::{Instant, sleep};

use super::story::{self, Stories};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::pressed;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// How often the tables are asked for what nodes have said.
const ASKING: Duration = Duration::from_secs(1);

/// Of more nodes nobody follows each stage, and reading them all each time would keep the database busy.
const FOLLOWED: usize = 500;

/// Nodes on their way.
pub(super) struct Watch<'a> {
    cx: &'a Context,
    format: Format,
    waiting: BTreeSet<String>,
    failed: Vec<String>,
    statuses: BTreeMap<String, String>,
    stages: BTreeMap<String, &'static str>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(cx: &'a Context, format: Format, names: Vec<String>) -> Self {
        let waiting = names.into_iter().collect();
        Self { cx, format, waiting, failed: Vec::new(), statuses: BTreeMap::new(), stages: BTreeMap::new() }
    }

    /// Tells each new status, and at the end of the time who got stuck where.
    pub(super) async fn run(mut self, limit: Duration) -> Result<Outcome, Failure> {
        let (tables, end) = (self.cx.tables()?, Instant::now() + limit);
        let bar = self.cx.ui.steps("booting");
        let mut keyboard = self.cx.keyboard();
        while !self.waiting.is_empty() && Instant::now() < end {
            tokio::select! {
                () = sleep(ASKING) => {}
                () = pressed(&mut keyboard) => return Ok(Outcome::Interrupted),
            }
            self.hear(tables)?;
            bar.set_message(self.look(tables)?);
        }
        bar.finish_and_clear();
        self.cx.give_back(keyboard);
        self.cx.ui.finish_folding();
        self.end(limit)
    }

    /// Tells what nodes have said since it was asked last.
    fn hear(&mut self, tables: &Tables) -> Result<(), Failure> {
        for (name, status) in statuses(tables, &self.waiting)? {
            if self.statuses.get(&name) == Some(&status) {
                continue;
            }
            self.cx
                .ui
                .reply(self.format, Reply { node: Some(name.clone()), body: Body::Answer(Answer::line(&*status)) });
            if matches!(status.as_str(), "booted" | "failed") {
                self.waiting.remove(&name);
                self.failed.extend((status == "failed").then(|| name.clone()));
            }
            self.statuses.insert(name, status);
        }
        Ok(())
    }

    /// How many nodes are in which stage; programs are told of each.
    fn look(&mut self, tables: &Tables) -> Result<String, Failure> {
        if self.waiting.len() > FOLLOWED {
            return Ok(format!("{} nodes", self.waiting.len()));
        }
        let stories = Stories::read(tables)?;
        let names: Vec<String> = self.waiting.iter().cloned().collect();
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        for node in tables.resolve(&names)? {
            let boots = stories.boots(&node)?;
            let Some(stage) = boots.last().and_then(|boot| boot.reached()).map(|step| step.stage) else { continue };
            *counts.entry(stage).or_default() += 1;
            if self.stages.insert(node.name().to_owned(), stage.word()) != Some(stage.word())
                && self.format == Format::Json
            {
                let body = Body::Progress(json!({ "stage": stage.word() }));
                self.cx.ui.reply(self.format, Reply { node: Some(node.name().to_owned()), body });
            }
        }
        let counts: Vec<String> = counts.iter().map(|(stage, count)| format!("{count} {stage}")).collect();
        Ok(counts.join(", "))
    }

    fn end(self, limit: Duration) -> Result<Outcome, Failure> {
        let mut late: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for name in &self.waiting {
            late.entry(self.statuses.get(name).map_or("", String::as_str)).or_default().push(name);
        }
        for (status, names) in &late {
            let still = if status.is_empty() { "no status".to_owned() } else { format!("still {status}") };
            self.cx.ui.error(&format!("not up after {} s, {still}: {}", limit.as_secs(), noderange::fold(names)));
        }
        let stuck: Vec<String> = self.waiting.iter().chain(&self.failed).cloned().collect();
        tell_why(self.cx, &stuck)?;
        Ok(if stuck.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
    }
}

/// Says of nodes that are not up where they are stuck and why, as bootwhy does; those that are stuck alike together.
fn tell_why(cx: &Context, names: &[String]) -> Result<(), Failure> {
    let tables = cx.tables()?;
    let stories = Stories::read(tables)?;
    let mut causes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for node in tables.resolve(names)? {
        let Some(boot) = stories.boots(&node)?.pop() else { continue };
        let why = match stories.verdict(&node, &boot) {
            Verdict::Stuck { stage, cause, .. } => format!("stuck: {stage}: {cause}"),
            other => story::sentence(&other).0,
        };
        causes.entry(why).or_default().push(node.name().to_owned());
    }
    for (why, names) in &causes {
        cx.ui.note(&format!("{}: {why}", noderange::fold(names)));
    }
    if !causes.is_empty() {
        cx.ui.hints(&["what was seen of them, and what to do: bootwhy NODERANGE".to_owned()]);
    }
    Ok(())
}

fn statuses(tables: &Tables, names: &BTreeSet<String>) -> Result<BTreeMap<String, String>, Failure> {
    let table = schema::find("nodelist").expect("table nodelist is in the schema");
    let keys: Vec<&str> = names.iter().map(String::as_str).collect();
    let rows = tables.rows(table, Select::Keys(&keys))?;
    let status = |row: &tables::Row| Some((row.get("node")?.to_owned(), row.get("status")?.to_owned()));
    Ok(rows.iter().filter_map(status).collect())
}
