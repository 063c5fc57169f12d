//! What is known of modules, told.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use crate::commands::Shape;
use crate::context::Context;
use crate::failure::Failure;
use crate::modules::selector::{Labels, Selector};
use crate::modules::site::Site;
use crate::modules::state::Document;
use crate::modules::words::said;
use crate::modules::{Module, refusal, yaml};
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

pub(super) fn list(cx: &Context, site: &Site, shape: Shape, wanted: Option<&Selector>) -> Result<Outcome, Failure> {
    let (gone, none) = (site.installed.values().map(|installed| &installed.document), Labels::new());
    let gone = gone.map(|document| (document.name.as_str(), (&document.labels, None)));
    let unreadable = site.unreadable.keys().map(|name| (name.as_str(), (&none, None)));
    let mut all: BTreeMap<&str, (&Labels, Option<&Path>)> = gone.chain(unreadable).collect();
    all.extend(site.modules.all.iter().map(|(name, module)| {
        let Module { manifest, directory } = module;
        (name.as_str(), (&manifest.labels, Some(directory.as_path())))
    }));
    all.retain(|_, (labels, _)| wanted.is_none_or(|wanted| wanted.matches(labels)));
    for (name, (labels, directory)) in all {
        let (status, label) = (site.status(name), |key: &str| labels.get(key).map_or("", String::as_str));
        let half = site.installed.get(name).and_then(|it| it.document.unfinished.as_ref());
        let half = half.map(|half| format!("({})", half.told())).unwrap_or_default();
        let other = site.applied_otherwise(name);
        let words = [label("version"), label("kind"), status, other.unwrap_or_default(), &half, label("short")];
        let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let mut lines = vec![said(&line)];
        let mut data = json!({ "labels": labels, "status": status, "directory": directory });
        if let Some(version) = other {
            data["applied"] = json!(version);
        }
        // Who searches looks for one to be applied.
        let obstacle = wanted.and_then(|_| refusal::obstacle(site, name));
        if let Some(why) = obstacle {
            lines.push(said(&format!("cannot be applied: {why}")));
            data["cannot_be_applied"] = json!(why);
        }
        say(cx, shape.format(), name, lines, data);
    }
    cx.ui.finish_folding();
    let is_lacking = complain_of_unreadable(cx, site, shape.format());
    Ok(if is_lacking { Outcome::SomeFailed } else { Outcome::Done })
}

/// States that cannot be read, each with what mends it; whether there are any.
fn complain_of_unreadable(cx: &Context, site: &Site, format: Format) -> bool {
    site.unreadable.values().for_each(|unreadable| complain(cx, format, unreadable.failure()));
    !site.unreadable.is_empty()
}

pub(super) fn state(cx: &Context, site: &Site, name: Option<&str>, yaml: bool) -> Result<Outcome, Failure> {
    let is_lacking = match name {
        Some(name) => site.known(name)?.is_none(),
        None => complain_of_unreadable(cx, site, Format::Lines),
    };
    let chosen = site.installed.values().filter(|installed| name.is_none_or(|name| name == installed.document.name));
    let documents: Vec<&Document> = chosen.map(|installed| &installed.document).collect();
    let shown = match (name, documents.as_slice()) {
        (Some(_), [document]) => shown(document, yaml),
        (Some(name), _) => return Err(Failure::refused(format!("module {name} was not applied"))),
        (None, all) => shown(&all, yaml),
    };
    let shown = shown.map_err(|why| Failure::refused(format!("cannot show the state: {why}")))?;
    cx.ui.line(shown.trim_end());
    Ok(if is_lacking { Outcome::SomeFailed } else { Outcome::Done })
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
