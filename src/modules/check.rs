//! Whether a module keeps to the contract: what it says of itself, what it proposes, that looking changes nothing, and, on nodes
//! that are to spare, that doing twice is as doing once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::config::{self, Config};
use super::contract::{self, Applied, Audit, Change, Changes, Metadata, Proposal};
use super::init::filled;
use super::manifest::Method;
use super::plan::all_of;
use super::run::{Asked, Call, answers};
use super::site::{Ready, Site};
use super::turn::Turn;
use super::{Module, WHOLE, schema};
use crate::context::Context;
use crate::failure::Failure;

/// Of a label: that its state has the rest of the key.
const PROVIDES: &str = "provides-";

/// What was looked at, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) what: &'static str,
    pub(crate) fault: Option<String>,
}

impl Verdict {
    fn of(what: &'static str, found: Result<Option<String>, Failure>) -> Self {
        Self { what, fault: found.unwrap_or_else(|failure| Some(failure.message)) }
    }
}

/// Asks a module all that can be asked without changing anything; with `apply` also applies it to those nodes. Nothing of it
/// becomes the state of the site.
pub(crate) async fn check(
    cx: &Context,
    site: &Site,
    module: &Module,
    apply: Option<&str>,
) -> Result<Vec<Verdict>, Failure> {
    let names: Vec<String> = match apply {
        Some(range) => cx.nodes(range)?.iter().map(|node| node.name().to_owned()).collect(),
        None => Vec::new(),
    };
    let mine = if apply.is_some() { vec![module.manifest.name().to_owned()] } else { Vec::new() };
    let _turn = Turn::take(&site.home, &mine, &names)?;
    let mut verdicts = vec![Verdict::of("metadata says the labels of module.toml", metadata(cx, site, module).await)];
    let proposed = proposed(cx, site, module).await;
    let fault = match &proposed {
        Ok(text) => Ok(schema::check(&module.manifest.config, text).first().map(ToString::to_string)),
        Err(failure) => Ok(Some(failure.message.clone())),
    };
    verdicts.push(Verdict::of("init proposes a config that the module takes", fault));
    let values = values(site, module, proposed.ok(), apply);
    let trial = match values.and_then(|values| site.ready(cx, module, values)) {
        Ok(ready) => ready,
        Err(failure) => {
            verdicts.push(Verdict::of("plan has a config to go by", Err(failure)));
            return Ok(verdicts);
        }
    };
    verdicts
        .push(Verdict::of("plan changes nothing: the second says what the first did", planned_twice(cx, &trial).await));
    if apply.is_some() {
        verdicts.extend(applied_twice(cx, trial).await);
    }
    Ok(verdicts)
}

async fn metadata(cx: &Context, site: &Site, module: &Module) -> Result<Option<String>, Failure> {
    let said: Metadata = ask(cx, site, module, Method::Metadata).await?;
    let labels = &module.manifest.labels;
    let wrong = said.labels.iter().find(|(key, value)| labels.get(*key) != Some(value));
    Ok(wrong.map(|(key, value)| format!("it says {key}={value}, and module.toml does not")))
}

async fn proposed(cx: &Context, site: &Site, module: &Module) -> Result<String, Failure> {
    let said: Proposal = ask(cx, site, module, Method::Init).await?;
    let values = filled(cx, site, module, &Map::new(), said.config)?;
    config::written(&module.manifest.config, &values).map_err(Failure::refused)
}

async fn ask<T: DeserializeOwned>(cx: &Context, site: &Site, module: &Module, method: Method) -> Result<T, Failure> {
    // It may say where the module is asked; a wrong one is told when it is planned with.
    let known = Config::read(&site.home, module)?.values(module).unwrap_or_default();
    let ready = site.ready(cx, module, known)?;
    let request = ready.request(method, WHOLE, &[]);
    let call = Call { module, method, request: &request, secrets: &ready.secrets };
    Ok(call.carry_out::<T>(cx, None).await?.result)
}

/// The config that somebody has written, else the one that is proposed; for the nodes that were named.
fn values(
    site: &Site,
    module: &Module,
    proposed: Option<String>,
    apply: Option<&str>,
) -> Result<Map<String, Value>, Failure> {
    let mut config = Config::read(&site.home, module)?;
    if config.text.is_empty() {
        config.text = proposed.unwrap_or_default();
    }
    let mut values = config.values(module)?;
    if let (Some(range), Some(key)) = (apply, &module.manifest.targets) {
        values.insert(key.clone(), range.into());
    }
    Ok(values)
}

