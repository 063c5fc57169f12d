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
use super::contract::Proposal;
use super::manifest::Method;
use super::merge::{Merged, merged};
use super::run::Call;
use super::schema::{self, Key, Schema, Type};
use super::secrets::Secrets;
use super::site::Site;
use super::words::said;
use crate::context::Context;
use crate::failure::Failure;
use crate::own_file;

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
    let was = base.values(module).unwrap_or_default();
    let Proposed { values: proposed, lacking } = proposed(cx, site, module, &known, &was, force).await?;
    lacking.iter().for_each(|why| cx.ui.warning(why));
    warn_of_ranges(cx, module, &proposed);
    let written = |values: &Map<String, Value>| {
        config::written(schema, values).map_err(|why| Failure::refused(format!("init of module {name}: {why}")))
    };
    let alone = written(&proposed)?;
    let own = own(&old.text, &base.text, &known, &proposed);
    let new = written(&proposed.clone().into_iter().chain(own).collect())?;
    let masked = |diff: String| secrets.mask(&Secrets::of(schema, &proposed).mask_config(&diff));
    // What is lacking has no line, and can be added.
    let is_readable = schema::check(schema, &old.text).iter().all(|problem| problem.line == 0);
    let Merged { text, kept } = match (old.text.is_empty() || force, is_readable) {
        (true, _) => Merged { text: new.clone(), kept: Vec::new() },
        (false, true) => merged(schema, &base.text, &old.text, &alone)
            .map_err(|why| Failure::refused(format!("cannot read {}: {why}", old.file.display())))?,
        (false, false) => Merged { text: old.text.clone(), kept: Vec::new() },
    };
    let write = |config: &Config, text: &str| {
        own_file::write_with_directories(&config.file, text.as_bytes())
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
    if base.text != alone {
        write(&base, &alone)?;
    }
    let is_kept = !kept.is_empty() || (!is_readable && !force);
    let now = Config { text, ..old };
    let kept = is_kept.then(|| Edited { keys: kept, diff: masked(now.diff(&new)) });
    Ok(Init { file: now.file, done, kept })
}

/// What a module proposes, filled in.
pub(super) struct Proposed {
    pub(super) values: Map<String, Value>,
    /// Where there are fewer nodes than are to be chosen.
    pub(super) lacking: Vec<String>,
}

/// Asks a module what it proposes. It hears what the config says now with the nodes and addresses that are filled in where it
/// proposes none itself. `was` is what was proposed last: what is otherwise than that was edited, and stays but with `force`.
pub(super) async fn proposed(
    cx: &Context,
    site: &Site,
    module: &Module,
    known: &Map<String, Value>,
    was: &Map<String, Value>,
    force: bool,
) -> Result<Proposed, Failure> {
    let schema = &module.manifest.config;
    let (same, edited): (Map<_, _>, Map<_, _>) =
        known.clone().into_iter().partition(|(key, value)| was.get(key) == Some(value));
    let Nodes { ranges, lacking } = nodes(cx, site, module, if force { &same } else { known });
    let defaults = schema.iter().filter_map(|(key, wanted)| {
        let default = serde_json::to_value(wanted.default.as_ref()?).ok()?;
        Some((key.clone(), default))
    });
    let stays = if force { Map::new() } else { edited };
    let mut heard: Map<String, Value> = defaults.chain(known.clone()).chain(ranges.clone()).chain(stays).collect();
    let is_of_before = |key: &str| schema[key].addresses.is_some() && same.contains_key(key);
    heard.retain(|key, _| !is_of_before(key));
    fill_addresses(cx, module, &mut heard);
    let ready = site.ready(cx, module, heard)?;
    let request = ready.request(Method::Init, super::WHOLE, &[]);
    let call = Call { module, method: Method::Init, request: &request, secrets: &ready.secrets };
    let mut values = call.carry_out::<Proposal>(cx, None).await?.config;
    // No nodes at all are no proposal: the config then says that some are needed.
    values.retain(|key, value| !(is_range(schema, key) && value.as_str().is_some_and(str::is_empty)));
    let lacking = lacking.into_iter().filter(|(key, _)| !values.contains_key(key)).map(|(_, why)| why).collect();
    for (key, range) in ranges {
        values.entry(key).or_insert(range);
    }
    fill_addresses(cx, module, &mut values);
    Ok(Proposed { values, lacking })
}

