//! How modules stand to each other, drawn: those that can be applied in their order, then the others and why they cannot.

use serde_json::{Value, json};

use super::tell;
use crate::commands::Shape;
use crate::context::Context;
use crate::failure::Failure;
use crate::modules::order::Part;
use crate::modules::selector::Selector;
use crate::modules::site::Site;
use crate::modules::words::said;
use crate::outcome::Outcome;
use crate::ui::Format;

pub(super) fn graph(cx: &Context, site: &Site, names: Vec<String>, shape: Shape) -> Result<Outcome, Failure> {
    let (picture, why) = site.picture(&names)?;
    let parts = site.parts();
    for name in picture.order.iter().chain(&picture.stuck) {
        let is_stuck = picture.stuck.contains(name);
        let edges = edges(site, &parts, name);
        match shape.format() {
            Format::Json => tell::say(cx, Format::Json, name, Vec::new(), data(site, name, is_stuck, &edges)),
            Format::Lines | Format::Folded => {
                let words = [site.status(name), if is_stuck { "cannot be applied" } else { "-" }];
                let words: Vec<&str> = words.into_iter().filter(|word| *word != "-").collect();
                let words = if words.is_empty() { String::new() } else { format!(": {}", words.join("; ")) };
                cx.ui.line(&format!("{name}{words}"));
                edges.iter().for_each(|edge| cx.ui.line(&said(&format!("    {}", edge.shown()))));
            }
        }
    }
    let Some(why) = why else { return Ok(Outcome::Done) };
    tell::complain(cx, shape.format(), why);
    Ok(Outcome::SomeFailed)
}

/// Which others a module means by one of its selectors.
struct Edge {
    kind: &'static str,
    selector: String,
    modules: Vec<String>,
}

impl Edge {
    fn shown(&self) -> String {
        let modules = if self.modules.is_empty() { "none".to_owned() } else { self.modules.join(" ") };
        format!("{} {}: {modules}", self.kind, self.selector)
    }
}

/// What a module says of others; of one whose directory is gone it is known what it requires.
fn edges(site: &Site, parts: &[Part<'_>], name: &str) -> Vec<Edge> {
    let edges = |kind: &'static str, selectors: &[Selector]| {
        let edge = |selector: &Selector| {
            let met = parts.iter().filter(|part| part.serves(name, selector)).map(|part| part.name.to_owned());
            Edge { kind, selector: selector.to_string(), modules: met.collect() }
        };
        selectors.iter().map(edge).collect::<Vec<_>>()
    };
    match (site.modules.all.get(name).map(|module| &module.manifest), site.installed.get(name)) {
        (Some(manifest), _) => {
            let mut all = edges("requires", &manifest.requires.strong);
            all.extend(edges("would like", &manifest.requires.weak));
            all.extend(edges("influences", &manifest.influences));
            all
        }
        (None, Some(installed)) => edges("requires", &installed.document.strong),
        (None, None) => Vec::new(),
    }
}

fn data(site: &Site, name: &str, is_stuck: bool, edges: &[Edge]) -> Value {
    let of = |kind: &str| {
        let edges = edges.iter().filter(|edge| edge.kind == kind);
        edges.map(|edge| json!({ "selector": edge.selector, "modules": edge.modules })).collect::<Vec<_>>()
    };
    json!({
        "status": site.status(name),
        "can_be_applied": !is_stuck,
        "requires": of("requires"),
        "would_like": of("would like"),
        "influences": of("influences"),
    })
}
