//! What is known of modules that were applied: one document each, in table module, journalled as all that people decide.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tables::noderange::fold;
use tables::schema::{self, Table};
use tables::{Edit, Select};

use super::Module;
use super::manifest::Manifest;
use super::selector::{Labels, Selector};
use super::unreadable::{self, Unreadable};
use crate::context::Context;
use crate::failure::Failure;

/// A module that was applied, wholly or in part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Installed {
    /// Counts the changes of the document: a plan is for one of them.
    pub(crate) serial: u64,
    pub(crate) document: Document,
}

/// What `module state` shows, and takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    /// What it requires, as of when it was applied: its directory may be gone, and it still needs that.
    #[serde(default)]
    pub(crate) strong: Vec<Selector>,
    /// What the module remembers of the whole.
    #[serde(default)]
    pub(crate) state: Value,
    /// The same of each node.
    #[serde(default)]
    pub(crate) targets: BTreeMap<String, Value>,
    /// The config that it was applied with, without its secrets; older versions have not kept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<Map<String, Value>>,
    /// The plan that is being carried out, and is not finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unfinished: Option<Unfinished>,
    /// The plan that was carried out last, to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finished: Option<String>,
    /// Where its programs were when it was applied; nothing for one that is built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
}

/// How far a plan has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unfinished {
    pub(crate) plan: String,
    pub(crate) done: Vec<String>,
    /// Those whose turn has not come, or that were cut off.
    #[serde(default)]
    pub(crate) open: BTreeSet<String>,
    /// Those that failed, or could not be planned, and why.
    #[serde(default)]
    pub(crate) failed: BTreeMap<String, String>,
    /// The config of the plan, without its secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<Map<String, Value>>,
}

impl Unfinished {
    /// How far, for people: of one that works as a whole only what became of that.
    pub(crate) fn told(&self) -> String {
        let told = |what: &str, targets: Vec<&str>| match targets.as_slice() {
            [] => None,
            [super::WHOLE] => Some(what.to_owned()),
            targets => Some(format!("{what} {}", fold(targets))),
        };
        let parts = [
            told("done", self.done.iter().map(String::as_str).collect()),
            told("failed", self.failed.keys().map(String::as_str).collect()),
            told("open", self.open.iter().map(String::as_str).collect()),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        // It was cut off behind the last of its targets, or had none.
        if parts.is_empty() { "nothing was left to do but to note its end".to_owned() } else { parts.join(", ") }
    }

    /// Whether a target may not be as the plan wants it.
    pub(crate) fn is_behind(&self, target: &str) -> bool {
        self.open.contains(target) || self.failed.contains_key(target)
    }
}

impl Document {
    /// Of a module that was never applied.
    pub(crate) fn new(module: &Module) -> Self {
        let manifest = &module.manifest;
        Self {
            name: manifest.name().to_owned(),
            labels: manifest.labels.clone(),
            strong: manifest.requires.strong.clone(),
            state: Value::Null,
            targets: BTreeMap::new(),
            config: None,
            unfinished: None,
            finished: None,
            directory: (!module.is_builtin()).then(|| module.directory.clone()),
        }
    }

    /// What the module remembers of a node, or of the whole.
    pub(crate) fn of(&self, target: &str) -> &Value {
        match target {
            super::WHOLE => &self.state,
            target => self.targets.get(target).unwrap_or(&Value::Null),
        }
    }

    pub(crate) fn remember(&mut self, target: &str, state: Value) {
        match target {
            super::WHOLE => self.state = state,
            target => drop(self.targets.insert(target.to_owned(), state)),
        }
    }

    /// A target that has nothing to remember is known all the same.
    pub(crate) fn know(&mut self, target: &str) {
        if target != super::WHOLE {
            self.targets.entry(target.to_owned()).or_insert(Value::Null);
        }
    }

    /// What other modules see of it.
    pub(crate) fn shared(&self) -> Value {
        serde_json::json!({ "labels": self.labels, "state": self.state, "targets": self.targets })
    }
}

/// What is known of the modules of a site.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) installed: BTreeMap<String, Installed>,
    /// Those that were applied as well, and of which nothing can be read.
    pub(crate) unreadable: BTreeMap<String, Unreadable>,
}

/// All modules that were applied, by name.
pub(crate) fn load(cx: &Context) -> Result<Known, Failure> {
    let mut known = Known::default();
    for row in cx.tables()?.rows(table(), Select::All)? {
        let name = row.get("module").unwrap_or_default().to_owned();
        match read(|column| row.get(column)) {
            Ok(installed) => drop(known.installed.insert(name, installed)),
            Err(why) => drop(known.unreadable.insert(name, Unreadable::of(cx, &row, &why)?)),
        }
    }
    Ok(known)
}

/// What is known of one of them now.
pub(crate) fn document(cx: &Context, name: &str) -> Result<Option<Document>, Failure> {
    let rows = cx.tables()?.rows(table(), Select::Keys(&[name]))?;
    let Some(row) = rows.first() else { return Ok(None) };
    match read(|column| row.get(column)) {
        Ok(installed) => Ok(Some(installed.document)),
        Err(why) => Err(Unreadable::of(cx, row, &why)?.failure()),
    }
}

