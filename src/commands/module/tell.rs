//! What is known of modules, told.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::commands::Shape;
use crate::context::Context;
use crate::failure::Failure;
use crate::modules::contract::said;
use crate::modules::manifest::{Method, Run};
use crate::modules::schema::Key;
use crate::modules::selector::{Labels, Selector};
use crate::modules::site::Site;
use crate::modules::state::Document;
use crate::modules::{Module, yaml};
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// What is said of a module, for scripts.
#[derive(Serialize)]
struct Told<'a> {
    module: &'a str,
    answer: Value,
}

/// Says something of a module: lines under its name for people, an object for scripts.
pub(super) fn say(cx: &Context, format: Format, module: &str, lines: Vec<String>, answer: Value) {
    match (format, serde_json::to_string(&Told { module, answer })) {
        (Format::Json, Ok(text)) => cx.ui.line(&text),
        (format, _) => {
            let body = Body::Answer(Answer { lines, ..Answer::default() });
            cx.ui.reply(format, Reply { node: Some(module.to_owned()), body });
        }
    }
}

/// A failure beside answers that go on.
pub(super) fn complain(cx: &Context, format: Format, failure: Failure) {
    match format {
        Format::Json => cx.ui.reply(format, Reply { node: None, body: Body::Error(failure.message) }),
        Format::Lines | Format::Folded => cx.ui.error(&failure.message),
    }
    cx.ui.hints(&failure.hints);
}

pub(super) fn list(
    cx: &Context,
    site: &Site,
    shape: Shape,
    is_meant: impl Fn(&Labels) -> bool,
) -> Result<Outcome, Failure> {
    let gone = site.installed.values().map(|installed| &installed.document);
    let gone = gone.map(|document| (document.name.as_str(), (&document.labels, None)));
    let mut all: BTreeMap<&str, (&Labels, Option<&Path>)> = gone.collect();
    all.extend(site.modules.all.iter().map(|(name, module)| {
        let Module { manifest, directory } = module;
        (name.as_str(), (&manifest.labels, Some(directory.as_path())))
    }));
    for (name, (labels, directory)) in all.into_iter().filter(|(_, (labels, _))| is_meant(labels)) {
        let (status, label) = (site.status(name), |key: &str| labels.get(key).map_or("", String::as_str));
        let half = site.installed.get(name).and_then(|it| it.document.unfinished.as_ref());
        let half = half.map(|half| format!("({})", half.told())).unwrap_or_default();
        let other = site.applied_otherwise(name);
        let words = [label("version"), label("kind"), status, other.unwrap_or_default(), &half, label("short")];
        let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let mut data = json!({ "labels": labels, "status": status, "directory": directory });
        if let Some(version) = other {
            data["applied"] = json!(version);
        }
        say(cx, shape.format(), name, vec![said(&line)], data);
    }
    cx.ui.finish_folding();
    Ok(Outcome::Done)
}

pub(super) fn info(cx: &Context, site: &Site, name: &str, shape: Shape) -> Result<Outcome, Failure> {
    let module = site.find(name)?;
    if shape.format() == Format::Json {
        say(cx, Format::Json, name, Vec::new(), described(module));
        return Ok(Outcome::Done);
    }
    let manifest = &module.manifest;
    let line = |text: String| cx.ui.line(&said(&text));
    match module.is_builtin() {
        true => line(format!("{name}: built in")),
        false => line(format!("{name}: {}", module.directory.display())),
    }
    manifest.labels.iter().for_each(|(key, value)| line(format!("    {key}={value}")));
    manifest.requires.strong.iter().for_each(|selector| line(format!("    requires {selector}")));
    manifest.requires.weak.iter().for_each(|selector| line(format!("    would like {selector}")));
    manifest.influences.iter().for_each(|selector| line(format!("    influences {selector}")));
    manifest.at_once.iter().for_each(|number| line(format!("    changes {number} nodes at once")));
    for (key, wanted) in &manifest.config {
        let default = default(wanted).map(|default| format!(" [default: {default}]")).unwrap_or_default();
        let required = if wanted.required { ", required" } else { "" };
        line(format!("    config {key}: {} ({}{required}){default}", wanted.help, wanted.kind));
    }
    for (method, run) in &manifest.methods {
        line(format!("    method {method}: {}, at most {} s", run.way, run.limit));
    }
    Ok(Outcome::Done)
}

/// The same for scripts.
fn described(module: &Module) -> Value {
    let manifest = &module.manifest;
    let words = |selectors: &[Selector]| selectors.iter().map(ToString::to_string).collect::<Vec<_>>();
    let key = |(key, wanted): (&String, &Key)| {
        let described = json!({ "help": wanted.help, "type": wanted.kind.to_string(), "required": wanted.required,
            "default": default(wanted), "secret": wanted.secret });
        (key.clone(), described)
    };
    let method = |(method, run): (&Method, &Run)| {
        (method.name().to_owned(), json!({ "way": run.way.to_string(), "limit": run.limit }))
    };
    json!({
        "directory": module.directory,
        "labels": manifest.labels,
        "requires": { "strong": words(&manifest.requires.strong), "weak": words(&manifest.requires.weak) },
        "influences": words(&manifest.influences),
        "at_once": manifest.at_once,
        "config": manifest.config.iter().map(key).collect::<Map<_, _>>(),
        "methods": manifest.methods.iter().map(method).collect::<Map<_, _>>(),
    })
}

/// A key's default as it may be shown.
fn default(wanted: &Key) -> Option<String> {
    let default = wanted.default.as_ref()?;
    Some(if wanted.secret { "******".to_owned() } else { default.to_string() })
}

pub(super) fn state(cx: &Context, site: &Site, name: Option<&str>, yaml: bool) -> Result<Outcome, Failure> {
    let chosen = site.installed.values().filter(|installed| name.is_none_or(|name| name == installed.document.name));
    let documents: Vec<&Document> = chosen.map(|installed| &installed.document).collect();
    let shown = match (name, documents.as_slice()) {
        (Some(_), [document]) => shown(document, yaml),
        (Some(name), _) => return Err(Failure::refused(format!("module {name} was not applied"))),
        (None, all) => shown(&all, yaml),
    };
    let shown = shown.map_err(|why| Failure::refused(format!("cannot show the state: {why}")))?;
    cx.ui.line(shown.trim_end());
    Ok(Outcome::Done)
}

fn shown(state: &impl Serialize, is_yaml: bool) -> Result<String, String> {
    match is_yaml {
        true => yaml::write(state),
        false => serde_json::to_string_pretty(state).map(|text| escaped(&text)).map_err(|error| error.to_string()),
    }
}

/// JSON writes out the control characters below the space and leaves the others, which may be orders to a terminal as well. They
/// stand in strings only, where the same may be written so.
fn escaped(json: &str) -> String {
    let is_order = |letter: char| letter.is_control() && letter != '\n';
    json.chars()
        .map(|letter| if is_order(letter) { format!("\\u{:04x}", u32::from(letter)) } else { letter.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_gives_the_terminal_no_orders_and_is_read_as_it_was() {
        let state = json!({ "a": "\u{1b}[2J\u{9b}2J\u{7f}é" });
        let text = shown(&state, false).unwrap();
        assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text}");
        assert!(text.contains(r"\u009b2J\u007fé"), "{text}");
        assert_eq!(yaml::read::<Value>(&text).unwrap(), state);
    }
}
