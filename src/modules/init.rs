//! A config to begin with: what the module proposes, in words, and what the node table fills in; what somebody has edited is never lost.

use std::collections::BTreeSet;

use plugins::is_container;
use serde_json::{Map, Value};
use tables::Node;
use tables::noderange::fold;

use super::Module;
use super::config::{self, Config};
use super::contract::Proposal;
use super::manifest::Method;
use super::plan::write_private;
use super::run::Call;
use super::schema::Key;
use super::secrets::Secrets;
use super::site::Site;
use crate::context::Context;
use crate::failure::Failure;

/// What became of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Init {
    Written,
    /// It says the same.
    Same,
    /// It was edited, and this is what would be otherwise.
    Kept(String),
    /// It was edited, and this is what is otherwise now.
    Replaced(String),
}

/// Writes the config of a module, or with `force` over one that differs.
pub(crate) async fn init(cx: &Context, site: &Site, module: &Module, force: bool) -> Result<(Config, Init), Failure> {
    let name = module.manifest.name();
    let old = Config::read(&site.home, module)?;
    // What has a wrong value cannot be asked about; the module then proposes as if there were nothing.
    let known = old.values(module).unwrap_or_default();
    let secrets = Secrets::of(&module.manifest.config, &known);
    let ready = site.ready(cx, module, known.clone())?;
    let request = ready.request(Method::Init, super::WHOLE, &[]);
    let call = Call { module, method: Method::Init, request: &request, secrets: &secrets };
    let said = call.carry_out::<Proposal>(cx, None).await?;
    said.warnings.iter().for_each(|warning| cx.ui.warning(warning));
    let proposed = filled(cx, site, module, &known, said.result.config)?;
    let new = config::written(&module.manifest.config, &proposed)
        .map_err(|why| Failure::refused(format!("init of module {name}: {why}")))?;
    let diff = || secrets.mask(&Secrets::of(&module.manifest.config, &proposed).mask_config(&old.diff(&new)));
    let done = match (old.text.is_empty(), old.text == new) {
        (_, true) => Init::Same,
        (false, false) if !force => Init::Kept(diff()),
        (is_new, false) => {
            write_private(&old.file, new.as_bytes())
                .map_err(|error| Failure::refused(format!("cannot write {}: {error}", old.file.display())))?;
            if is_new { Init::Written } else { Init::Replaced(diff()) }
        }
    };
    Ok((old, done))
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
    let mut taken = None;
    for (key, wanted) in schema.iter().filter(|(_, wanted)| wanted.choose > 0) {
        if proposed.contains_key(key) {
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
    let is_free = |node: &&Node| !is_container(node) && node.get("ip").is_some() && !taken.contains(node.name());
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
