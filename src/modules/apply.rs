//! Carries out a plan that was kept: module by module, on several nodes at once, writing down what each has answered.

use std::fs;

use futures_util::StreamExt;
use serde_json::Value;

use super::Module;
use super::contract::Applied;
use super::manifest::Method;
use super::plan::{self, Part, Plan, Unit, digest};
use super::run::{Asked, answers};
use super::site::Site;
use super::state::{self, Document, Unfinished};
use super::turn::Turn;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Carries out the plan that is kept for a module. A module of which a node fails is finished on its other nodes, and
/// those that come after it in the plan are left.
pub(crate) async fn apply(cx: &Context, name: &str) -> Result<(Outcome, Vec<String>), Failure> {
    let home = crate::config::home()?;
    let plan = Plan::kept(&home, name)?;
    let names: Vec<String> = plan.parts.iter().map(|part| part.module.clone()).collect();
    let mut site = Site::read(cx)?;
    let _turn = Turn::take(&home, &names, &nodes(cx, &site, &plan)?)?;
    // Only now: what others have done before is known.
    site.renew(cx)?;
    for part in &plan.parts {
        refuse_old(&site, &plan, part)?;
    }
    // What they require may have gone since.
    site.order(&names, false)?;
    let mut applied = Vec::new();
    for part in &plan.parts {
        if one(cx, &site, &plan, part).await? != Outcome::Done {
            return Ok((Outcome::SomeFailed, applied));
        }
        applied.push(part.module.clone());
        // It is part of what those after it may know of.
        site.renew(cx)?;
    }
    Plan::drop_kept(&home, name)?;
    Ok((Outcome::Done, applied))
}

/// Carries out a part. One that could not be said before is said now, and shown before it is done; that it cannot be said
/// still is told after what was applied.
async fn one(cx: &Context, site: &Site, plan: &Plan, part: &Part) -> Result<Outcome, Failure> {
    let is_done = site.installed.get(&part.module).is_some_and(|it| it.document.finished.as_deref() == Some(&plan.id));
    let Some(deferred) = part.deferred.as_ref().filter(|_| !is_done) else {
        return carry_out(cx, site, plan, part).await;
    };
    // What did not answer before may do so now.
    let anew = cx.renewed();
    let outcome = match settled(&anew, site, part).await {
        Ok(now) => {
            cx.ui.line(&format!("{}: planned now that {} is applied:", part.module, deferred.until.join(" and ")));
            now.shown().iter().for_each(|line| cx.ui.line(&format!("    {line}")));
            carry_out(&anew, site, plan, &now).await
        }
        Err(failure) => {
            cx.ui.failure(&failure);
            Ok(Outcome::SomeFailed)
        }
    };
    anew.finish().await;
    outcome
}

/// What the part is now; the kept plan is for this version and this config still.
async fn settled(cx: &Context, site: &Site, part: &Part) -> Result<Part, Failure> {
    let now = plan::part(cx, site, site.find(&part.module)?).await?.settled()?;
    match now.digest == part.digest && now.version == part.version {
        true => Ok(now),
        false => Err(old(part, "its config was changed")),
    }
}

