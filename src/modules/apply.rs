//! Carries out a plan that was kept: module by module, on several nodes at once, writing down what each has answered.

use std::collections::BTreeSet;

use futures_util::StreamExt;

use super::book::Book;
use super::chain;
use super::config::Config;
use super::contract::{Applied, Audit};
use super::kept::Kept;
use super::manifest::{Method, Way};
use super::outdated;
use super::plan::{self, Part, Plan, Unit};
use super::run::{Asked, answers, gathered};
use super::site::{Ready, Site};
use super::state::Document;
use super::turn::Turn;
use super::{Module, WHOLE, secrets, telling};
use crate::context::Context;
use crate::failure::Failure;

/// What became of the modules of a plan.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Those that were applied to their end.
    pub(crate) applied: Vec<String>,
    /// Those of which something was planned and is not done.
    pub(crate) left: Vec<String>,
    /// Those of which some nodes are done, and others have no plan.
    pub(crate) unplanned: Vec<String>,
}

/// How a part has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Whole,
    /// All that was planned is done, and some nodes have no plan.
    Unplanned,
    /// Not all that was planned is done.
    Left,
}

/// Carries out a plan that is kept. A module of which a node fails is finished on its other nodes, and those of the plan
/// that require it are left.
pub(crate) async fn apply(cx: &Context, plan: &Plan) -> Result<Done, Failure> {
    let mut site = Site::read(cx)?;
    let _turn = Turn::take(&site.home, &plan.names(), &nodes(cx, &site, plan)?)?;
    // Only now: what others have done before is known.
    site.renew(cx)?;
    Kept(&site.home).refuse_replaced(plan)?;
    for part in &plan.parts {
        let ready = ready(cx, &site, part)?;
        outdated::refuse(&site, plan, part, &ready)?;
    }
    // What they require may have gone since.
    site.order(&plan.names(), false)?;
    let mut done = Done::default();
    for (place, part) in plan.parts.iter().enumerate() {
        let name = part.module.clone();
        if let Some(lacking) = lacking(&site, &plan.parts[..place], part, &done)? {
            cx.ui.error(&format!("module {name} was left: it requires {lacking}, which is not applied to its end"));
            done.left.push(name);
            continue;
        }
        match one(cx, &site, plan, part).await? {
            Ended::Whole => done.applied.push(name),
            Ended::Unplanned => done.unplanned.push(name),
            Ended::Left => done.left.push(name),
        }
        // It is part of what those after it may know of.
        site.renew(cx)?;
    }
    if done.left.is_empty() && done.unplanned.is_empty() {
        Kept(&site.home).forget(plan)?;
    }
    Ok(done)
}

/// The first module that a part requires, itself or by others, and that this plan has not applied to its end.
fn lacking(site: &Site, before: &[Part], part: &Part, done: &Done) -> Result<Option<String>, Failure> {
    let before: Vec<&Module> = before.iter().map(|part| site.find(&part.module)).collect::<Result<_, _>>()?;
    let required: BTreeSet<&str> = chain::required(&before, site.find(&part.module)?);
    Ok(done.left.iter().chain(&done.unplanned).find(|name| required.contains(name.as_str())).cloned())
}

/// Carries out a part. One that could not be said before is said now, and shown before it is done; that it cannot be said
/// still is told after what was applied.
async fn one(cx: &Context, site: &Site, plan: &Plan, part: &Part) -> Result<Ended, Failure> {
    let is_done = site.installed.get(&part.module).is_some_and(|it| it.document.finished.as_deref() == Some(&plan.id));
    let Some(deferred) = part.deferred.as_ref().filter(|_| !is_done) else {
        return carry_out(cx, site, plan, part).await;
    };
    // What did not answer before may do so now.
    let anew = cx.renewed();
    let ended = match settled(&anew, site, part).await {
        Ok(now) => {
            telling::settled(cx, &now, &deferred.until);
            carry_out(&anew, site, plan, &now).await
        }
        Err(failure) => {
            telling::failed(cx, WHOLE, failure);
            Ok(Ended::Left)
        }
    };
    anew.finish().await;
    ended
}

/// What the part is now; the kept plan is for this version, this config and these programs still.
async fn settled(cx: &Context, site: &Site, part: &Part) -> Result<Part, Failure> {
    let now = plan::part(cx, site, site.find(&part.module)?).await?.settled()?;
    outdated::refuse_other(site, part, &now)?;
    Ok(now)
}

/// All nodes that the plan is about, by name: a module that runs once may work on any of its own.
fn nodes(cx: &Context, site: &Site, plan: &Plan) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for part in &plan.parts {
        let ready = ready(cx, site, part)?;
        names.extend(ready.targets.iter().map(|node| node.name().to_owned()));
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// The module of a part with the config that it was planned with. A plan keeps no secrets: they are those of the file, which is the
/// one that it was made of.
fn ready<'a>(cx: &Context, site: &'a Site, part: &Part) -> Result<Ready<'a>, Failure> {
    let module = site.find(&part.module)?;
    let schema = &module.manifest.config;
    if !secrets::has_any(schema) {
        return site.ready(cx, module, part.config.clone());
    }
    let config = Config::read(&site.home, module)?;
    outdated::refuse_other_config(part, &config)?;
    site.ready(cx, module, secrets::with(schema, &part.config, &config.values(module)?))
}

