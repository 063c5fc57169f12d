//! `xcrane module`: what is set up on a cluster in parts, and how these stand to each other.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::modules::audit::{Found, audit};
use crate::modules::check::{Verdict, check};
use crate::modules::init::{Init, init};
use crate::modules::plan::{self, Plan};
use crate::modules::selector::{Expression, Selector};
use crate::modules::site::Site;
use crate::modules::state::{self, Document};
use crate::modules::{Module as Known, apply};
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};

/// What `plan` and `audit` end with when something is to be done.
const CHANGES: Outcome = Outcome::Code(2);

/// Set up services in parts that depend on each other: plan, apply, audit
#[derive(Debug, Args)]
#[command(after_help = "A module is a directory with module.toml in $XCRANE_HOME/modules, or in one of site.modulepath. Its config is
$XCRANE_HOME/configs/NAME.toml. plan ends with 0 when there is nothing to do and with 2 when there is; apply carries out the plan
that was kept, and refuses it when config, state or version have changed since; audit ends with 2 where machines differ.

Examples:
  xcrane module search 'kind eq database' 'version ge 3'
  xcrane module init etcd && vi $XCRANE_HOME/configs/etcd.toml
  xcrane module plan etcd && echo nothing to do
  xcrane module apply etcd")]
pub(crate) struct Module {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the modules there are, and what was applied of them
    List {
        #[command(flatten)]
        shape: Shape,
    },
    /// List the modules whose labels fulfil all expressions: KEY OPERATOR [VALUE,…]
    Search {
        /// Such as 'version ge 1.2'
        #[arg(value_name = "EXPRESSION", required = true)]
        expressions: Vec<Expression>,
        #[command(flatten)]
        shape: Shape,
    },
    /// Tell all that a module says of itself
    Info {
        /// The module
        name: String,
    },
    /// Print the order in which modules would be applied, each with what it requires
    Graph {
        /// The modules; default is all
        names: Vec<String>,
    },
    /// Write a config to begin with; one that was edited is kept, and the difference shown
    Init {
        /// The module
        name: String,
        /// Write over one that differs
        #[arg(short, long)]
        force: bool,
    },
    /// Show what apply would do, and keep that
    Plan {
        /// The modules; the plan is kept under the name of the first
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        /// Also plan what they require and is not installed
        #[arg(long)]
        with_requirements: bool,
        #[command(flatten)]
        shape: Shape,
    },
    /// Carry out the plan that was kept; a run that was cut off goes on where it was
    Apply {
        /// The module
        name: String,
    },
    /// Tell where machines are otherwise than the module left them
    Audit {
        /// The module
        name: String,
        /// Take harmless differences into the state
        #[arg(long)]
        adopt: bool,
        #[command(flatten)]
        shape: Shape,
    },
    /// Ask a module all that changes nothing, and tell whether it keeps to the contract
    Check {
        /// The module, or a directory that is one
        name: String,
        #[command(flatten)]
        shape: Shape,
    },
    /// Print what is known of modules that were applied, as JSON; or take such a document back
    State {
        /// The module; default is all
        name: Option<String>,
        /// Read a document from this file, - for standard input, in place of what is known
        #[arg(long, value_name = "FILE")]
        import: Option<std::path::PathBuf>,
    },
    /// Forget a module that nobody requires; machines stay as they are
    Remove {
        /// The module
        name: String,
    },
}

