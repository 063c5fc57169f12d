//! What is known of modules, told.

use serde_json::json;

use crate::commands::Shape;
use crate::context::Context;
use crate::failure::Failure;
use crate::modules::contract::said;
use crate::modules::selector::Selector;
use crate::modules::site::Site;
use crate::modules::state::Document;
use crate::modules::{Module, yaml};
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};

pub(super) fn list(
    cx: &Context,
    site: &Site,
    shape: Shape,
    is_meant: impl Fn(&Module) -> bool,
) -> Result<Outcome, Failure> {
    for (name, module) in site.modules.all.iter().filter(|(_, module)| is_meant(module)) {
        let installed = site.installed.get(name);
        let status = match installed.map(|it| &it.document.unfinished) {
            None => "-",
            Some(None) => "applied",
            Some(Some(_)) => "partial",
        };
        let manifest = &module.manifest;
        let half = installed.and_then(|it| it.document.unfinished.as_ref()).map(|half| format!("({})", half.told()));
        let half = half.as_deref().unwrap_or_default();
        let words = [manifest.label("version"), manifest.label("kind"), status, half, manifest.label("short")];
        let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let data = json!({ "labels": manifest.labels, "status": status, "directory": module.directory });
        let body = Body::Answer(Answer { data: Some(data), ..Answer::line(said(&line)) });
        cx.ui.reply(shape.format(), Reply { node: Some(name.clone()), body });
    }
    cx.ui.finish_folding();
    Ok(Outcome::Done)
}

pub(super) fn info(cx: &Context, site: &Site, name: &str) -> Result<Outcome, Failure> {
    let module = site.find(name)?;
    let manifest = &module.manifest;
    match module.directory.as_os_str().is_empty() {
        true => cx.ui.line(&format!("{name}: built in")),
        false => cx.ui.line(&format!("{name}: {}", module.directory.display())),
    }
    manifest.labels.iter().for_each(|(key, value)| cx.ui.line(&said(&format!("    {key}={value}"))));
    manifest.requires.strong.iter().for_each(|selector| cx.ui.line(&format!("    requires {selector}")));
    manifest.requires.weak.iter().for_each(|selector| cx.ui.line(&format!("    would like {selector}")));
    manifest.influences.iter().for_each(|selector| cx.ui.line(&format!("    influences {selector}")));
    for (key, wanted) in &manifest.config {
        let default = wanted
            .default
            .as_ref()
            .map(|value| if wanted.secret { " [default: ******]".to_owned() } else { format!(" [default: {value}]") })
            .unwrap_or_default();
        let required = if wanted.required { ", required" } else { "" };
        cx.ui.line(&said(&format!("    config {key}: {} ({}{required}){default}", wanted.help, wanted.kind)));
    }
    for (method, run) in &manifest.methods {
        cx.ui.line(&format!("    method {method}: {}, at most {} s", run.way, run.limit));
    }
    Ok(Outcome::Done)
}

pub(super) fn graph(cx: &Context, site: &Site, names: Vec<String>) -> Result<Outcome, Failure> {
    let names = if names.is_empty() { site.modules.all.keys().cloned().collect() } else { names };
    let ordered = site.order(&names, true)?;
    for module in &ordered {
        let name = module.manifest.name();
        let there = |kind: &str, selectors: &[Selector]| {
            let met = selectors.iter().map(|selector| {
                let met = site.parts().into_iter().filter(|part| part.name != name && selector.matches(part.labels));
                let met: Vec<&str> = met.map(|part| part.name).collect();
                format!("    {kind} {selector}: {}", if met.is_empty() { "none".to_owned() } else { met.join(" ") })
            });
            met.collect::<Vec<_>>()
        };
        cx.ui.line(name);
        there("requires", &module.manifest.requires.strong).iter().for_each(|line| cx.ui.line(line));
        there("would like", &module.manifest.requires.weak).iter().for_each(|line| cx.ui.line(line));
        there("influences", &module.manifest.influences).iter().for_each(|line| cx.ui.line(line));
    }
    Ok(Outcome::Done)
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

fn shown(state: &impl serde::Serialize, is_yaml: bool) -> Result<String, String> {
    match is_yaml {
        true => yaml::write(state),
        false => serde_json::to_string_pretty(state).map_err(|error| error.to_string()),
    }
}
