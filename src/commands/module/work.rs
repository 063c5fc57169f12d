//! What modules are asked to do.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::CHANGES;
use crate::commands::Shape;
use crate::context::Context;
use crate::diskless::import::Whence;
use crate::failure::Failure;
use crate::modules::audit::{Found, audit};
use crate::modules::check::{Verdict, check};
use crate::modules::contract::{Finding, Trial};
use crate::modules::init::{Init, init};
use crate::modules::manifest::Method;
use crate::modules::optional::{self, Answered, Backup};
use crate::modules::plan::{self, Part, Plan};
use crate::modules::site::Site;
use crate::modules::state::{self, Document};
use crate::modules::turn::Turn;
use crate::modules::{Module, add, apply, chain, yaml};
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::{Format, harmless};

pub(super) async fn begin(cx: &Context, site: &Site, name: &str, force: bool) -> Result<Outcome, Failure> {
    let module = site.find(name)?;
    let (config, done) = init(cx, site, module, force).await?;
    let file = config.file.display();
    match done {
        Init::Written => cx.ui.line(&format!("{name}: wrote {file}")),
        Init::Same => cx.ui.line(&format!("{name}: {file} is as it would be written")),
        Init::Replaced(diff) => {
            diff.lines().for_each(|line| cx.ui.line(&harmless(line)));
            cx.ui.line(&format!("{name}: wrote {file}"));
        }
        Init::Kept(diff) => {
            diff.lines().for_each(|line| cx.ui.line(&harmless(line)));
            cx.ui.note(&format!("{file} was kept; xcrane module init --force {name} writes over it"));
            return Ok(CHANGES);
        }
    }
    Ok(Outcome::Done)
}

pub(super) async fn plan(
    cx: &Context,
    site: &Site,
    names: &[String],
    all: bool,
    shape: Shape,
) -> Result<Outcome, Failure> {
    let plan = planned(cx, site, names, all, shape.format()).await?;
    Ok(if plan.is_empty() { Outcome::Done } else { CHANGES })
}

/// Shows what they would do, and keeps it.
async fn planned(cx: &Context, site: &Site, names: &[String], all: bool, format: Format) -> Result<Plan, Failure> {
    let modules = site.order(names, all)?;
    modules.iter().for_each(|module| note_weak(cx, site, module));
    let plan = chain::plan(cx, site, &modules).await?;
    for part in &plan.parts {
        let mut data = json!({ "module": part.module, "units": part.units });
        if let Some(deferred) = &part.deferred {
            data["deferred"] = json!(deferred);
        }
        let body = Body::Answer(Answer { lines: part.shown(), data: Some(data), ..Answer::default() });
        cx.ui.reply(format, Reply { node: None, body });
    }
    plan.keep(&site.home, &names[0])?;
    Ok(plan)
}

/// A weak requirement is worth a word, and no more.
fn note_weak(cx: &Context, site: &Site, module: &Module) {
    let installed = site.applied();
    for selector in &module.manifest.requires.weak {
        let is_met = installed.iter().any(|part| selector.matches(part.labels));
        if !is_met {
            cx.ui.note(&format!(
                "{} would like a module with {selector}, and none is installed",
                module.manifest.name()
            ));
        }
    }
}

/// The whole chain of a module: what it would do is shown, and done.
pub(super) async fn carry_out_all(cx: &Context, name: &str) -> Result<Outcome, Failure> {
    let site = Site::read(cx)?;
    let plan = planned(cx, &site, &[name.to_owned()], true, Format::Lines).await?;
    // Machines that are right already do not make a module an applied one: others may ask for that.
    if plan.is_empty() && plan.parts.iter().all(|part| site.is_applied(&part.module, &part.version)) {
        return Ok(Outcome::Done);
    }
    // What is said of hosts that have changed is not to be what was said of them before.
    let anew = cx.renewed();
    let outcome = carry_out(&anew, name).await;
    anew.finish().await;
    outcome
}

pub(super) async fn carry_out(cx: &Context, name: &str) -> Result<Outcome, Failure> {
    let (outcome, applied) = apply::apply(cx, name).await?;
    let site = Site::read(cx)?;
    for done in &applied {
        cx.ui.line(&format!("{done}: applied"));
        for other in site
            .influenced(site.find(done)?)
            .into_iter()
            .filter(|other| !applied.iter().any(|it| it == other.manifest.name()))
        {
            influenced(cx, &site, done, other).await;
        }
    }
    if outcome != Outcome::Done {
        cx.ui.hints(&[format!("what is left is done by the same command: xcrane module apply {name}")]);
    }
    Ok(outcome)
}

/// Shows what an influenced module would do now. That it cannot be asked does not undo what was applied.
async fn influenced(cx: &Context, site: &Site, by: &str, module: &Module) {
    let name = module.manifest.name();
    match plan::part(cx, site, module).await.and_then(Part::settled) {
        Ok(part) if part.is_empty() => cx.ui.line(&format!("{name}: influenced by {by}, nothing to do")),
        Ok(part) => {
            cx.ui.line(&format!(
                "{name}: influenced by {by}; xcrane module plan {name} && xcrane module apply {name} would do:"
            ));
            part.units.iter().flat_map(|unit| unit.shown(name)).for_each(|line| cx.ui.line(&format!("    {line}")));
        }
        Err(failure) => {
            cx.ui.warning(&format!("{name} is influenced by {by}, and cannot be planned: {}", failure.message));
        }
    }
}