impl Run for Module {
    fn is_audited(&self) -> bool {
        matches!(self.verb, Verb::Apply { .. })
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        if let Verb::Apply { name } = &self.verb {
            return carry_out(cx, name).await;
        }
        let site = Site::read(cx)?;
        match self.verb {
            Verb::List { shape } => list(cx, &site, shape, |_| true),
            Verb::Search { expressions, shape } => {
                let selector = Selector::new(expressions).map_err(Failure::usage)?;
                list(cx, &site, shape, |module| selector.matches(&module.manifest.labels))
            }
            Verb::Info { name } => info(cx, &site, &name),
            Verb::Graph { names } => graph(cx, &site, names),
            Verb::Init { name, force } => begin(cx, &site, &name, force).await,
            Verb::Plan { names, with_requirements, shape } => plan(cx, &site, &names, with_requirements, shape).await,
            Verb::Audit { name, adopt, shape } => compare(cx, &site, &name, adopt, shape).await,
            Verb::Check { name, shape } => judge(cx, &site, &name, shape).await,
            Verb::State { name, import } => tell_state(cx, &site, name.as_deref(), import.as_deref()),
            Verb::Remove { name } => remove(cx, &site, &name),
            Verb::Apply { .. } => unreachable!("is carried out above"),
        }
    }
}

fn list(cx: &Context, site: &Site, shape: Shape, is_meant: impl Fn(&Known) -> bool) -> Result<Outcome, Failure> {
    for (name, module) in site.modules.all.iter().filter(|(_, module)| is_meant(module)) {
        let installed = site.installed.get(name);
        let status = match installed.map(|it| &it.document.unfinished) {
            None => "-",
            Some(None) => "applied",
            Some(Some(_)) => "partial",
        };
        let manifest = &module.manifest;
        let words = [manifest.label("version"), manifest.label("kind"), status, manifest.label("short")];
        let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let data = json!({ "labels": manifest.labels, "status": status, "directory": module.directory });
        let body = Body::Answer(Answer { data: Some(data), ..Answer::line(line) });
        cx.ui.reply(shape.format(), Reply { node: Some(name.clone()), body });
    }
    cx.ui.finish_folding();
    Ok(Outcome::Done)
}

fn info(cx: &Context, site: &Site, name: &str) -> Result<Outcome, Failure> {
    let module = site.find(name)?;
    let manifest = &module.manifest;
    cx.ui.line(&format!("{name}: {}", module.directory.display()));
    manifest.labels.iter().for_each(|(key, value)| cx.ui.line(&format!("    {key}={value}")));
    manifest.requires.strong.iter().for_each(|selector| cx.ui.line(&format!("    requires {selector}")));
    manifest.requires.weak.iter().for_each(|selector| cx.ui.line(&format!("    would like {selector}")));
    manifest.influences.iter().for_each(|selector| cx.ui.line(&format!("    influences {selector}")));
    for (key, wanted) in &manifest.config {
        let default = wanted.default.as_ref().map(|value| format!(" [default: {value}]")).unwrap_or_default();
        let required = if wanted.required { ", required" } else { "" };
        cx.ui.line(&format!("    config {key}: {} ({}{required}){default}", wanted.help, wanted.kind));
    }
    for (method, run) in &manifest.methods {
        cx.ui.line(&format!("    method {method}: {}, at most {} s", run.way, run.limit));
    }
    Ok(Outcome::Done)
}

fn graph(cx: &Context, site: &Site, names: Vec<String>) -> Result<Outcome, Failure> {
    let names = if names.is_empty() { site.modules.all.keys().cloned().collect() } else { names };
    let ordered = site.order(&names, true)?;
    for module in &ordered {
        let name = module.manifest.name();
        let there = |kind: &str, selectors: &[Selector]| {
            let met = selectors.iter().map(|selector| {
                let met = site.parts().into_iter().filter(|part| part.name != name && selector.matches(part.labels));
                let met: Vec<&str> = met.map(|part| part.name).collect();
                format!("    {kind} {selector}: {}", if met.is_empty() { "none".to_owned() } else { met.join(" ") })
            });
            met.collect::<Vec<_>>()
        };
        cx.ui.line(name);
        there("requires", &module.manifest.requires.strong).iter().for_each(|line| cx.ui.line(line));
        there("would like", &module.manifest.requires.weak).iter().for_each(|line| cx.ui.line(line));
        there("influences", &module.manifest.influences).iter().for_each(|line| cx.ui.line(line));
    }
    Ok(Outcome::Done)
}

