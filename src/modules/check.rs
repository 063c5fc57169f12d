//! Whether a module keeps to the contract: what it says of itself, what it proposes, that looking changes nothing, and, on nodes
//! that are to spare, that doing twice is as doing once.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::builtin;
use super::config::{self, Config};
use super::contract::{Applied, Audit, Change, Changes, Kept, Metadata, Tested};
use super::init::{self, Proposed};
use super::manifest::{Manifest, Method, Way};
use super::plan::all_of;
use super::run::{Asked, Call, about, answers};
use super::schema::{self, Problem, Type};
use super::site::{Ready, Site};
use super::turn::Turn;
use super::{Module, WHOLE, program, words};
use crate::context::Context;
use crate::failure::Failure;

/// Of a label: that its state has the rest of the key.
const PROVIDES: &str = "provides-";

impl Manner<'_> {
    fn config(&self, site: &Site, module: &Module) -> Result<Config, Failure> {
        match self.config {
            Some(file) => Config::of(file),
            None => Config::read(&site.home, module),
        }
    }
}

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

/// How a module is to be looked at.
#[derive(Debug, Default)]
pub(crate) struct Manner<'a> {
    /// Nodes to which it is applied as well.
    pub(crate) apply: Option<&'a str>,
    /// A config to go by; else the site's, or the one that is proposed.
    pub(crate) config: Option<&'a Path>,
}

/// Asks a module all that can be asked without changing anything; with `apply` also applies it to those nodes. Nothing of it
/// becomes the state of the site.
pub(crate) async fn check(
    cx: &Context,
    site: &Site,
    module: &Module,
    manner: Manner<'_>,
) -> Result<Vec<Verdict>, Failure> {
    refuse_live(site, module, &manner)?;
    manner.config.map(Config::of).transpose()?;
    let apply = manner.apply;
    let names: Vec<String> = match apply {
        Some(range) => cx.nodes(range)?.iter().map(|node| node.name().to_owned()).collect(),
        None => Vec::new(),
    };
    let mine = if apply.is_some() { vec![module.manifest.name().to_owned()] } else { Vec::new() };
    let _turn = Turn::take(&site.home, &mine, &names)?;
    let found = metadata(cx, site, module, &manner).await;
    let mut verdicts = vec![Verdict::of("metadata says the labels of module.toml", found)];
    let proposed = proposed(cx, site, module).await;
    let fault = match &proposed {
        Ok(text) => Ok(fault(module, text, manner.config.is_some())),
        Err(failure) => Ok(Some(failure.message.clone())),
    };
    verdicts.push(Verdict::of("init proposes a config that the module takes", fault));
    let values = values(site, module, proposed.ok(), &manner);
    let trial = match values.and_then(|values| values.map(|values| site.ready(cx, module, values)).transpose()) {
        Ok(Some(ready)) => ready,
        Ok(None) => {
            cx.ui.note("plan and audit were not asked: there are no nodes for it to work on");
            return Ok(verdicts);
        }
        Err(failure) => {
            verdicts.push(Verdict::of("plan has a config to go by", Err(failure)));
            return Ok(verdicts);
        }
    };
    verdicts.push(Verdict::of(
        "plan says the same twice, and leaves the directory as it is",
        planned_twice(cx, &trial).await,
    ));
    match apply {
        Some(_) => verdicts.extend(applied_twice(cx, trial).await),
        None => verdicts.extend(looked_at(cx, site, &trial).await),
    }
    Ok(verdicts)
}

/// Refuses to apply what is in use as if it were for those nodes alone: who runs once works for all nodes of its config.
fn refuse_live(site: &Site, module: &Module, manner: &Manner<'_>) -> Result<(), Failure> {
    let Manifest { methods, targets, .. } = &module.manifest;
    let once = methods.get(&Method::Apply).map(|run| run.way).filter(|way| matches!(way, Way::Local | Way::Container));
    let (Some(way), Some(nodes), None, Some(_)) = (once, manner.apply, manner.config, targets) else { return Ok(()) };
    let name = module.manifest.name();
    if !site.installed.contains_key(name) {
        return Ok(());
    }
    let why = format!("module {name} is in use, and its apply by way '{way}' would make it one of {nodes} alone");
    Err(Failure::refused(why).hint("check it with a config that means other places: --config FILE"))
}

/// What can be asked of nodes that are not to spare: of a module that was applied also what does no harm beside.
async fn looked_at(cx: &Context, site: &Site, ready: &Ready<'_>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    if !ready.asked(Method::Audit).is_empty() {
        let audited = all::<Audit>(cx, ready, Method::Audit, ready.asked(Method::Audit)).await;
        verdicts.push(Verdict::of(AUDIT, audited.map(|_| None)));
    }
    let manifest = &ready.module.manifest;
    if site.installed.contains_key(manifest.name()) {
        if manifest.methods.contains_key(&Method::Test) {
            let tried = all::<Tested>(cx, ready, Method::Test, ready.asked(Method::Test)).await;
            verdicts.push(Verdict::of(TEST, tried.map(|_| None)));
        }
        if manifest.methods.contains_key(&Method::Backup) {
            let kept = all::<Kept>(cx, ready, Method::Backup, ready.asked(Method::Backup)).await;
            verdicts.push(Verdict::of(BACKUP, kept.map(|_| None)));
        }
    }
    verdicts
}

