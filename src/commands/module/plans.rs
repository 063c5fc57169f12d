//! Plans: made, kept, shown again, and carried out.

use serde_json::json;

use super::work::tell_leavers;
use super::{CHANGES, tell};
use crate::commands::Shape;
use crate::context::Context;
use crate::failure::Failure;
use crate::modules::apply::{Done, apply};
use crate::modules::kept::{Kept, Made};
use crate::modules::leavers::Why;
use crate::modules::plan::{self, Part, Plan};
use crate::modules::site::Site;
use crate::modules::words::said;
use crate::modules::{Module, chain};
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::{Agreement, Format};

pub(super) async fn plan(
    cx: &Context,
    site: &Site,
    names: &[String],
    all: bool,
    shape: Shape,
) -> Result<Outcome, Failure> {
    let plan = planned(cx, site, names, all, shape.format()).await?;
    if !plan.is_empty() || !is_applied(site, &plan) {
        cx.ui.note(&format!("kept{}: xcrane module apply {} --plan {}", without(&plan), names[0], plan.id));
    }
    Ok(match (plan.is_whole(), plan.is_empty()) {
        (false, _) => Outcome::SomeFailed,
        (true, true) => Outcome::Done,
        (true, false) => CHANGES,
    })
}

/// The nodes that a plan is not for, in words.
fn without(plan: &Plan) -> String {
    if plan.is_whole() { String::new() } else { format!(", without {}", plan.missing()) }
}

/// Shows what they would do, and keeps it.
async fn planned(cx: &Context, site: &Site, names: &[String], all: bool, format: Format) -> Result<Plan, Failure> {
    // Its lines name their nodes themselves, folded or not.
    let by_line = if format == Format::Json { Format::Json } else { Format::Lines };
    let modules = site.order(names, all)?;
    modules.iter().for_each(|module| note_weak(cx, site, module));
    let (made, kept) = (Made::now(cx), Kept(&site.home));
    // What was planned before is of yesterday, whatever comes of this one.
    kept.begin(modules.iter().map(|module| module.manifest.name()), &made)?;
    let plan = chain::plan(cx, site, &modules, made).await?;
    for part in &plan.parts {
        let mut data = json!({ "module": part.module, "units": part.units, "plan": plan.id });
        if let Some(deferred) = &part.deferred {
            data["deferred"] = json!(deferred);
        }
        let body = Body::Answer(Answer { lines: part.shown(format), data: Some(data), ..Answer::default() });
        cx.ui.reply(by_line, Reply { node: None, body });
        for why in part.missing.values() {
            cx.ui.reply(by_line, Reply { node: None, body: Body::Error(said(why)) });
        }
        tell_leavers(cx, &site.find(&part.module)?.manifest, &part.left, Why::Unmeant);
    }
    kept.keep(&plan)?;
    kept.clean(&site.half_applied());
    Ok(plan)
}

/// Machines that are right already do not make a module an applied one: others may ask for that.
fn is_applied(site: &Site, plan: &Plan) -> bool {
    plan.parts.iter().all(|part| site.is_applied(&part.module, &part.version))
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
    let plan = planned(cx, &site, &[name.to_owned()], true, cx.progress_format()).await?;
    if plan.is_empty() && is_applied(&site, &plan) {
        return Ok(if plan.is_whole() { Outcome::Done } else { Outcome::SomeFailed });
    }
    // What is said of hosts that have changed is not to be what was said of them before.
    let anew = cx.renewed();
    let outcome = carry_out(&anew, name, &plan).await;
    anew.finish().await;
    outcome
}

/// The plan that was named; else the newest of the module, which is shown before anything is done.
pub(super) async fn carry_out_kept(cx: &Context, name: &str, id: Option<&str>) -> Result<Outcome, Failure> {
    let home = crate::config::home()?;
    let plan = match id {
        Some(id) => Kept(&home).named(name, id)?,
        None => {
            let plan = Kept(&home).newest(name)?;
            show_again(cx, &plan);
            agreed(cx, &plan).await?;
            plan
        }
    };
    carry_out(cx, name, &plan).await
}