pub(super) async fn compare(
    cx: &Context,
    site: &mut Site,
    name: &str,
    adopt: bool,
    shape: Shape,
) -> Result<Outcome, Failure> {
    let module = site.find(name)?.clone();
    let mut outcome = Outcome::Done;
    for Found { target, answer, adopted } in audit(cx, site, &module, adopt).await? {
        let whom = if target.is_empty() { name.to_owned() } else { target };
        let ended = match &answer {
            Ok(findings) if findings.is_empty() => Outcome::Done,
            Ok(_) => CHANGES,
            Err(_) => Outcome::SomeFailed,
        };
        let body = match answer {
            Ok(findings) => {
                let lines: Vec<String> = findings.iter().map(Finding::shown).collect();
                let mut lines = if lines.is_empty() { vec!["as it was left".to_owned()] } else { lines };
                lines.extend(adopted.then(|| "adopted".to_owned()));
                let data = json!({ "findings": findings, "adopted": adopted });
                Body::Answer(Answer { lines, data: Some(data), ..Answer::default() })
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

pub(super) async fn judge(
    cx: &Context,
    site: &Site,
    name: &str,
    apply: Option<&str>,
    shape: Shape,
) -> Result<Outcome, Failure> {
    let module = if name.contains('/') { Module::in_directory(name.as_ref())? } else { site.find(name)?.clone() };
    let mut outcome = Outcome::Done;
    for Verdict { what, fault } in check(cx, site, &module, apply).await? {
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

pub(super) fn remove(cx: &Context, site: &Site, name: &str) -> Result<Outcome, Failure> {
    if !site.installed.contains_key(name) {
        return Err(Failure::refused(format!("module {name} was not applied")));
    }
    let needed: Vec<&str> = site.needed_by(name);
    if !needed.is_empty() {
        return Err(Failure::refused(format!("module {name} is required by {}", needed.join(" "))).hint(format!(
            "remove these before: {}",
            needed.iter().map(|it| format!("xcrane module remove {it}")).collect::<Vec<_>>().join("; ")
        )));
    }
    let _turn = Turn::take(&site.home, &[name.to_owned()], &[])?;
    state::forget(cx, name)?;
    cx.ui.line(&format!("{name}: forgotten"));
    Ok(Outcome::Done)
}

/// Takes a document as the state of its module, as if the module had said it.
pub(super) fn import(cx: &Context, site: &Site, name: Option<&str>, file: &Path) -> Result<Outcome, Failure> {
    let failed = |error: std::io::Error| Failure::refused(format!("cannot read {}: {error}", file.display()));
    let text = match file.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read_to_string(file),
    };
    let document: Document = yaml::read(&text.map_err(failed)?)
        .map_err(|why| Failure::refused(format!("{} is no state of a module: {why}", file.display())))?;
    if name.is_some_and(|name| name != document.name) {
        return Err(Failure::refused(format!("{} is the state of module {}", file.display(), document.name)));
    }
    let _turn = Turn::take(&site.home, std::slice::from_ref(&document.name), &[])?;
    let serial = site.installed.get(&document.name).map_or(0, |installed| installed.serial);
    state::save(cx, &document, serial)?;
    Ok(Outcome::Done)
}

/// Takes in the module of an image.
pub(super) async fn take_in(cx: &Context, whence: &Whence) -> Result<Outcome, Failure> {
    let module = add::add(cx, &crate::config::home()?, whence).await?;
    let manifest = &module.manifest;
    let (name, version) = (manifest.name(), manifest.label("version"));
    cx.ui.line(&format!("{name}: {version} in {}", module.directory.display()));
    Ok(Outcome::Done)
}

/// The methods that a module need not have.
pub(super) async fn further(
    cx: &Context,
    name: &str,
    method: Method,
    file: Option<PathBuf>,
    shape: Shape,
) -> Result<Outcome, Failure> {
    let backup = match method {
        Method::Restore => Some(Backup::read(&crate::config::home()?, name, file.as_deref())?),
        _ => None,
    };
    let done = optional::ask(cx, name, method, backup).await?;
    let mut outcome = Outcome::Done;
    for Answered { target, answer } in done.answers {
        let whom = if target.is_empty() { name.to_owned() } else { target };
        let is_good = answer.as_ref().is_ok_and(|trials| trials.iter().all(|trial| trial.fault.is_none()));
        outcome = if is_good { outcome } else { Outcome::SomeFailed };
        let body = match answer {
            Ok(trials) => {
                let lines = match method {
                    Method::Test => trials.iter().map(Trial::shown).collect(),
                    _ => vec![format!("{method}: done")],
                };
                Body::Answer(Answer {
                    lines,
                    data: Some(json!({ "method": method.name(), "tests": trials })),
                    ..Answer::default()
                })
            }
            Err(failure) => Body::Error(failure.message),
        };
        cx.ui.reply(shape.format(), Reply { node: Some(whom), body });
    }
    cx.ui.finish_folding();
    if let Some(file) = done.file {
        cx.ui.note(&format!("{name}: kept in {}", file.display()));
    }
    Ok(outcome)
}