/// What is wrong with a config that was proposed. On which nodes it works, where none are free, and what is secret, are the
/// site's to say, and so is all that it lacks where `is_given`, in a config of the site's own.
fn fault(module: &Module, text: &str, is_given: bool) -> Option<String> {
    let problems = schema::check(&module.manifest.config, text);
    let is_secret = |problem: &Problem| {
        problem.line == 0 && module.manifest.config.get(&problem.key).is_some_and(|wanted| wanted.secret)
    };
    let mut problems = problems.iter();
    let is_given = |problem: &Problem| is_given && problem.line == 0;
    problems
        .find(|problem| !is_about_nodes(module, problem) && !is_secret(problem) && !is_given(problem))
        .map(ToString::to_string)
}

fn has_nodes(module: &Module, text: &str) -> bool {
    !schema::check(&module.manifest.config, text).iter().any(|problem| is_about_nodes(module, problem))
}

/// Whether nodes are required, and not named.
fn is_about_nodes(module: &Module, problem: &Problem) -> bool {
    let wanted = module.manifest.config.get(&problem.key);
    problem.line == 0 && wanted.is_some_and(|wanted| wanted.kind == Type::Noderange)
}

async fn metadata(cx: &Context, site: &Site, module: &Module, manner: &Manner<'_>) -> Result<Option<String>, Failure> {
    // A config may say where the module is asked; a wrong one is told when it is planned with.
    let known = manner.config(site, module)?.values(module).unwrap_or_default();
    let ready = site.ready(cx, module, known)?;
    let request = ready.request(Method::Metadata, WHOLE, &[]);
    let call = Call { module, method: Method::Metadata, request: &request, secrets: &ready.secrets };
    let said: Metadata = call.carry_out(cx, None).await?;
    let labels = &module.manifest.labels;
    let wrong = said.labels.iter().find(|(key, value)| labels.get(*key) != Some(value));
    Ok(wrong.map(|(key, value)| format!("it says {key}={value}, and module.toml does not")))
}

async fn proposed(cx: &Context, site: &Site, module: &Module) -> Result<String, Failure> {
    let none = Map::new();
    let Proposed { values, lacking } = init::proposed(cx, site, module, &none, &none, false).await?;
    lacking.iter().for_each(|why| cx.ui.warning(why));
    config::written(&module.manifest.config, &values).map_err(Failure::refused)
}

/// The config that somebody has written, else the one that is proposed; for the nodes that were named. None where it lacks only
/// nodes.
fn values(
    site: &Site,
    module: &Module,
    proposed: Option<String>,
    manner: &Manner<'_>,
) -> Result<Option<Map<String, Value>>, Failure> {
    let mut config = manner.config(site, module)?;
    let is_proposed = config.text.is_empty();
    if is_proposed {
        config = Config { file: "what init proposes".into(), text: proposed.unwrap_or_default() };
    }
    let named = manner.apply.zip(module.manifest.targets.as_ref());
    let lacks = |key: &String| toml::from_str::<toml::Table>(&config.text).is_ok_and(|table| !table.contains_key(key));
    if let Some((range, key)) = named.filter(|(_, key)| lacks(key)) {
        config.text.insert_str(0, &format!("{key} = {}\n", toml::Value::from(range)));
    }
    if !config.text.is_empty() && fault(module, &config.text, false).is_none() && !has_nodes(module, &config.text) {
        return Ok(None);
    }
    let lacking = |failure: Failure| match is_proposed {
        true => Failure { message: format!("{}\n--config FILE gives it one", failure.message), ..failure },
        false => failure,
    };
    let mut values = config.values(module).map_err(lacking)?;
    values.extend(named.map(|(range, key)| (key.clone(), range.into())));
    Ok(Some(values))
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
            Err(failure) => failed.push(about(&target, failure)),
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
            Err(Failure::refused(format!("it says so only when others are applied: {}", words::said(&why))))
        }
    });
    now.collect()
}

async fn planned_twice(cx: &Context, ready: &Ready<'_>) -> Result<Option<String>, Failure> {
    let Module { directory, manifest } = ready.module;
    let before = program::files(directory)?;
    let (first, second) = (planned(cx, ready).await?, planned(cx, ready).await?);
    if first != second {
        return Ok(Some("the two plans differ".to_owned()));
    }
    Ok(program::changed(manifest, &before, &program::files(directory)?, false))
}

