//! What makes a plan one of yesterday: it is carried out only in the world that it was made for.

use std::collections::BTreeMap;

use super::config::Config;
use super::plan::{Part, Plan, digest};
use super::program;
use super::site::{Ready, Site};
use super::state;
use crate::failure::Failure;

/// Refuses a part for which the world has moved on since its plan was made. What this very plan has done is no news to it.
pub(crate) fn refuse(site: &Site, plan: &Plan, part: &Part, ready: &Ready<'_>) -> Result<(), Failure> {
    let module = ready.module;
    let installed = site.known(&part.module)?;
    let begun = installed.and_then(|it| it.document.unfinished.as_ref()).is_some_and(|it| it.plan == plan.id);
    let done = installed.is_some_and(|it| it.document.finished.as_deref() == Some(&plan.id));
    let config = Config::read(&site.home, module)?;
    let mut moved = made_otherwise(part, module.manifest.label("version"), &digest(&config.text));
    if moved.is_none() && !done {
        moved = program::changed(&module.manifest, &part.files, &program::files(&module.directory)?, begun);
    }
    if moved.is_none() && !begun && !done && installed.map_or(0, |it| it.serial) != part.serial {
        moved = Some("its state was changed".to_owned());
    }
    if moved.is_none() && !done {
        moved = elsewhere(&part.nodes, &ready.meant);
    }
    if moved.is_none() && !done {
        moved = required(plan, part, &state::serials(&site.installed, &module.manifest));
    }
    moved.map_or(Ok(()), |what| Err(old(part, &what)))
}

/// Refuses what a part has become in its turn if it is of another config, version or program than the plan.
pub(crate) fn refuse_other(site: &Site, part: &Part, now: &Part) -> Result<(), Failure> {
    let manifest = &site.find(&part.module)?.manifest;
    let other = made_otherwise(part, &now.version, &now.digest)
        .or_else(|| program::changed(manifest, &part.files, &now.files, false));
    other.map_or(Ok(()), |what| Err(old(part, &what)))
}

/// Refuses a part when the text of its config is another one now.
pub(crate) fn refuse_other_config(part: &Part, config: &Config) -> Result<(), Failure> {
    other_config(part, &digest(&config.text)).map_or(Ok(()), |what| Err(old(part, &what)))
}

/// What became of the nodes: a plan is for those that were asked, where they were then.
fn elsewhere(then: &BTreeMap<String, Option<String>>, now: &BTreeMap<String, Option<String>>) -> Option<String> {
    let moved = then.iter().find_map(|(name, address)| match now.get(name) {
        None => Some(format!("{name} has gone from its nodes")),
        Some(now) if now != address => Some(format!("{name} has got another address")),
        Some(_) => None,
    });
    let new = || now.keys().find(|name| !then.contains_key(*name));
    moved.or_else(|| new().map(|name| format!("{name} has come to its nodes")))
}

fn made_otherwise(part: &Part, version: &str, digest: &str) -> Option<String> {
    if version != part.version {
        return Some(format!("the module went from version {} to {version}", part.version));
    }
    other_config(part, digest)
}

fn other_config(part: &Part, digest: &str) -> Option<String> {
    (digest != part.digest).then(|| "its config was changed".to_owned())
}

/// What became of those that it requires, but for those that the plan itself applies.
fn required(plan: &Plan, part: &Part, now: &BTreeMap<String, u64>) -> Option<String> {
    let is_other = |name: &&String| plan.parts.iter().all(|part| part.module != **name);
    let changed = part.required.iter().filter(|(name, _)| is_other(name)).find_map(|(name, serial)| {
        let what = match now.get(name) {
            None => "was removed",
            Some(now) if now != serial => "was changed",
            Some(_) => return None,
        };
        Some(format!("the state of module {name}, which it requires, {what}"))
    });
    let new = || now.keys().filter(is_other).find(|name| !part.required.contains_key(*name));
    changed.or_else(|| new().map(|name| format!("module {name}, whose state it hears, was applied")))
}

/// A plan that has to be made again.
pub(crate) fn old(part: &Part, what: &str) -> Failure {
    Failure::refused(format!("the plan for module {} is old: {what} since it was made", part.module))
        .hint(format!("see what is to be done now: xcrane module plan {}", part.module))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, required: &[(&str, u64)]) -> Part {
        let required: BTreeMap<&str, u64> = required.iter().copied().collect();
        let text = serde_json::json!({
            "module": name, "version": "1.0", "serial": 1, "digest": "d",
            "files": {}, "required": required, "config": {}, "units": []
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn states_of_those_that_it_requires_outdate_it_unless_its_own_plan_has_changed_them() {
        let made = crate::modules::kept::Made { by: "ada".into(), at: "then".into() };
        let queue = part("queue", &[("base", 3), ("disk", 7)]);
        let plan = Plan::of(vec![part("base", &[]), queue.clone()], made).unwrap();
        let check = |now: &[(&str, u64)], expected: Option<&str>| {
            let now = now.iter().map(|(name, serial)| ((*name).to_owned(), *serial)).collect();
            assert_eq!(required(&plan, &queue, &now).as_deref(), expected);
        };
        check(&[("base", 3), ("disk", 7)], None);
        check(&[("base", 5), ("disk", 7)], None);
        check(&[("base", 3), ("disk", 8)], Some("the state of module disk, which it requires, was changed"));
        check(&[("base", 3)], Some("the state of module disk, which it requires, was removed"));
        check(&[("base", 3), ("disk", 7), ("time", 1)], Some("module time, whose state it hears, was applied"));
    }

    #[test]
    fn nodes_that_come_go_and_move_outdate_it() {
        let nodes = |nodes: &[(&str, &str)]| {
            nodes.iter().map(|(name, address)| ((*name).to_owned(), Some((*address).to_owned()))).collect()
        };
        let then: BTreeMap<_, _> = nodes(&[("n1", "10.0.0.1"), ("n2", "10.0.0.2")]);
        let check = |now: &[(&str, &str)], expected: Option<&str>| {
            assert_eq!(elsewhere(&then, &nodes(now)).as_deref(), expected);
        };
        check(&[("n1", "10.0.0.1"), ("n2", "10.0.0.2")], None);
        check(&[("n1", "10.0.0.1")], Some("n2 has gone from its nodes"));
        check(&[("n1", "10.0.0.2"), ("n2", "10.0.0.2")], Some("n1 has got another address"));
        check(&[("n1", "10.0.0.1"), ("n2", "10.0.0.2"), ("n3", "10.0.0.3")], Some("n3 has come to its nodes"));
    }

    #[test]
    fn another_version_or_config_is_told() {
        let part = part("queue", &[]);
        assert_eq!(made_otherwise(&part, "1.0", "d"), None);
        assert_eq!(made_otherwise(&part, "1.1", "d").as_deref(), Some("the module went from version 1.0 to 1.1"));
        assert_eq!(made_otherwise(&part, "1.0", "e").as_deref(), Some("its config was changed"));
    }
}
