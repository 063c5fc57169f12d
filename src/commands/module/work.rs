//! What modules are asked to do.

use std::path::Path;

use serde_json::json;

use super::{CHANGES, plans, tell};
use crate::commands::Shape;
use crate::context::Context;
use crate::diskless::import::Whence;
use crate::failure::Failure;
use crate::modules::audit::{Audited, Found, audit};
use crate::modules::check::{Manner, Verdict, check};
use crate::modules::contract::{Finding, Trial};
use crate::modules::import;
use crate::modules::init::{Done, Edited, Init, init};
use crate::modules::kept::Kept;
use crate::modules::leavers::{self, Why};
use crate::modules::manifest::{self, Manifest, Method};
use crate::modules::optional::{self, Answered, Backup, Wanted};
use crate::modules::site::Site;
use crate::modules::state;
use crate::modules::turn::Turn;
use crate::modules::{Module, add};
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::{Format, harmless};

pub(super) async fn begin(
    cx: &Context,
    site: &Site,
    name: &str,
    force: bool,
    shape: Shape,
) -> Result<Outcome, Failure> {
    let module = site.find(name)?;
    let Init { file, done, kept } = init(cx, site, module, force).await?;
    let file = file.display().to_string();
    let outcome = if kept.is_some() { CHANGES } else { Outcome::Done };
    if shape.format() == Format::Json {
        let (what, diff) = match done {
            Done::Written => ("written", None),
            Done::Same => ("same", None),
            Done::Changed(diff) => ("changed", Some(diff)),
        };
        let kept = kept.map(|kept| json!({ "keys": kept.keys, "diff": kept.diff }));
        let data = json!({ "file": file, "config": what, "diff": diff, "kept": kept });
        tell::say(cx, Format::Json, name, Vec::new(), data);
        return Ok(outcome);
    }
    let show = |diff: &str| diff.lines().for_each(|line| cx.ui.line(&harmless(line)));
    match done {
        Done::Written => cx.ui.line(&format!("{name}: wrote {file}")),
        Done::Same if kept.is_none() => cx.ui.line(&format!("{name}: {file} is as it would be written")),
        Done::Same => {}
        Done::Changed(diff) => {
            show(&diff);
            cx.ui.line(&format!("{name}: wrote {file}"));
        }
    }
    if let Some(Edited { keys, diff }) = kept {
        show(&diff);
        let what = if keys.is_empty() { String::new() } else { format!(" of {}", keys.join(" ")) };
        cx.ui.note(&format!(
            "what was edited{what} in {file} was kept; xcrane module init --force {name} writes over it"
        ));
    }
    Ok(outcome)
}

pub(super) async fn compare(
    cx: &Context,
    site: &mut Site,
    name: &str,
    adopt: bool,
    shape: Shape,
) -> Result<Outcome, Failure> {
    let module = site.find(name)?.clone();
    let Audited { found, left, gone, half_applied } = audit(cx, site, &module, adopt).await?;
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
                lines.extend(unadopted(&findings).filter(|_| adopt && !adopted).map(str::to_owned));
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
    tell_leavers(cx, &module.manifest, &left, Why::Unmeant);
    tell_leavers(cx, &module.manifest, &gone, Why::Gone);
    Ok(outcome)
}

/// Why what was found was not adopted.
fn unadopted(findings: &[Finding]) -> Option<&'static str> {
    match findings {
        [] => None,
        findings if findings.iter().all(|finding| finding.harmless) => {
            Some("not adopted: its audit says no state, or the one that is known")
        }
        _ => Some("not adopted: not all of it is harmless"),
    }
}

fn go_on(name: &str) -> String {
    format!("go on: xcrane module apply {name}; or see what is left: xcrane module plan {name}")
}

/// Nodes that a module was applied to, and that its config does not mean any more.
pub(super) fn tell_leavers(cx: &Context, manifest: &Manifest, left: &[String], why: Why) {
    if let Some((what, hint)) = leavers::told(manifest, left, why) {
        cx.ui.warning(&what);
        cx.ui.hints(&[hint]);
    }
}

pub(super) async fn judge(
    cx: &Context,
    site: &Site,
    name: &str,
    manner: Manner<'_>,
    shape: Shape,
) -> Result<Outcome, Failure> {
    let module = meant(cx, site, name)?;
    let mut outcome = Outcome::Done;
    for Verdict { what, fault } in check(cx, site, &module, manner).await? {
        let line = match &fault {
            None => format!("pass: {what}"),
            Some(fault) => format!("FAIL: {what}: {fault}"),
        };
        outcome = outcome.and(if fault.is_none() { Outcome::Done } else { Outcome::SomeFailed });
        let data = json!({ "what": what, "fault": fault });
        tell::say(cx, shape.format(), module.manifest.name(), vec![line], data);
    }
    cx.ui.finish_folding();
    Ok(outcome)
}

