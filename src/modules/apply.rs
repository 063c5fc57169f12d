//! Carries out a plan that was kept: module by module, on several nodes at once, writing down what each has answered.

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use futures_util::stream::{StreamExt, iter};
use serde_json::Value;
use tables::Node;

use super::Module;
use super::contract::Applied;
use super::manifest::Method;
use super::plan::{AT_ONCE, Part, Plan, Unit, about, digest};
use super::run::Call;
use super::site::{Ready, Site};
use super::state::{self, Document, Unfinished};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Nobody else applies these modules while the files are open.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "locks end when they are dropped")] Vec<File>);

impl Turn {
    pub(crate) fn take(home: &Path, modules: &[&str]) -> Result<Self, Failure> {
        let directory = home.join("plans");
        fs::create_dir_all(&directory)
            .map_err(|error| Failure::refused(format!("cannot make {}: {error}", directory.display())))?;
        let take = |name: &&str| {
            let path = directory.join(format!("{name}.lock"));
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let file = file.map_err(|error| Failure::refused(format!("cannot lock {}: {error}", path.display())))?;
            match file.try_lock() {
                Ok(()) => Ok(file),
                Err(_) => Err(Failure::refused(format!("module {name} is being applied by somebody else"))
                    .hint("try again when that is over")),
            }
        };
        modules.iter().map(take).collect::<Result<_, _>>().map(Self)
    }
}

/// Carries out the plan that is kept for a module. A module of which a node fails is finished on its other nodes, and
/// those that come after it in the plan are left.
pub(crate) async fn apply(cx: &Context, name: &str) -> Result<(Outcome, Vec<String>), Failure> {
    let home = crate::config::home()?;
    let plan = Plan::kept(&home, name)?;
    let names: Vec<&str> = plan.parts.iter().map(|part| part.module.as_str()).collect();
    let _turn = Turn::take(&home, &names)?;
    // Only now: what others have done before is known.
    let site = Site::read(cx)?;
    for part in &plan.parts {
        refuse_old(&site, &plan, part)?;
    }
    let mut applied = Vec::new();
    for part in &plan.parts {
        // Those before it in the plan are part of what it may know of.
        let site = Site::read(cx)?;
        if carry_out(cx, &site, &plan, part).await? != Outcome::Done {
            return Ok((Outcome::SomeFailed, applied));
        }
        applied.push(part.module.clone());
    }
    Plan::drop_kept(&home, name)?;
    Ok((Outcome::Done, applied))
}

/// The world may have moved on since the plan was made.
fn refuse_old(site: &Site, plan: &Plan, part: &Part) -> Result<(), Failure> {
    let module = site.find(&part.module)?;
    let again = |what: &str| {
        Err(Failure::refused(format!("the plan for module {} is old: {what} since it was made", part.module))
            .hint(format!("see what is to be done now: xcrane module plan {}", part.module)))
    };
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

async fn carry_out(cx: &Context, site: &Site, plan: &Plan, part: &Part) -> Result<Outcome, Failure> {
    let module = site.find(&part.module)?;
    let ready = site.ready(cx, module, part.config.clone())?;
    let mut book = Book { document: begun(&ready.document, module, plan), serial: ready.serial };
    if book.document.finished.as_deref() == Some(&plan.id) {
        return Ok(Outcome::Done);
    }
    book.write(cx)?;
    let nodes: Vec<(String, Option<Node>)> = ready.units(Method::Apply);
    let left: Vec<(&Unit, Option<Node>)> = left(part, &book.document, &nodes)?;
    let bar = cx.ui.count(&part.module, left.len());
    let mut answers = iter(left)
        .map(|(unit, node)| {
            let ready = &ready;
            async move { (unit, ask(cx, ready, unit, node).await) }
        })
        .buffer_unordered(AT_ONCE);
    let mut outcome = Outcome::Done;
    while let Some((unit, answer)) = answers.next().await {
        bar.inc(1);
        match answer {
            Ok(state) => {
                book.done(cx, unit, state)?;
                unit.shown(&part.module).iter().for_each(|line| cx.ui.line(line));
            }
            Err(failure) => {
                cx.ui.failure(&about(&unit.target, failure));
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

/// What was planned and is not done, each with its node.
fn left<'a>(
    part: &'a Part,
    document: &Document,
    nodes: &[(String, Option<Node>)],
) -> Result<Vec<(&'a Unit, Option<Node>)>, Failure> {
    let done = document.unfinished.as_ref().map_or(&[][..], |unfinished| &unfinished.done);
    let open = part.units.iter().filter(|unit| !unit.changes.is_empty() && !done.contains(&unit.target));
    open.map(|unit| match nodes.iter().find(|(target, _)| *target == unit.target) {
        Some((_, node)) => Ok((unit, node.clone())),
        None => Err(Failure::refused(format!(
            "the plan for module {} is old: it has no {} any more",
            part.module, unit.target
        ))
        .hint(format!("see what is to be done now: xcrane module plan {}", part.module))),
    })
    .collect()
}

async fn ask(cx: &Context, ready: &Ready<'_>, unit: &Unit, node: Option<Node>) -> Result<Option<Value>, Failure> {
    let request = ready.request(Method::Apply, &unit.target, &unit.changes);
    let call = Call { module: ready.module, method: Method::Apply, request: &request, secrets: &ready.secrets };
    let said = call.carry_out::<Applied>(cx, node.as_ref()).await?;
    said.warnings.iter().for_each(|warning| cx.ui.warning(warning));
    Ok(said.result.state)
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

    fn done(&mut self, cx: &Context, unit: &Unit, state: Option<Value>) -> Result<(), Failure> {
        if let Some(state) = state {
            self.document.remember(&unit.target, state);
        }
        if let Some(unfinished) = &mut self.document.unfinished {
            unfinished.done.push(unit.target.clone());
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
        };
        let nodes: Vec<_> = ["n1", "n2", "n3"].map(|name| (name.to_owned(), None)).into();
        let mut document: Document = serde_json::from_str(r#"{"name":"m","labels":{}}"#).unwrap();
        document.unfinished = Some(Unfinished { plan: "p".into(), done: vec!["n1".into()] });
        let open: Vec<&str> =
            left(&part, &document, &nodes).unwrap().iter().map(|(unit, _)| unit.target.as_str()).collect();
        assert_eq!(open, ["n3"]);
        assert!(left(&part, &document, &nodes[..2]).is_err());
        assert_eq!(unit(WHOLE, 1).shown("m"), ["m: x"]);
    }
}
