//! What modules are asked to do.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::CHANGES;
use crate::commands::Shape;
use crate::context::Context;
use crate::diskless::import::Whence;
use crate::failure::Failure;
use crate::modules::audit::{Audited, Found, audit};
use crate::modules::check::{Verdict, check};
use crate::modules::contract::{Finding, Trial};
use crate::modules::init::{Init, init};
use crate::modules::kept::Kept;
use crate::modules::manifest::{Manifest, Method};
use crate::modules::optional::{self, Answered, Backup};
use crate::modules::site::Site;
use crate::modules::state::{self, Document};
use crate::modules::turn::Turn;
use crate::modules::{Module, add, leavers, yaml};
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::harmless;

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

pub(super) async fn compare(
    cx: &Context,
    site: &mut Site,
    name: &str,
    adopt: bool,
    shape: Shape,
) -> Result<Outcome, Failure> {
    let module = site.find(name)?.clone();
    let Audited { found, left, half_applied } = audit(cx, site, &module, adopt).await?;
    let mut outcome = if half_applied.is_none() { Outcome::Done } else { CHANGES };
    for Found { target, answer, adopted } in found {
        let whom = if target.is_empty() { name.to_owned() } else { target };
        let ended = match &answer {
            Ok(findings) if findings.is_empty() || adopted => Outcome::Done,
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
    if let Some(told) = half_applied {
        cx.ui.warning(&format!("{name} is half applied: {told}"));
        cx.ui.hints(&[go_on(name)]);
    }
    tell_leavers(cx, &module.manifest, &left);
    Ok(outcome)
}

fn go_on(name: &str) -> String {
    format!("go on: xcrane module apply {name}; or see what is left: xcrane module plan {name}")
}

/// Nodes that a module was applied to, and that its config does not mean any more.
pub(super) fn tell_leavers(cx: &Context, manifest: &Manifest, left: &[String]) {
    if let Some((what, hint)) = leavers::told(manifest, left) {
        cx.ui.warning(&what);
        cx.ui.hints(&[hint]);
    }
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

pub(super) fn remove(cx: &Context, site: &mut Site, name: &str, force: bool) -> Result<Outcome, Failure> {
    let _turn = Turn::take(&site.home, &[name.to_owned()], &[])?;
    site.renew(cx)?;
    let Some(installed) = site.installed.get(name) else {
        return Err(Failure::refused(format!("module {name} was not applied")));
    };
    let needed: Vec<&str> = site.needed_by(name);
    if !needed.is_empty() {
        return Err(Failure::refused(format!("module {name} is required by {}", needed.join(" "))).hint(format!(
            "remove these before: {}",
            needed.iter().map(|it| format!("xcrane module remove {it}")).collect::<Vec<_>>().join("; ")
        )));
    }
    if let Some(unfinished) = installed.document.unfinished.as_ref().filter(|_| !force) {
        return Err(Failure::refused(format!("module {name} is half applied: {}", unfinished.told()))
            .hint(go_on(name))
            .hint(format!("forget all the same what was done: xcrane module remove --force {name}")));
    }
    Kept(&site.home).withdraw(name)?;
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
