//! What is written down while a plan is carried out: of each target what became of it, before it is told, so that a run that was
//! killed goes on where it was and everybody sees what is half done. Who has answered and is not written down is asked again,
//! which does no harm.

use std::collections::BTreeSet;

use serde_json::Value;

use super::contract::{Applied, Audit};
use super::plan::{Part, Plan, Unit};
use super::run::about;
use super::site::Ready;
use super::state::{self, Document, Unfinished};
use super::{Module, telling};
use crate::context::Context;
use crate::failure::Failure;

/// The document of a module that a plan is carried out for.
pub(crate) struct Book {
    pub(crate) document: Document,
    serial: u64,
}

impl Book {
    /// As it is when the plan begins, or goes on.
    pub(crate) fn open(ready: &Ready<'_>, plan: &Plan, part: &Part) -> Self {
        Self { document: begun(&ready.document, ready.module, plan, part), serial: ready.serial }
    }

    pub(crate) fn write(&mut self, cx: &Context) -> Result<(), Failure> {
        self.serial = state::save(cx, &self.document, self.serial)?;
        Ok(())
    }

    /// What several targets have answered, written down before any of it is told; whether all of them are done.
    pub(crate) fn take(
        &mut self,
        cx: &Context,
        part: &Part,
        group: Vec<(String, Result<Applied, Failure>)>,
    ) -> Result<bool, Failure> {
        let (mut done, mut failed) = (BTreeSet::new(), Vec::new());
        for (target, answer) in group {
            match answer {
                Ok(said) => {
                    self.done(&target, said.state);
                    done.insert(target);
                }
                Err(failure) => {
                    self.failed(&target, &failure);
                    failed.push((target, failure));
                }
            }
        }
        self.write(cx)?;
        let units: Vec<&Unit> = part.units.iter().filter(|unit| done.contains(&unit.target)).collect();
        telling::done(cx, &part.module, &units);
        let all = failed.is_empty();
        failed.into_iter().for_each(|(target, failure)| telling::failed(cx, &target, failure));
        Ok(all)
    }

    /// What targets are like of which nothing was to be done.
    pub(crate) fn learn(
        &mut self,
        cx: &Context,
        part: &Part,
        group: Vec<(String, Result<Audit, Failure>)>,
    ) -> Result<(), Failure> {
        for (target, answer) in group {
            match answer {
                Ok(Audit { state: Some(state), .. }) => self.document.remember(&target, state),
                Ok(Audit { state: None, .. }) => {}
                Err(failure) => {
                    let Failure { message, .. } = about(&target, failure);
                    cx.ui.warning(&format!("what {} is like now is not known: {message}", part.module));
                }
            }
        }
        self.write(cx)
    }

    fn done(&mut self, target: &str, state: Option<Value>) {
        match state {
            Some(state) => self.document.remember(target, state),
            None => self.document.know(target),
        }
        if let Some(unfinished) = &mut self.document.unfinished {
            unfinished.open.remove(target);
            unfinished.done.push(target.to_owned());
        }
    }

    fn failed(&mut self, target: &str, failure: &Failure) {
        if let Some(unfinished) = &mut self.document.unfinished {
            unfinished.open.remove(target);
            unfinished.failed.insert(target.to_owned(), first_line(&failure.message));
        }
    }

    pub(crate) fn close(&mut self, cx: &Context, plan: &Plan) -> Result<(), Failure> {
        self.document.config = self.document.unfinished.take().and_then(|unfinished| unfinished.config);
        self.document.finished = Some(plan.id.clone());
        self.write(cx)
    }
}

/// What a try before has done stays done; what it has not is open again.
fn begun(known: &Document, module: &Module, plan: &Plan, part: &Part) -> Document {
    let before = known.unfinished.as_ref().filter(|unfinished| unfinished.plan == plan.id);
    let done = before.map(|unfinished| unfinished.done.clone()).unwrap_or_default();
    let is_open = |target: &String| !done.contains(target);
    let changed = part.units.iter().filter(|unit| !unit.changes.is_empty()).map(|unit| unit.target.clone());
    let unfinished = Unfinished {
        plan: plan.id.clone(),
        open: changed.filter(is_open).collect(),
        failed: part.missing.iter().map(|(target, why)| (target.clone(), first_line(why))).collect(),
        config: Some(part.config.clone()),
        done,
    };
    let mut document = Document {
        unfinished: Some(unfinished),
        finished: known.finished.clone(),
        config: known.config.clone(),
        state: known.state.clone(),
        targets: known.targets.clone(),
        ..Document::new(module)
    };
    // What is right already belongs to the module from now on.
    part.units.iter().filter(|unit| unit.changes.is_empty()).for_each(|unit| document.know(&unit.target));
    document
}

/// What a program has said at length was shown.
fn first_line(why: &str) -> String {
    why.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::modules::kept::Made;
    use crate::modules::manifest::Manifest;

    #[test]
    fn what_goes_on_keeps_what_is_done() {
        let methods = ["metadata", "init", "plan", "apply", "audit"]
            .map(|it| format!("{it} = {{ way = 'local', program = 'x' }}\n"));
        let text = format!(
            "[labels]\nname = 'm'\nversion = '1'\n\
             [config.port]\ntype = 'integer'\nhelp = 'x'\n[methods]\n{}",
            methods.concat()
        );
        let module = Module { directory: PathBuf::new(), manifest: Manifest::read(&text).unwrap() };
        let unit = |target: &str, changes: usize| {
            let change = serde_json::json!({ "what": "it" });
            serde_json::json!({ "target": target, "changes": vec![change; changes] })
        };
        let part: Part = serde_json::from_value(serde_json::json!({
            "module": "m", "version": "1", "serial": 0, "digest": "", "files": {}, "required": {},
            "config": { "port": 1 }, "missing": { "n9": "n9: it is down\nlast words" },
            "units": [unit("n1", 1), unit("n2", 1), unit("n3", 0)]
        }))
        .unwrap();
        let plan = Plan::of(vec![part.clone()], Made { by: "ada".into(), at: "then".into() }).unwrap();
        let mut known = Document::new(&module);
        let unfinished = |known: &Document| begun(known, &module, &plan, &part).unfinished.unwrap();
        let first = unfinished(&known);
        assert!(begun(&known, &module, &plan, &part).targets.contains_key("n3"), "it is right already");
        assert_eq!(first.told(), "failed n9, open n[1-2]");
        assert_eq!(first.failed["n9"], "n9: it is down");
        assert_eq!(serde_json::to_string(&first.config).unwrap(), r#"{"port":1}"#);
        known.unfinished = Some(Unfinished { done: vec!["n1".into()], ..first });
        assert_eq!(unfinished(&known).told(), "done n1, failed n9, open n2");
        // Another plan begins anew.
        known.unfinished.as_mut().unwrap().plan = "other".into();
        assert_eq!(unfinished(&known).told(), "failed n9, open n[1-2]");
    }
}