const ONCE: &str = "apply does what was planned: nothing is left to do";
const TWICE: &str = "apply twice is as once";
const LEFT: &str = "audit finds what apply has left";
const STATE: &str = "the state has what its labels provide";
const AUDIT: &str = "audit says what the contract has for it";
const TEST: &str = "test says what the contract has for it";
const WORKS: &str = "test finds that it works";
const BACKUP: &str = "backup says what the contract has for it";
const RESTORE: &str = "restore takes what backup has said";
const UPDATE: &str = "update says what the contract has for it";
const SCALE: &str = "scale says what the contract has for it";

async fn applied_twice(cx: &Context, mut ready: Ready<'_>) -> Vec<Verdict> {
    let once = applied(cx, &mut ready).await;
    if !matches!(once, Ok(None)) {
        return vec![Verdict::of(ONCE, once)];
    }
    let after_once = (ready.document.state.clone(), ready.document.targets.clone());
    let twice = applied(cx, &mut ready).await;
    let is_same = after_once == (ready.document.state.clone(), ready.document.targets.clone());
    let twice =
        twice.map(|left| left.or_else(|| (!is_same).then(|| "it says another state the second time".to_owned())));
    let mut verdicts = vec![Verdict::of(ONCE, once), Verdict::of(TWICE, twice)];
    let audited: Result<Vec<(String, Audit)>, _> = all(cx, &ready, Method::Audit, ready.asked(Method::Audit)).await;
    let found = audited.map(|audited| {
        let mut findings = audited
            .into_iter()
            .flat_map(|(target, audit)| audit.findings.into_iter().map(move |one| (target.clone(), one)));
        findings.next().map(|(target, finding)| of(&target, &ready.secrets.mask(&finding.shown())))
    });
    verdicts.push(Verdict::of(LEFT, found));
    verdicts.push(Verdict { what: STATE, fault: unprovided(&ready) });
    // A built-in one knows its machines by the state of the site, of which nothing of this is.
    if builtin::of(ready.module).is_none() {
        verdicts.extend(offered(cx, &ready).await);
    }
    verdicts
}

/// What a module need not have, where it has it. What its backup has said is restored.
async fn offered(cx: &Context, ready: &Ready<'_>) -> Vec<Verdict> {
    let (mut verdicts, mut kept) = (Vec::new(), BTreeMap::new());
    let methods = [Method::Test, Method::Backup, Method::Restore, Method::Update, Method::Scale];
    for method in methods.into_iter().filter(|method| ready.module.manifest.methods.contains_key(method)) {
        let mut asked = ready.asked(method);
        asked
            .iter_mut()
            .for_each(|one| one.backup = kept.get(&one.target).cloned().filter(|_| method == Method::Restore));
        let found = match method {
            Method::Test => all::<Tested>(cx, ready, method, asked).await.map(|said| broken(ready, said)),
            Method::Backup => all::<Kept>(cx, ready, method, asked).await.map(|said| {
                kept.extend(said.into_iter().map(|(target, said)| (target, said.backup)));
                None
            }),
            _ => all::<Applied>(cx, ready, method, asked).await.map(|_| None),
        };
        verdicts.push(Verdict::of(what(method), found));
    }
    verdicts
}

fn what(method: Method) -> &'static str {
    match method {
        Method::Backup => BACKUP,
        Method::Restore => RESTORE,
        Method::Update => UPDATE,
        Method::Scale => SCALE,
        _ => WORKS,
    }
}

/// The first thing of which a test says that it does not work.
fn broken(ready: &Ready<'_>, said: Vec<(String, Tested)>) -> Option<String> {
    said.into_iter().find_map(|(target, said)| {
        let (what, fault) = said.tests.into_iter().find_map(|trial| Some((trial.what, trial.fault?)))?;
        Some(of(&target, &words::said(&ready.secrets.mask(&format!("{what}: {fault}")))))
    })
}

/// Words with the node that they are about, where there is one.
fn of(target: &str, words: &str) -> String {
    if target == WHOLE { words.to_owned() } else { format!("{target}: {words}") }
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
    Ok(first.map(|(target, change)| of(target, &ready.secrets.mask(&change.shown()))))
}

/// A label by which others choose it, and of which its state has nothing.
fn unprovided(ready: &Ready<'_>) -> Option<String> {
    let mut keys = ready.module.manifest.labels.keys().filter_map(|label| label.strip_prefix(PROVIDES));
    let document = &ready.document;
    let lacks = |key: &&str| {
        let has = |state: &Value| state.get(*key).is_some_and(|value| !value.is_null());
        !has(&document.state)
            && (ready.targets.is_empty() || !ready.targets.iter().all(|it| has(document.of(it.name()))))
    };
    keys.find(lacks).map(|key| format!("label {PROVIDES}{key} says that it has '{key}'"))
}
