//! A config to begin with, or brought up to date: what the module proposes, in words, and what the node table fills in; what
//! somebody has edited is never lost.

use std::collections::BTreeSet;
use std::path::PathBuf;

use plugins::is_container;
use serde_json::{Map, Value};
use tables::Node;
use tables::noderange::fold;

use super::Module;
use super::config::{self, Config};
use super::contract::{Proposal, said};
use super::manifest::Method;
use super::merge::{Merged, merged};
use super::plan::write_private;
use super::run::Call;
use super::schema::{self, Key, Type};
use super::secrets::Secrets;
use super::site::Site;
use crate::context::Context;
use crate::failure::Failure;

/// What became of the file.
#[derive(Debug)]
pub(crate) struct Init {
    pub(crate) file: PathBuf,
    pub(crate) done: Done,
    /// Keys that somebody has edited and that were left so, and what would be otherwise.
    pub(crate) kept: Option<Edited>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Written,
    /// It was there, and nothing of it is otherwise.
    Same,
    /// It was there, and this is otherwise now.
    Changed(String),
}

#[derive(Debug)]
pub(crate) struct Edited {
    /// None where the text cannot be read: all of it was kept.
    pub(crate) keys: Vec<String>,
    pub(crate) diff: String,
}

/// Writes the config of a module. What somebody has edited stays, unless `force` writes over it. What is proposed is kept beside
/// it, so that the next time it is known what was edited.
pub(crate) async fn init(cx: &Context, site: &Site, module: &Module, force: bool) -> Result<Init, Failure> {
    let name = module.manifest.name();
    let schema = &module.manifest.config;
    let old = Config::read(&site.home, module)?;
    let base = Config::proposed(&site.home, module)?;
    // What has a wrong value cannot be asked about; the module then proposes as if there were nothing.
    let known = old.values(module).unwrap_or_default();
    let secrets = Secrets::of(schema, &known);
    let ready = site.ready(cx, module, known.clone())?;
    let request = ready.request(Method::Init, super::WHOLE, &[]);
    let call = Call { module, method: Method::Init, request: &request, secrets: &secrets };
    let said = call.carry_out::<Proposal>(cx, None).await?;
    let chosen = if force { unedited(&known, &base.values(module).unwrap_or_default()) } else { known };
    let proposed = filled(cx, site, module, &chosen, said.config)?;
    warn_of_ranges(cx, module, &proposed);
    let new =
        config::written(schema, &proposed).map_err(|why| Failure::refused(format!("init of module {name}: {why}")))?;
    let masked = |diff: String| secrets.mask(&Secrets::of(schema, &proposed).mask_config(&diff));
    // What is lacking has no line, and can be added.
    let is_readable = schema::check(schema, &old.text).iter().all(|problem| problem.line == 0);
    let Merged { text, kept } = match (old.text.is_empty() || force, is_readable) {
        (true, _) => Merged { text: new.clone(), kept: Vec::new() },
        (false, true) => merged(schema, &base.text, &old.text, &new)
            .map_err(|why| Failure::refused(format!("cannot read {}: {why}", old.file.display())))?,
        (false, false) => Merged { text: old.text.clone(), kept: Vec::new() },
    };
    let write = |config: &Config, text: &str| {
        write_private(&config.file, text.as_bytes())
            .map_err(|error| Failure::refused(format!("cannot write {}: {error}", config.file.display())))
    };
    let done = match (old.text.is_empty(), old.text == text) {
        (false, true) => Done::Same,
        (true, _) => Done::Written,
        (false, false) => Done::Changed(masked(old.diff(&text))),
    };
    // First what people have: where this ends between the two, what was brought up to date counts as edited.
    if done != Done::Same {
        write(&old, &text)?;
    }
    if base.text != new {
        write(&base, &new)?;
    }
    let is_kept = !kept.is_empty() || (!is_readable && !force);
    let now = Config { text, ..old };
    let kept = is_kept.then(|| Edited { keys: kept, diff: masked(now.diff(&new)) });
    Ok(Init { file: now.file, done, kept })
}

/// A module may propose nodes that no site but its author's has: that is said now, and not only by the first plan.
fn warn_of_ranges(cx: &Context, module: &Module, proposed: &Map<String, Value>) {
    let is_range = |key: &str| module.manifest.config.get(key).is_some_and(|wanted| wanted.kind == Type::Noderange);
    let name = module.manifest.name();
    for (key, value) in proposed.iter().filter(|(key, _)| is_range(key)) {
        let range = value.as_str().unwrap_or_default();
        if let Err(failure) = cx.nodes(range) {
            cx.ui.warning(&said(&format!(
                "init of module {name} proposes {key} that are not here: {}",
                failure.message
            )));
        }
    }
}