/// A module by its name, else the directory of that name.
fn meant(cx: &Context, site: &Site, name: &str) -> Result<Module, Failure> {
    let directory = Path::new(name);
    match site.modules.all.get(name) {
        Some(module) => {
            if directory.join(manifest::FILE).exists() {
                cx.ui.note(&format!(
                    "{name} is a directory as well; the module of that name is meant, the directory is ./{name}"
                ));
            }
            Ok(module.clone())
        }
        None if name.contains('/') || directory.is_dir() => Module::in_directory(directory),
        None => site.find(name).cloned(),
    }
}

pub(super) fn remove(cx: &Context, site: &mut Site, name: &str, force: bool, shape: Shape) -> Result<Outcome, Failure> {
    let _turn = Turn::take(&site.home, &[name.to_owned()], &[])?;
    site.renew(cx)?;
    let installed = match site.known(name) {
        Ok(None) => return Err(Failure::refused(format!("module {name} was not applied"))),
        // What cannot be read can be forgotten all the same.
        Err(_) if force => None,
        known => known?,
    };
    let needed: Vec<&str> = site.needed_by(name);
    if !needed.is_empty() {
        return Err(Failure::refused(format!("module {name} is required by {}", needed.join(" "))).hint(format!(
            "remove these before: {}",
            needed.iter().map(|it| format!("xcrane module remove {it}")).collect::<Vec<_>>().join("; ")
        )));
    }
    if let Some(unfinished) = installed.and_then(|it| it.document.unfinished.as_ref()).filter(|_| !force) {
        return Err(Failure::refused(format!("module {name} is half applied: {}", unfinished.told()))
            .hint(go_on(name))
            .hint(format!("forget all the same what was done: xcrane module remove --force {name}")));
    }
    Kept(&site.home).withdraw(name)?;
    state::forget(cx, name)?;
    tell::say(cx, shape.format(), name, vec!["forgotten".to_owned()], json!({ "forgotten": true }));
    cx.ui.finish_folding();
    Ok(Outcome::Done)
}

/// Takes documents as the states of their modules, as if these had said them: all of them, or none.
pub(super) fn import(cx: &Context, site: &mut Site, name: Option<&str>, file: &Path) -> Result<Outcome, Failure> {
    let (text, file) = match file.as_os_str() == "-" {
        true => (std::io::read_to_string(std::io::stdin()), "standard input".to_owned()),
        false => (std::fs::read_to_string(file), file.display().to_string()),
    };
    let text = text.map_err(|error| Failure::refused(format!("cannot read {file}: {error}")))?;
    let documents = import::read(&text, name)
        .and_then(|documents| import::refuse(site, &documents).map_or(Ok(documents), Err))
        .map_err(|why| Failure::refused(format!("{file}: {why}")).hint("nothing was taken from it"))?;
    let names: Vec<String> = documents.iter().map(|document| document.name.clone()).collect();
    let _turn = Turn::take(&site.home, &names, &[])?;
    site.renew(cx)?;
    import::save(cx, site, &documents)?;
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

/// What the newest backup, or that of a file, is for.
pub(super) fn restored(name: &str, file: Option<&Path>) -> Result<Wanted, Failure> {
    let backup = Backup::read(&crate::config::home()?, name, file)?;
    Ok(Wanted { backup: Some(backup), ..of(Method::Restore) })
}

/// A method that needs no more than to be asked for.
pub(super) fn of(method: Method) -> Wanted {
    Wanted { method, backup: None, may_go_back: false }
}

/// The methods that a module need not have.
pub(super) async fn further(cx: &Context, name: &str, wanted: Wanted, shape: Shape) -> Result<Outcome, Failure> {
    let method = wanted.method;
    let done = optional::ask(cx, name, wanted).await?;
    let mut outcome = Outcome::Done;
    let is_half = done.file.is_none() && done.answers.iter().any(|one| one.answer.is_ok());
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
                let mut data = json!({ "method": method.name() });
                if method == Method::Test {
                    data["tests"] = json!(trials);
                }
                Body::Answer(Answer { lines, data: Some(data), ..Answer::default() })
            }
            Err(failure) => Body::Error(failure.message),
        };
        cx.ui.reply(shape.format(), Reply { node: Some(whom), body });
    }
    cx.ui.finish_folding();
    if matches!(method, Method::Scale | Method::Update) {
        plans::tell_influenced(cx, &Site::read(cx)?, name, &[]).await?;
        cx.ui.finish_folding();
    }
    match done.file {
        Some(file) => cx.ui.note(&format!("{name}: kept in {}", file.display())),
        None if method == Method::Backup && is_half => {
            cx.ui.error(&format!("no backup of {name} was kept: half of one would be restored as a whole"));
        }
        None => {}
    }
    Ok(outcome)
}
