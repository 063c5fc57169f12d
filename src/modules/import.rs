//! Documents of states, taken back: one of them, or what `module state` prints of all. They are taken as if their modules had
//! said them; one that cannot be a state of its module refuses them all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::site::Site;
use super::state::{self, Document};
use super::{manifest, yaml};
use crate::context::Context;
use crate::failure::Failure;

/// The documents of a text: one, a list of them, or a map of them by name. With a name there is one, which is of that module.
pub(crate) fn read(text: &str, name: Option<&str>) -> Result<Vec<Document>, String> {
    let said: Value = yaml::read(text).map_err(|why| format!("it is neither JSON nor YAML: {why}"))?;
    let documents = match said {
        Value::Array(documents) => documents,
        Value::Object(map) if map.contains_key("labels") => vec![Value::Object(map)],
        Value::Object(map) => named(map.into_iter())?,
        _ => return Err("it is no document of a state, and no list of them".into()),
    };
    let document = |(place, value): (usize, Value)| {
        let whose = match value.get("name").and_then(Value::as_str) {
            Some(name) => format!("the state of module {name}"),
            None => format!("document {}", place + 1),
        };
        serde_json::from_value::<Document>(value).map_err(|error| format!("{whose} is none: {error}"))
    };
    let documents: Vec<Document> = documents.into_iter().enumerate().map(document).collect::<Result<_, _>>()?;
    let mut seen = BTreeSet::new();
    if let Some(twice) = documents.iter().find(|document| !seen.insert(document.name.as_str())) {
        return Err(format!("it has two states of module {}", twice.name));
    }
    match (name, documents.as_slice()) {
        (_, []) => Err("it has no state of a module".into()),
        (None, _) => Ok(documents),
        (Some(name), [document]) if document.name == name => Ok(documents),
        (Some(name), [document]) => Err(format!("it is the state of module {}, not of {name}", document.name)),
        (Some(name), all) => Err(format!("it has the states of {} modules, not that of {name}", all.len())),
    }
}

/// Each under the name that it has itself.
fn named(map: impl Iterator<Item = (String, Value)>) -> Result<Vec<Value>, String> {
    let fits = |(key, value): (String, Value)| match value.get("name").and_then(Value::as_str) {
        Some(name) if name == key => Ok(value),
        Some(name) => Err(format!("under {key} it has the state of module {name}")),
        None => Err(format!("under {key} it has no state of a module")),
    };
    map.map(fits).collect()
}

/// Why one of them cannot be the state of its module: others choose a module by the labels of its state.
pub(crate) fn refuse(site: &Site, documents: &[Document]) -> Option<String> {
    documents.iter().find_map(|document| {
        let manifest = site.modules.all.get(&document.name).map(|module| &module.manifest);
        unfit(document, manifest.map(|manifest| &manifest.labels))
    })
}

fn unfit(document: &Document, known: Option<&BTreeMap<String, String>>) -> Option<String> {
    let name = &document.name;
    if !manifest::is_name(name) {
        return Some(format!("'{name}' is no name of a module"));
    }
    if document.labels.get("name") != Some(name) {
        let label = document.labels.get("name").map_or("none", String::as_str);
        return Some(format!("the state of module {name} has the label name {label}"));
    }
    let version = document.labels.get("version").map_or("", String::as_str);
    if super::version::parse(version).is_none() {
        return Some(format!("the state of module {name} has the label version '{version}', which is no version"));
    }
    // Of another version anything else may differ.
    let known = known.filter(|known| known.get("version").is_some_and(|it| it == version))?;
    let keys: BTreeSet<&String> = known.keys().chain(document.labels.keys()).collect();
    let wrong = keys.into_iter().find(|key| known.get(*key) != document.labels.get(*key))?;
    let word = |labels: &BTreeMap<String, String>| labels.get(wrong).cloned().unwrap_or_else(|| "none".into());
    Some(format!(
        "the state of module {name} {version} has the label {wrong} {}, and the module has {}",
        word(&document.labels),
        word(known)
    ))
}

/// Puts them in place of what is known.
pub(crate) fn save(cx: &Context, site: &Site, documents: &[Document]) -> Result<(), Failure> {
    let all: Vec<(&Document, u64)> = documents.iter().map(|document| (document, site.serial(&document.name))).collect();
    state::save_all(cx, &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str) -> String {
        format!(r#"{{"name":"{name}","labels":{{"name":"{name}","version":"1.0","kind":"store"}},"state":1}}"#)
    }

    #[test]
    fn one_or_many_in_any_form_that_state_prints() {
        let (a, b) = (document("a"), document("b"));
        let names = |text: &str, name: Option<&str>| {
            read(text, name).map(|all| all.into_iter().map(|one| one.name).collect::<Vec<_>>().join(" "))
        };
        let check = |text: &str, expected: &str| {
            assert_eq!(names(text, None), Ok(expected.to_owned()));
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(names(&yaml::write(&value).unwrap(), None), Ok(expected.to_owned()));
        };
        check(&a, "a");
        check(&format!("[{a},{b}]"), "a b");
        check(&format!(r#"{{"a":{a},"b":{b}}}"#), "a b");
        let refused = |text: &str, name: Option<&str>, expected: &str| {
            assert_eq!(names(text, name), Err(expected.to_owned()));
        };
        refused("[]", None, "it has no state of a module");
        refused("3", None, "it is no document of a state, and no list of them");
        refused(&format!("[{a},{a}]"), None, "it has two states of module a");
        refused(&format!(r#"{{"a":{b}}}"#), None, "under a it has the state of module b");
        refused(&b, Some("a"), "it is the state of module b, not of a");
        refused(&format!("[{a},{b}]"), Some("a"), "it has the states of 2 modules, not that of a");
        assert!(
            read(r#"[{"name":"a","labels":{},"moon":1}]"#, None).unwrap_err().contains("the state of module a is none")
        );
        assert_eq!(names(&format!("[{a}]"), Some("a")), Ok("a".to_owned()));
    }

    #[test]
    fn what_cannot_be_the_state_of_its_module_is_told() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let known = labels(&[("name", "a"), ("version", "1.0"), ("kind", "store")]);
        let check = |pairs: &[(&str, &str)], expected: Option<&str>| {
            let mut one: Document = serde_json::from_str(&document("a")).unwrap();
            one.labels = labels(pairs);
            assert_eq!(unfit(&one, Some(&known)).as_deref(), expected);
        };
        check(&[("name", "a"), ("version", "1.0"), ("kind", "store")], None);
        // What was applied before the module got a new version is its state still.
        check(&[("name", "a"), ("version", "0.9"), ("kind", "box")], None);
        let kind = "the state of module a 1.0 has the label kind box, and the module has store";
        check(&[("name", "a"), ("version", "1.0"), ("kind", "box")], Some(kind));
        check(&[("name", "b"), ("version", "1.0")], Some("the state of module a has the label name b"));
        let version = "the state of module a has the label version 'new', which is no version";
        check(&[("name", "a"), ("version", "new")], Some(version));
    }
}