/// What each target answers, in their order; the first failure refuses.
async fn all<T: DeserializeOwned>(
    cx: &Context,
    ready: &Ready<'_>,
    method: Method,
    asked: Vec<Asked<'_>>,
) -> Result<Vec<(String, T)>, Failure> {
    let (mut said, mut failed) = (Vec::new(), Vec::new());
    let mut answers = answers::<T>(cx, ready, method, asked);
    while let Some((target, answer)) = answers.next().await {
        match answer {
            Ok(answer) => said.push((target, answer)),
            Err(failure) => failed.push(failure),
        }
    }
    drop(answers);
    said.sort_by(|(one, _), (other, _)| one.cmp(other));
    if failed.is_empty() { Ok(said) } else { Err(all_of(failed)) }
}

type Planned = Vec<(String, Vec<Change>)>;

async fn planned(cx: &Context, ready: &Ready<'_>) -> Result<Planned, Failure> {
    let said = all(cx, ready, Method::Plan, ready.asked(Method::Plan)).await?;
    let now = said.into_iter().map(|(target, said)| match said {
        Changes::Now(changes) => Ok((target, changes)),
        Changes::Deferred(why) => {
            Err(Failure::refused(format!("it says so only when others are applied: {}", contract::said(&why))))
        }
    });
    now.collect()
}

async fn planned_twice(cx: &Context, ready: &Ready<'_>) -> Result<Option<String>, Failure> {
    let before = files(&ready.module.directory);
    let (first, second) = (planned(cx, ready).await?, planned(cx, ready).await?);
    if first != second {
        return Ok(Some("the two plans differ".to_owned()));
    }
    let after = files(&ready.module.directory);
    let changed = before.symmetric_difference(&after).next();
    Ok(changed.map(|(path, ..)| format!("{} was changed meanwhile", path.display())))
}

/// All files of a module, with what tells that one was changed.
fn files(directory: &Path) -> BTreeSet<(PathBuf, u64, Option<SystemTime>)> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let found = entries.flat_map(|entry| {
        let path = entry.path();
        match entry.metadata() {
            // What Python keeps of a program that was imported is nobody's change.
            Ok(_) if entry.file_name() == "__pycache__" => BTreeSet::new(),
            Ok(found) if found.is_dir() => files(&path),
            Ok(found) => BTreeSet::from([(path, found.len(), found.modified().ok())]),
            Err(_) => BTreeSet::new(),
        }
    });
    found.collect()
}

const ONCE: &str = "apply does what was planned: nothing is left to do";
const TWICE: &str = "apply twice is as once";
const LEFT: &str = "audit finds what apply has left";
const STATE: &str = "the state has what its labels provide";

async fn applied_twice(cx: &Context, mut ready: Ready<'_>) -> Vec<Verdict> {
    let once = applied(cx, &mut ready).await;
    if !matches!(once, Ok(None)) {
        return vec![Verdict::of(ONCE, once)];
    }
    let mut verdicts = vec![Verdict::of(ONCE, once), Verdict::of(TWICE, applied(cx, &mut ready).await)];
    let audited: Result<Vec<(String, Audit)>, _> = all(cx, &ready, Method::Audit, ready.asked(Method::Audit)).await;
    let found = audited.map(|audited| {
        let mut findings = audited
            .into_iter()
            .flat_map(|(target, audit)| audit.findings.into_iter().map(move |one| (target.clone(), one)));
        findings.next().map(|(target, finding)| format!("{target}: {}", ready.secrets.mask(&finding.shown())))
    });
    verdicts.push(Verdict::of(LEFT, found));
    verdicts.push(Verdict { what: STATE, fault: unprovided(&ready) });
    verdicts
}

/// Applies all that is planned, and remembers what each says; what is left to do then.
async fn applied(cx: &Context, ready: &mut Ready<'_>) -> Result<Option<String>, Failure> {
    let plan = planned(cx, ready).await?;
    let mut asked = ready.asked(Method::Apply);
    for asked in &mut asked {
        asked.changes = plan.iter().find(|(target, _)| *target == asked.target).map_or(&[], |(_, changes)| changes);
    }
    let said: Vec<(String, Applied)> = all(cx, ready, Method::Apply, asked).await?;
    for (target, applied) in said {
        if let Some(state) = applied.state {
            ready.document.remember(&target, state);
        }
    }
    let left = planned(cx, ready).await?;
    let first = left.iter().find_map(|(target, changes)| Some((target, changes.first()?)));
    Ok(first.map(|(target, change)| format!("{target}: {}", ready.secrets.mask(&change.shown()))))
}

/// A label by which others choose it, and of which its state has nothing.
fn unprovided(ready: &Ready<'_>) -> Option<String> {
    let mut keys = ready.module.manifest.labels.keys().filter_map(|label| label.strip_prefix(PROVIDES));
    let document = &ready.document;
    let lacks = |key: &&str| {
        !std::iter::once(&document.state).chain(document.targets.values()).any(|state| state.get(*key).is_some())
    };
    keys.find(lacks).map(|key| format!("label {PROVIDES}{key} says that it has '{key}'"))
}
