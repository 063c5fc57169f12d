//! Several modules as one plan. One that cannot say what it would do before another is applied is planned when that is done.

use std::collections::BTreeSet;

use super::Module;
use super::kept::Made;
use super::plan::{Deferred, Part, Plan, part};
use super::site::Site;
use crate::context::Context;
use crate::failure::Failure;

/// What all of them would do, in their order.
pub(crate) async fn plan(cx: &Context, site: &Site, modules: &[&Module], made: Made) -> Result<Plan, Failure> {
    let mut parts: Vec<Part> = Vec::new();
    for (place, module) in modules.iter().enumerate() {
        let part = part(cx, site, module).await?;
        let part = waiting(&modules[..place], &parts, module, part).map_err(|failure| hinted(site, module, failure))?;
        parts.push(part);
    }
    Plan::of(parts, made)
}

/// A part that cannot be said yet waits for those before it that it requires and that do something.
fn waiting(before: &[&Module], parts: &[Part], module: &Module, part: Part) -> Result<Part, Failure> {
    let Some(Deferred { why, .. }) = &part.deferred else { return Ok(part) };
    let required = required(before, module);
    let changed = parts.iter().filter(|part| !part.is_empty() && required.contains(part.module.as_str()));
    let until: Vec<String> = changed.map(|part| part.module.clone()).collect();
    match until.is_empty() {
        true => part.settled(),
        false => Ok(Part { deferred: Some(Deferred { why: why.clone(), until }), ..part }),
    }
}

/// Those that it requires, and what these do.
pub(crate) fn required<'m>(before: &[&'m Module], module: &'m Module) -> BTreeSet<&'m str> {
    let mut required = BTreeSet::new();
    let mut open = vec![module];
    while let Some(module) = open.pop() {
        let is_wanted =
            |other: &&&Module| module.manifest.requires.strong.iter().any(|it| it.matches(&other.manifest.labels));
        open.extend(before.iter().filter(is_wanted).filter(|other| required.insert(other.manifest.name())));
    }
    required
}

fn hinted(site: &Site, module: &Module, failure: Failure) -> Failure {
    let name = module.manifest.name();
    let strong = &module.manifest.requires.strong;
    let parts = site.parts();
    let wanted = parts.iter().filter(|part| part.name != name && strong.iter().any(|it| it.matches(part.labels)));
    let wanted: Vec<&str> = wanted.map(|part| part.name).collect();
    match wanted.is_empty() {
        true => failure,
        false => failure.hint(format!("plan it with what it requires: xcrane module plan {} {name}", wanted.join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;
    use crate::modules::contract::Change;
    use crate::modules::manifest::Manifest;
    use crate::modules::plan::Unit;

    fn module(name: &str, requires: &str) -> Module {
        let methods = ["metadata", "init", "plan", "apply", "audit"]
            .map(|it| format!("{it} = {{ way = 'ansible', program = 'x' }}\n"));
        let strong = if requires.is_empty() { String::new() } else { format!("['name eq {requires}']") };
        let text = format!(
            "targets = 'nodes'\n[labels]\nname = '{name}'\nversion = '1'\n[requires]\nstrong = [{strong}]\n\
             [config.nodes]\ntype = 'noderange'\nhelp = 'x'\n[methods]\n{}",
            methods.concat()
        );
        Module { directory: PathBuf::new(), manifest: Manifest::read(&text).unwrap() }
    }

    fn part(name: &str, changes: usize, deferred: Option<&str>) -> Part {
        let change = Change { what: "x".into(), from: None, to: None };
        Part {
            module: name.into(),
            version: "1".into(),
            serial: 0,
            digest: String::new(),
            files: BTreeMap::new(),
            required: BTreeMap::new(),
            config: serde_json::Map::new(),
            nodes: BTreeMap::new(),
            units: vec![Unit { target: "n1".into(), changes: vec![change; changes] }],
            missing: BTreeMap::new(),
            left: Vec::new(),
            deferred: deferred.map(|why| Deferred { why: why.into(), until: Vec::new() }),
        }
    }

    #[test]
    fn it_waits_for_what_it_requires_and_what_changes_and_for_nobody_else() {
        let (engine, other, network, guests) =
            (module("engine", ""), module("other", ""), module("network", "engine"), module("guests", "network"));
        let before = [&engine, &other, &network];
        let until = |changes: usize, network: Part| {
            let parts = [part("engine", changes, None), part("other", 1, None), network];
            let part = waiting(&before, &parts, &guests, part("guests", 0, Some("no engine")));
            part.map(|part| part.deferred.unwrap().until)
        };
        assert_eq!(until(1, part("network", 0, None)).unwrap(), ["engine"]);
        assert_eq!(until(1, part("network", 0, Some("no engine"))).unwrap(), ["engine", "network"]);
        let alone = until(0, part("network", 0, None)).unwrap_err();
        assert_eq!(alone.message, "module guests cannot be planned: no engine");
    }
}