/// What only people can know, a secret above all: it is in the config, and the module has never proposed anything for it.
fn own(text: &str, base: &str, known: &Map<String, Value>, proposed: &Map<String, Value>) -> Map<String, Value> {
    let [given, was] = [text, base].map(|text| toml::from_str::<toml::Table>(text).unwrap_or_default());
    let is_own = |key: &String| given.contains_key(key) && !was.contains_key(key) && !proposed.contains_key(key);
    known.iter().filter(|(key, _)| is_own(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn is_range(schema: &Schema, key: &str) -> bool {
    schema.get(key).is_some_and(|wanted| wanted.kind == Type::Noderange)
}

/// A module may propose nodes that no site but its author's has: that is said now, and not only by the first plan.
fn warn_of_ranges(cx: &Context, module: &Module, proposed: &Map<String, Value>) {
    let name = module.manifest.name();
    for (key, value) in proposed.iter().filter(|(key, _)| is_range(&module.manifest.config, key)) {
        let range = value.as_str().unwrap_or_default();
        if let Err(failure) = cx.nodes(range) {
            cx.ui.warning(&said(&format!(
                "init of module {name} proposes {key} that are not here: {}",
                failure.message
            )));
        }
    }
}

/// All nodes there are.
const EVERY: &str = "/.*";

/// Nodes that are filled in.
struct Nodes {
    /// By the key of the config.
    ranges: Map<String, Value>,
    /// Keys for which there are not enough, and why.
    lacking: Vec<(String, String)>,
}

/// The nodes that the config says are to be filled in: all, or free ones. What somebody has chosen before stays chosen.
fn nodes(cx: &Context, site: &Site, module: &Module, known: &Map<String, Value>) -> Nodes {
    let (mut ranges, mut lacking, mut taken) = (Map::new(), Vec::new(), None);
    let schema = module.manifest.config.iter();
    for (key, wanted) in schema.filter(|(_, wanted)| wanted.choose > 0 || wanted.everywhere) {
        let range = match (wanted.everywhere, known.get(key)) {
            (true, before) => all(cx, wanted).map(Value::from).or_else(|| before.cloned()),
            (false, Some(before)) => Some(before.clone()),
            (false, None) => {
                let taken = taken.get_or_insert_with(|| site.chosen(cx, module.manifest.name()));
                let (range, why) = chosen(cx, module, key, wanted, taken);
                lacking.extend(why.map(|why| (key.clone(), why)));
                range.map(Value::from)
            }
        };
        ranges.extend(range.map(|range| (key.clone(), range)));
    }
    Nodes { ranges, lacking }
}

/// Lists of the config that are addresses of its nodes, where nobody has said them.
fn fill_addresses(cx: &Context, module: &Module, values: &mut Map<String, Value>) {
    let schema = module.manifest.config.iter();
    for (key, of) in schema.filter_map(|(key, wanted)| Some((key, wanted.addresses.as_ref()?))) {
        let range = values.get(of).and_then(Value::as_str).filter(|range| !range.is_empty());
        let (Some(range), false) = (range, values.contains_key(key)) else { continue };
        // A range that the tables do not know yet is what its own key is about.
        let nodes = cx.nodes(range).unwrap_or_default();
        let addresses: Vec<Value> = nodes.iter().map(|node| node.get("ip").unwrap_or(node.name()).into()).collect();
        if !addresses.is_empty() {
            values.insert(key.clone(), addresses.into());
        }
    }
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
) -> (Option<String>, Option<String>) {
    let from = wanted.from.as_deref().unwrap_or(EVERY);
    // No nodes at all is no error here: the config then says so.
    let nodes = cx.nodes(from).unwrap_or_default();
    let is_free = |node: &&Node| is_machine(node) && !taken.contains(node.name());
    let free: Vec<String> =
        nodes.iter().filter(is_free).take(wanted.choose).map(|node| node.name().to_owned()).collect();
    let why = (free.len() < wanted.choose).then(|| {
        let (name, from) = (module.manifest.name(), wanted.from.as_deref().unwrap_or("the node table"));
        format!("{key} of module {name} takes {} free nodes, and {from} has {}", wanted.choose, free.len())
    });
    taken.extend(free.iter().cloned());
    ((!free.is_empty()).then(|| fold(free)), why)
}