async fn begin(cx: &Context, site: &Site, name: &str, force: bool) -> Result<Outcome, Failure> {
    let module = site.find(name)?;
    let (config, done) = init(cx, site, module, force).await?;
    let file = config.file.display();
    match done {
        Init::Written => cx.ui.line(&format!("{name}: wrote {file}")),
        Init::Same => cx.ui.line(&format!("{name}: {file} is as it would be written")),
        Init::Kept(diff) => {
            diff.lines().for_each(|line| cx.ui.line(line));
            cx.ui.note(&format!("{file} was kept; xcrane module init --force {name} writes over it"));
            return Ok(CHANGES);
        }
    }
    Ok(Outcome::Done)
}

async fn plan(cx: &Context, site: &Site, names: &[String], all: bool, shape: Shape) -> Result<Outcome, Failure> {
    let modules = site.order(names, all)?;
    let mut parts = Vec::new();
    for module in &modules {
        note_weak(cx, site, module);
        parts.push(plan::part(cx, site, module).await?);
    }
    let plan = Plan::of(parts)?;
    for part in &plan.parts {
        let lines: Vec<String> = part.units.iter().flat_map(|unit| unit.shown(&part.module)).collect();
        let lines = if lines.is_empty() { vec![format!("{}: nothing to do", part.module)] } else { lines };
        let body = Body::Answer(Answer { lines, data: Some(json!({ "module": part.module, "units": part.units })), ..Answer::default() });
        cx.ui.reply(shape.format(), Reply { node: None, body });
    }
    plan.keep(&site.home, &names[0])?;
    Ok(if plan.is_empty() { Outcome::Done } else { CHANGES })
}

/// A weak requirement is worth a word, and no more.
fn note_weak(cx: &Context, site: &Site, module: &Known) {
    let parts = site.parts();
    for selector in &module.manifest.requires.weak {
        let is_met = parts.iter().any(|part| site.installed.contains_key(part.name) && selector.matches(part.labels));
        if !is_met {
            cx.ui.note(&format!("{} would like a module with {selector}, and none is installed", module.manifest.name()));
        }
    }
}

async fn carry_out(cx: &Context, name: &str) -> Result<Outcome, Failure> {
    let (outcome, applied) = apply::apply(cx, name).await?;
    let site = Site::read(cx)?;
    for done in &applied {
        cx.ui.line(&format!("{done}: applied"));
        for other in site.influenced(site.find(done)?).into_iter().filter(|other| !applied.iter().any(|it| it == other.manifest.name())) {
            influenced(cx, &site, done, other).await;
        }
    }
    if outcome != Outcome::Done {
        cx.ui.hints(&[format!("what is left is done by the same command: xcrane module apply {name}")]);
    }
    Ok(outcome)
}

/// Shows what an influenced module would do now. That it cannot be asked does not undo what was applied.
async fn influenced(cx: &Context, site: &Site, by: &str, module: &Known) {
    let name = module.manifest.name();
    match plan::part(cx, site, module).await {
        Ok(part) if part.is_empty() => cx.ui.line(&format!("{name}: influenced by {by}, nothing to do")),
        Ok(part) => {
            cx.ui.line(&format!("{name}: influenced by {by}; xcrane module plan {name} && xcrane module apply {name} would do:"));
            part.units.iter().flat_map(|unit| unit.shown(name)).for_each(|line| cx.ui.line(&format!("    {line}")));
        }
        Err(failure) => cx.ui.warning(&format!("{name} is influenced by {by}, and cannot be planned: {}", failure.message)),
    }
}

