//! Which machines there are, and which of them no module has for itself.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Map, Value};
use tables::Node;

use crate::context::Context;
use crate::failure::Failure;
use crate::modules::manifest::Manifest;

/// The label of a module that wants its machines for itself, and what it says then.
const OWN: (&str, &str) = ("machines", "own");

/// Whether a module does.
pub(crate) fn wants_own(manifest: &Manifest) -> bool {
    manifest.label(OWN.0) == OWN.1
}

/// All nodes that are machines with an address of their own, in the order of their names.
pub(super) fn machines(cx: &Context) -> Result<Vec<Node>, Failure> {
    let tables = cx.tables()?;
    let nodes = tables.resolve(&tables.node_names(true)?.to_vec())?;
    Ok(nodes.into_iter().filter(|node| !plugins::is_container(node) && address(node).is_ok()).collect())
}

/// Those of these names that are nodes still, and machines.
pub(super) fn of_names(cx: &Context, names: &BTreeSet<String>) -> Result<Vec<Node>, Failure> {
    Ok(machines(cx)?.into_iter().filter(|node| names.contains(node.name())).collect())
}

/// The same that no other module has for itself.
pub(super) fn free(cx: &Context, states: &Map<String, Value>) -> Result<Vec<Node>, Failure> {
    let own = states.values().filter(|state| state["labels"][OWN.0] == OWN.1);
    let taken: BTreeSet<&str> = own.flat_map(|state| targets(state).map(|(name, _)| name)).collect();
    Ok(machines(cx)?.into_iter().filter(|node| !taken.contains(node.name())).collect())
}

/// The machines that a module works on, with what it has said of each.
pub(super) fn targets(state: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let targets = state["targets"].as_object().into_iter().flatten();
    targets.filter(|(_, said)| !has_left(said)).map(|(name, said)| (name.as_str(), said))
}

/// Whether a module is done with a machine.
pub(crate) fn has_left(said: &Value) -> bool {
    said["left"] == true
}

/// Nodes as a noderange.
pub(super) fn range<'n>(nodes: impl IntoIterator<Item = &'n Node>) -> String {
    let names: Vec<String> = nodes.into_iter().map(|node| node.name().to_owned()).collect();
    tables::noderange::fold(&names)
}

/// The one node of a range.
pub(super) fn one(cx: &Context, key: &str, range: &str) -> Result<Node, Failure> {
    let mut nodes = cx.nodes(range)?;
    match (nodes.pop(), nodes.is_empty()) {
        (Some(node), true) => Ok(node),
        _ => Err(Failure::refused(format!("config {key}: '{range}' is more than one node"))),
    }
}

/// The address under which others reach a machine.
pub(super) fn address(node: &Node) -> Result<IpAddr, Failure> {
    let text = node.get("ip").unwrap_or_default();
    text.parse().map_err(|_| {
        Failure::refused(format!("{}: attribute ip is '{text}', which is no address", node.name()))
            .hint(format!("set it with: chdef {} ip=ADDRESS", node.name()))
    })
}