/// Writes a document in place of the one with this serial, 0 if there was none; the new serial.
pub(crate) fn save(cx: &Context, document: &Document, serial: u64) -> Result<u64, Failure> {
    save_all(cx, &[(document, serial)])?;
    Ok(serial + 1)
}

/// The same of several: all of them, or none.
pub(crate) fn save_all(cx: &Context, documents: &[(&Document, u64)]) -> Result<(), Failure> {
    cx.tables()?.try_edit(&cx.origin(None), |edit| {
        documents.iter().try_for_each(|(document, serial)| put(edit, document, *serial))
    })
}

fn put(edit: &mut Edit<'_>, document: &Document, serial: u64) -> Result<(), Failure> {
    let name = document.name.as_str();
    let text = serde_json::to_string(document)
        .map_err(|error| Failure::refused(format!("cannot write the state of module {name}: {error}")))?;
    let status = if document.unfinished.is_some() { "partial" } else { "applied" };
    let now = edit.row(table(), &[name])?;
    if now.as_ref().map_or(0, |row| unreadable::serial(|column| row.get(column)).unwrap_or_default()) != serial {
        return Err(moved(name));
    }
    let version = document.labels.get("version").map_or("", String::as_str);
    let next = (serial + 1).to_string();
    let cells = [("version", version), ("status", status), ("serial", &next), ("state", &text)];
    edit.set(table(), &[name], &cells)?;
    Ok(())
}

/// Forgets a module.
pub(crate) fn forget(cx: &Context, name: &str) -> Result<(), Failure> {
    Ok(cx.tables()?.edit(&cx.origin(None), |edit| edit.delete(table(), Select::Keys(&[name])).map(drop))?)
}

/// What each module may know of the others.
pub(crate) fn shared(installed: &BTreeMap<String, Installed>, except: &str) -> Map<String, Value> {
    let others = installed.iter().filter(|(name, _)| *name != except);
    others.map(|(name, installed)| (name.clone(), installed.document.shared())).collect()
}

/// What its programs hear of them: only what it requires is its business, and is sent to its nodes.
pub(crate) fn required(installed: &BTreeMap<String, Installed>, manifest: &Manifest) -> Map<String, Value> {
    wanted(installed, manifest).map(|it| (it.document.name.clone(), it.document.shared())).collect()
}

/// The serials of the same: a plan is made of what these say.
pub(crate) fn serials(installed: &BTreeMap<String, Installed>, manifest: &Manifest) -> BTreeMap<String, u64> {
    wanted(installed, manifest).map(|it| (it.document.name.clone(), it.serial)).collect()
}

/// Those that a module requires, strong or weak.
fn wanted<'a>(
    installed: &'a BTreeMap<String, Installed>,
    manifest: &'a Manifest,
) -> impl Iterator<Item = &'a Installed> {
    let selectors = || manifest.requires.strong.iter().chain(&manifest.requires.weak);
    let is_wanted =
        move |it: &Document| it.name != manifest.name() && selectors().any(|selector| selector.matches(&it.labels));
    installed.values().filter(move |it| is_wanted(&it.document))
}

/// The cells of a row, or why they are no state of its module.
pub(super) fn read<'c>(cell: impl Fn(&str) -> Option<&'c str>) -> Result<Installed, String> {
    let name = cell("module").unwrap_or_default();
    let serial = unreadable::serial(&cell)?;
    let document: Document =
        serde_json::from_str(cell("state").unwrap_or_default()).map_err(|error| error.to_string())?;
    match document.name == name {
        true => Ok(Installed { serial, document }),
        false => Err(format!("it is of module {}", document.name)),
    }
}

/// Somebody else was quicker.
pub(crate) fn moved(name: &str) -> Failure {
    Failure::refused(format!("the state of module {name} has changed since"))
        .hint(format!("see what is to be done now: xcrane module plan {name}"))
}

fn table() -> &'static Table {
    schema::find("module").expect("table module is in the schema")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_plan_has_come_is_told() {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let why = |name: String| (name, "no space left".to_owned());
        let told = |done: &[&str], failed: &[&str], open: &[&str]| {
            let failed = all(failed).into_iter().map(why).collect();
            Unfinished { done: all(done), failed, open: all(open).into_iter().collect(), ..Unfinished::default() }
        };
        let some = told(&["n1", "n2"], &["n7"], &["n3", "n4"]);
        assert_eq!(some.told(), "done n[1-2], failed n7, open n[3-4]");
        assert!(some.is_behind("n7") && some.is_behind("n3") && !some.is_behind("n1") && !some.is_behind("n9"));
        assert_eq!(told(&[], &[""], &[]).told(), "failed");
        assert_eq!(told(&[""], &[], &[]).told(), "done");
        assert_eq!(told(&[], &[], &[]).told(), "nothing was left to do but to note its end");
    }

    #[test]
    fn what_an_older_version_has_written_is_read() {
        let text = r#"{"name":"m","labels":{},"targets":{"n1":1},"unfinished":{"plan":"p","done":["n1"]}}"#;
        let document: Document = serde_json::from_str(text).unwrap();
        assert_eq!((document.config, document.unfinished.unwrap().told()), (None, "done n1".to_owned()));
    }
}