async fn compare(cx: &Context, site: &Site, name: &str, adopt: bool, shape: Shape) -> Result<Outcome, Failure> {
    let module = site.find(name)?;
    let mut outcome = Outcome::Done;
    for Found { target, answer } in audit(cx, site, module, adopt).await? {
        let whom = if target.is_empty() { name.to_owned() } else { target };
        let ended = match &answer {
            Ok(findings) if findings.is_empty() => Outcome::Done,
            Ok(_) => CHANGES,
            Err(_) => Outcome::SomeFailed,
        };
        let body = match answer {
            Ok(findings) => {
                let lines: Vec<String> = findings.iter().map(crate::modules::contract::Finding::shown).collect();
                let lines = if lines.is_empty() { vec!["as it was left".to_owned()] } else { lines };
                Body::Answer(Answer { lines, data: Some(json!({ "findings": findings })), ..Answer::default() })
            }
            Err(failure) => Body::Error(failure.message),
        };
        cx.ui.reply(shape.format(), Reply { node: Some(whom), body });
        // Somebody who could not be asked outweighs what others were found to be.
        outcome = if ended == Outcome::SomeFailed { ended } else { outcome.and(ended) };
    }
    cx.ui.finish_folding();
    Ok(outcome)
}

async fn judge(cx: &Context, site: &Site, name: &str, shape: Shape) -> Result<Outcome, Failure> {
    let module = if name.contains('/') { Known::in_directory(name.as_ref())? } else { site.find(name)?.clone() };
    let mut outcome = Outcome::Done;
    for Verdict { what, fault } in check(cx, site, &module).await {
        let line = match &fault {
            None => format!("pass: {what}"),
            Some(fault) => format!("FAIL: {what}: {fault}"),
        };
        outcome = outcome.and(if fault.is_none() { Outcome::Done } else { Outcome::SomeFailed });
        let body = Body::Answer(Answer { data: Some(json!({ "what": what, "fault": fault })), ..Answer::line(line) });
        cx.ui.reply(shape.format(), Reply { node: Some(module.manifest.name().to_owned()), body });
    }
    cx.ui.finish_folding();
    Ok(outcome)
}

fn tell_state(cx: &Context, site: &Site, name: Option<&str>, import: Option<&std::path::Path>) -> Result<Outcome, Failure> {
    if let Some(file) = import {
        let failed = |error: std::io::Error| Failure::refused(format!("cannot read {}: {error}", file.display()));
        let text = if file.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) };
        let document: Document = serde_json::from_str(&text.map_err(failed)?)
            .map_err(|error| Failure::refused(format!("{} is no state of a module: {error}", file.display())))?;
        if name.is_some_and(|name| name != document.name) {
            return Err(Failure::refused(format!("{} is the state of module {}", file.display(), document.name)));
        }
        let serial = site.installed.get(&document.name).map_or(0, |installed| installed.serial);
        state::save(cx, &document, serial)?;
        return Ok(Outcome::Done);
    }
    let chosen = site.installed.values().filter(|installed| name.is_none_or(|name| name == installed.document.name));
    let documents: Vec<&Document> = chosen.map(|installed| &installed.document).collect();
    let shown = match (name, documents.as_slice()) {
        (Some(_), [document]) => serde_json::to_string_pretty(document),
        (Some(name), _) => return Err(Failure::refused(format!("module {name} was not applied"))),
        (None, all) => serde_json::to_string_pretty(all),
    };
    cx.ui.line(&shown.map_err(|error| Failure::refused(format!("cannot show the state: {error}")))?);
    Ok(Outcome::Done)
}

fn remove(cx: &Context, site: &Site, name: &str) -> Result<Outcome, Failure> {
    if !site.installed.contains_key(name) {
        return Err(Failure::refused(format!("module {name} was not applied")));
    }
    let needed: Vec<&str> = site.needed_by(name);
    if !needed.is_empty() {
        return Err(Failure::refused(format!("module {name} is required by {}", needed.join(" ")))
            .hint(format!("remove these before: {}", needed.iter().map(|it| format!("xcrane module remove {it}")).collect::<Vec<_>>().join("; "))));
    }
    let _turn = apply::Turn::take(&site.home, &[name])?;
    state::forget(cx, name)?;
    cx.ui.line(&format!("{name}: forgotten"));
    Ok(Outcome::Done)
}