/// A plan that was made some time ago, maybe by somebody else.
fn show_again(cx: &Context, plan: &Plan) {
    let Made { by, at } = &plan.made;
    cx.ui.note(&format!("plan {}, made by {by} at {at}{}:", plan.id, without(plan)));
    for line in plan.parts.iter().flat_map(|part| part.shown(cx.progress_format())) {
        cx.ui.note(&format!("    {}", line.replace('\n', "\n    ")));
    }
}

/// Asks a person, if there is one, whether somebody else's plan is meant.
async fn agreed(cx: &Context, plan: &Plan) -> Result<(), Failure> {
    let Made { by, .. } = &plan.made;
    if *by == cx.who() {
        return Ok(());
    }
    match cx.ui.confirm(&format!("That is what {by} has planned. Do it?")).await {
        Agreement::Yes | Agreement::Nobody => Ok(()),
        Agreement::No => Err(Failure::refused("nothing was done: it was not agreed to")),
        Agreement::Interrupted => {
            Err(Failure { outcome: Outcome::Interrupted, ..Failure::refused("nothing was done") })
        }
    }
}

async fn carry_out(cx: &Context, name: &str, plan: &Plan) -> Result<Outcome, Failure> {
    let Done { applied, left, unplanned } = apply(cx, plan).await?;
    let site = Site::read(cx)?;
    for done in &applied {
        tell::say(cx, cx.progress_format(), done, vec!["applied".to_owned()], json!({ "applied": true }));
        tell_influenced(cx, &site, done, &applied).await?;
    }
    if !unplanned.is_empty() {
        let names = unplanned.join(" ");
        cx.ui.hints(&[format!("what is to be done where there is no plan yet: xcrane module plan {names}")]);
    }
    if !left.is_empty() {
        cx.ui.hints(&[format!("what is left is done by the same command: xcrane module apply {name}")]);
    }
    cx.ui.finish_folding();
    Ok(if left.is_empty() && unplanned.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}

/// Shows what the modules that one influences would do now, but for those that were applied with it.
pub(super) async fn tell_influenced(cx: &Context, site: &Site, by: &str, applied: &[String]) -> Result<(), Failure> {
    let others = site.influenced(site.find(by)?).into_iter();
    for other in others.filter(|other| !applied.iter().any(|it| it == other.manifest.name())) {
        influenced(cx, site, by, other).await;
    }
    Ok(())
}

/// Shows what an influenced module would do now. That it cannot be asked does not undo what was applied.
async fn influenced(cx: &Context, site: &Site, by: &str, module: &Module) {
    let name = module.manifest.name();
    let format = cx.progress_format();
    let warn = |text: String| match format {
        Format::Json => cx.ui.reply(format, Reply { node: None, body: Body::Warning(text) }),
        Format::Lines | Format::Folded => cx.ui.warning(&text),
    };
    match plan::part(cx, site, module).await.and_then(Part::settled) {
        Ok(part) => {
            let lines = match part.is_empty() && part.missing.is_empty() {
                true => vec![format!("influenced by {by}, nothing to do")],
                false => {
                    let units = plan::shown(name, &part.units, format);
                    let units: String = units.into_iter().map(|line| format!("\n    {line}")).collect();
                    let would = format!("xcrane module plan {name} && xcrane module apply {name} would do:");
                    vec![format!("influenced by {by}; {would}{units}")]
                }
            };
            tell::say(cx, format, name, lines, json!({ "influenced_by": by, "units": part.units }));
            part.missing.values().for_each(|why| warn(said(why)));
        }
        Err(failure) => {
            warn(format!("{name} is influenced by {by}, and cannot be planned: {}", failure.message));
        }
    }
}