/// What is still as it was proposed.
fn unedited(known: &Map<String, Value>, base: &Map<String, Value>) -> Map<String, Value> {
    let same = known.iter().filter(|(key, value)| base.get(*key) == Some(*value));
    same.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// All nodes there are.
const EVERY: &str = "/.*";

/// What the module proposes, and of the rest what its config says is to be filled in: free nodes, and addresses of nodes. What
/// somebody has chosen before stays chosen.
pub(super) fn filled(
    cx: &Context,
    site: &Site,
    module: &Module,
    known: &Map<String, Value>,
    mut proposed: Map<String, Value>,
) -> Result<Map<String, Value>, Failure> {
    let schema = &module.manifest.config;
    // No nodes at all are no proposal: the config then says that some are needed.
    let is_range = |key: &str| schema.get(key).is_some_and(|wanted| wanted.kind == Type::Noderange);
    proposed.retain(|key, value| !(is_range(key) && value.as_str().is_some_and(str::is_empty)));
    let mut taken = None;
    for (key, wanted) in schema.iter().filter(|(_, wanted)| wanted.choose > 0 || wanted.everywhere) {
        if proposed.contains_key(key) {
            continue;
        }
        if wanted.everywhere {
            let range = all(cx, wanted).map(Value::from).or_else(|| known.get(key).cloned());
            proposed.extend(range.map(|range| (key.clone(), range)));
            continue;
        }
        if let Some(chosen) = known.get(key) {
            proposed.insert(key.clone(), chosen.clone());
            continue;
        }
        if taken.is_none() {
            taken = Some(site.chosen(cx, module.manifest.name()));
        }
        let taken = taken.as_mut().expect("set above");
        if let Some(range) = chosen(cx, module, key, wanted, taken)? {
            proposed.insert(key.clone(), range.into());
        }
    }
    for (key, of) in schema.iter().filter_map(|(key, wanted)| Some((key, wanted.addresses.as_ref()?))) {
        let range = proposed.get(of).and_then(Value::as_str).filter(|range| !range.is_empty());
        let (Some(range), false) = (range, proposed.contains_key(key)) else { continue };
        // A range that the tables do not know yet is what its own key is about.
        let nodes = cx.nodes(range).unwrap_or_default();
        let addresses: Vec<Value> = nodes.iter().map(|node| node.get("ip").unwrap_or(node.name()).into()).collect();
        if !addresses.is_empty() {
            proposed.insert(key.clone(), addresses.into());
        }
    }
    Ok(proposed)
}

/// All nodes that can be worked on; none are no proposal.
fn all(cx: &Context, wanted: &Key) -> Option<String> {
    let nodes = cx.nodes(wanted.from.as_deref().unwrap_or(EVERY)).unwrap_or_default();
    let names: Vec<&str> = nodes.iter().filter(|node| is_machine(node)).map(Node::name).collect();
    (!names.is_empty()).then(|| fold(names))
}

fn is_machine(node: &Node) -> bool {
    !is_container(node) && node.get("ip").is_some()
}

/// So many nodes that no module works on; a word where there are fewer.
fn chosen(
    cx: &Context,
    module: &Module,
    key: &str,
    wanted: &Key,
    taken: &mut BTreeSet<String>,
) -> Result<Option<String>, Failure> {
    let from = wanted.from.as_deref().unwrap_or(EVERY);
    // No nodes at all is no error here: the config then says so.
    let nodes = cx.nodes(from).unwrap_or_default();
    let is_free = |node: &&Node| is_machine(node) && !taken.contains(node.name());
    let free: Vec<String> =
        nodes.iter().filter(is_free).take(wanted.choose).map(|node| node.name().to_owned()).collect();
    if free.len() < wanted.choose {
        let (name, from) = (module.manifest.name(), wanted.from.as_deref().unwrap_or("the node table"));
        cx.ui.warning(&format!(
            "{key} of module {name} takes {} free nodes, and {from} has {}",
            wanted.choose,
            free.len()
        ));
    }
    if free.is_empty() {
        return Ok(None);
    }
    taken.extend(free.iter().cloned());
    Ok(Some(fold(free)))
}