async fn carry_out(cx: &Context, site: &Site, plan: &Plan, part: &Part) -> Result<Ended, Failure> {
    let ready = ready(cx, site, part)?;
    if ready.document.finished.as_deref() == Some(&plan.id) {
        return Ok(Ended::Whole);
    }
    let mut book = Book::open(&ready, plan, part);
    let left = left(part, &ready.document, &book.document, ready.asked(Method::Apply))?;
    book.write(cx)?;
    let bar = cx.ui.count(&part.module, left.len());
    let mut ended = Ended::Whole;
    let mut groups = gathered(answers::<Applied>(cx, &ready, Method::Apply, left), ready.together(Method::Apply));
    while let Some(group) = groups.next().await {
        bar.inc(group.len() as u64);
        if !book.take(cx, part, group)? {
            ended = Ended::Left;
        }
    }
    bar.finish_and_clear();
    ask_again(cx, &ready, part, &mut book).await?;
    if !part.missing.is_empty() {
        let missing = tables::noderange::fold(part.missing.keys());
        cx.ui.error(&format!("{missing}: nothing was done by {}, whose plan is not for it", part.module));
        return Ok(if ended == Ended::Whole { Ended::Unplanned } else { ended });
    }
    if ended == Ended::Whole {
        book.close(cx, plan)?;
    }
    Ok(ended)
}

/// Asks those of which nothing was to be done, and of which what is known may not be so any more, what they are like: applying has
/// told nothing of them, and audit changes nothing.
async fn ask_again(cx: &Context, ready: &Ready<'_>, part: &Part, book: &mut Book) -> Result<(), Failure> {
    // A playbook has no words of its own.
    if ready.module.manifest.methods.get(&Method::Audit).is_some_and(|run| run.way == Way::Ansible) {
        return Ok(());
    }
    let is_other = ready.document.config.as_ref() != Some(&part.config);
    let is_right = |unit: &&Unit| unit.changes.is_empty();
    let right: BTreeSet<&str> = part.units.iter().filter(is_right).map(|unit| unit.target.as_str()).collect();
    let mut asked = ready.asked(Method::Audit);
    asked.retain(|asked| {
        let target = asked.target.as_str();
        right.contains(target) && (is_other || book.document.of(target).is_null())
    });
    let mut groups = gathered(answers::<Audit>(cx, ready, Method::Audit, asked), ready.together(Method::Audit));
    while let Some(group) = groups.next().await {
        book.learn(cx, part, group)?;
    }
    Ok(())
}

/// What was planned and is not done; and what was cut off before, though nothing seems to be left of it: it has said nothing.
fn left<'a>(
    part: &'a Part,
    before: &Document,
    document: &Document,
    mut asked: Vec<Asked<'a>>,
) -> Result<Vec<Asked<'a>>, Failure> {
    let done = document.unfinished.as_ref().map_or(&[][..], |unfinished| &unfinished.done);
    let was_cut_off = |target: &str| before.unfinished.as_ref().is_some_and(|half| half.is_behind(target));
    let is_open =
        |unit: &&Unit| (!unit.changes.is_empty() || was_cut_off(&unit.target)) && !done.contains(&unit.target);
    let open: Vec<&Unit> = part.units.iter().filter(is_open).collect();
    if let Some(gone) = open.iter().find(|unit| !asked.iter().any(|asked| asked.target == unit.target)) {
        return Err(outdated::old(part, &format!("{} has gone from its nodes", gone.target)));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::modules::contract::Change;
    use crate::modules::state::Unfinished;

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
            files: BTreeMap::new(),
            required: BTreeMap::new(),
            config: serde_json::Map::new(),
            nodes: BTreeMap::new(),
            units: vec![unit("n1", 1), unit("n2", 0), unit("n3", 2)],
            missing: BTreeMap::new(),
            left: Vec::new(),
            deferred: None,
        };
        let asked = |names: &[&str]| {
            let asked = |name: &&str| Asked { target: (*name).to_owned(), node: None, changes: &[], backup: None };
            names.iter().map(asked).collect::<Vec<_>>()
        };
        let mut document: Document = serde_json::from_str(r#"{"name":"m","labels":{}}"#).unwrap();
        document.unfinished = Some(Unfinished { plan: "p".into(), done: vec!["n1".into()], ..Unfinished::default() });
        let open = left(&part, &document, &document, asked(&["n1", "n2", "n3"])).unwrap();
        assert_eq!(open.iter().map(|one| (one.target.as_str(), one.changes.len())).collect::<Vec<_>>(), [("n3", 2)]);
        assert!(left(&part, &document, &document, asked(&["n1", "n2"])).is_err());
        // What an earlier apply was cut off at says at last what it is like.
        let mut cut_off = document.clone();
        cut_off.unfinished = Some(Unfinished { open: ["n2".to_owned()].into(), ..Unfinished::default() });
        let open = left(&part, &cut_off, &document, asked(&["n1", "n2", "n3"])).unwrap();
        assert_eq!(
            open.iter().map(|one| (one.target.as_str(), one.changes.len())).collect::<Vec<_>>(),
            [("n2", 0), ("n3", 2)]
        );
    }
}