/// All nodes that the plan is about, by name: a module that runs once may work on any of its own.
fn nodes(cx: &Context, site: &Site, plan: &Plan) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for part in &plan.parts {
        let ready = site.ready(cx, site.find(&part.module)?, part.config.clone())?;
        names.extend(ready.targets.iter().map(|node| node.name().to_owned()));
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// The world may have moved on since the plan was made.
fn refuse_old(site: &Site, plan: &Plan, part: &Part) -> Result<(), Failure> {
    let module = site.find(&part.module)?;
    let again = |what: &str| Err(old(part, what));
    if module.manifest.label("version") != part.version {
        return again("the module has another version");
    }
    let file = super::config::file(&site.home, &part.module);
    if digest(&fs::read_to_string(file).unwrap_or_default()) != part.digest {
        return again("its config was changed");
    }
    let installed = site.installed.get(&part.module);
    let begun = installed.and_then(|it| it.document.unfinished.as_ref()).is_some_and(|it| it.plan == plan.id);
    // What this very plan has done so far is no news to it.
    let done = installed.is_some_and(|it| it.document.finished.as_deref() == Some(&plan.id));
    if !begun && !done && installed.map_or(0, |it| it.serial) != part.serial {
        return again("its state has changed");
    }
    Ok(())
}

fn old(part: &Part, what: &str) -> Failure {
    Failure::refused(format!("the plan for module {} is old: {what} since it was made", part.module))
        .hint(format!("see what is to be done now: xcrane module plan {}", part.module))
}

async fn carry_out(cx: &Context, site: &Site, plan: &Plan, part: &Part) -> Result<Outcome, Failure> {
    let module = site.find(&part.module)?;
    let ready = site.ready(cx, module, part.config.clone())?;
    let mut book = Book { document: begun(&ready.document, module, plan), serial: ready.serial };
    if book.document.finished.as_deref() == Some(&plan.id) {
        return Ok(Outcome::Done);
    }
    book.write(cx)?;
    let left = left(part, &book.document, ready.asked(Method::Apply))?;
    let bar = cx.ui.count(&part.module, left.len());
    let mut outcome = Outcome::Done;
    let mut answers = answers::<Applied>(cx, &ready, Method::Apply, left);
    while let Some((target, answer)) = answers.next().await {
        bar.inc(1);
        match answer {
            Ok(said) => {
                book.done(cx, &target, said.state)?;
                let done = part.units.iter().filter(|unit| unit.target == target);
                done.flat_map(|unit| unit.shown(&part.module)).for_each(|line| cx.ui.line(&line));
            }
            Err(failure) => {
                cx.ui.failure(&failure);
                outcome = Outcome::SomeFailed;
            }
        }
    }
    bar.finish_and_clear();
    if outcome == Outcome::Done {
        book.close(cx, plan)?;
    }
    Ok(outcome)
}

/// What was planned and is not done.
fn left<'a>(part: &'a Part, document: &Document, mut asked: Vec<Asked<'a>>) -> Result<Vec<Asked<'a>>, Failure> {
    let done = document.unfinished.as_ref().map_or(&[][..], |unfinished| &unfinished.done);
    let is_open = |unit: &&Unit| !unit.changes.is_empty() && !done.contains(&unit.target);
    let open: Vec<&Unit> = part.units.iter().filter(is_open).collect();
    if let Some(gone) = open.iter().find(|unit| !asked.iter().any(|asked| asked.target == unit.target)) {
        let why = format!("the plan for module {} is old: it has no {} any more", part.module, gone.target);
        let hint = format!("see what is to be done now: xcrane module plan {}", part.module);
        return Err(Failure::refused(why).hint(hint));
    }
    asked.retain_mut(|asked| match open.iter().find(|unit| unit.target == asked.target) {
        Some(unit) => {
            asked.changes = &unit.changes;
            true
        }
        None => false,
    });
    Ok(asked)
}

/// The document as it is when the plan begins, or goes on.
fn begun(known: &Document, module: &Module, plan: &Plan) -> Document {
    let goes_on = known.unfinished.as_ref().is_some_and(|unfinished| unfinished.plan == plan.id);
    let unfinished = match (&known.unfinished, goes_on) {
        (Some(unfinished), true) => unfinished.clone(),
        _ => Unfinished { plan: plan.id.clone(), done: Vec::new() },
    };
    Document {
        unfinished: Some(unfinished),
        finished: known.finished.clone(),
        state: known.state.clone(),
        targets: known.targets.clone(),
        ..Document::new(&module.manifest)
    }
}

/// Writes down what each answers the moment it has, so that a killed run goes on where it was.
struct Book {
    document: Document,
    serial: u64,
}

impl Book {
    fn write(&mut self, cx: &Context) -> Result<(), Failure> {
        self.serial = state::save(cx, &self.document, self.serial)?;
        Ok(())
    }

    fn done(&mut self, cx: &Context, target: &str, state: Option<Value>) -> Result<(), Failure> {
        if let Some(state) = state {
            self.document.remember(target, state);
        }
        if let Some(unfinished) = &mut self.document.unfinished {
            unfinished.done.push(target.to_owned());
        }
        self.write(cx)
    }

    fn close(&mut self, cx: &Context, plan: &Plan) -> Result<(), Failure> {
        self.document.unfinished = None;
        self.document.finished = Some(plan.id.clone());
        self.write(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::WHOLE;
    use crate::modules::contract::Change;

    fn unit(target: &str, changes: usize) -> Unit {
        let change = Change { what: "x".into(), from: None, to: None };
        Unit { target: target.into(), changes: vec![change; changes] }
    }

    #[test]
    fn what_is_done_or_has_nothing_to_do_is_not_done_again() {
        let part = Part {
            module: "m".into(),
            version: "1".into(),
            serial: 0,
            digest: String::new(),
            config: serde_json::Map::new(),
            units: vec![unit("n1", 1), unit("n2", 0), unit("n3", 2)],
            deferred: None,
        };
        let asked = |names: &[&str]| {
            let asked = |name: &&str| Asked { target: (*name).to_owned(), node: None, changes: &[], backup: None };
            names.iter().map(asked).collect::<Vec<_>>()
        };
        let mut document: Document = serde_json::from_str(r#"{"name":"m","labels":{}}"#).unwrap();
        document.unfinished = Some(Unfinished { plan: "p".into(), done: vec!["n1".into()] });
        let open = left(&part, &document, asked(&["n1", "n2", "n3"])).unwrap();
        assert_eq!(open.iter().map(|one| (one.target.as_str(), one.changes.len())).collect::<Vec<_>>(), [("n3", 2)]);
        assert!(left(&part, &document, asked(&["n1", "n2"])).is_err());
        assert_eq!(unit(WHOLE, 1).shown("m"), ["m: x"]);
    }
}
