//! The engine's side of a network: what a host's engine is told of it, and how it is asked.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;
use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};
use tables::Node;

use crate::Result;

/// A network as an engine is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineNetwork {
    pub name: String,
    /// The engine's own word.
    pub driver: String,
    pub subnet: IpNetwork,
    pub gateway: Option<IpAddr>,
    /// Where the engine takes addresses from for containers that ask for none.
    pub range: Option<IpNetwork>,
    /// Without a way out.
    pub internal: bool,
    /// For single containers, where the engine's driver is made for services.
    pub attachable: bool,
    pub options: BTreeMap<String, String>,
}

/// A network that an engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// How it differs from what was wanted, each with both values.
    pub differences: Vec<String>,
    /// Whether we have made it.
    pub ours: bool,
    /// Those that are in it, running or not, sorted.
    pub containers: Vec<String>,
}

/// What is to be done at an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineStep {
    Make,
    /// It is ours, differs, and nothing is in it.
    MakeAnew,
    Remove,
}

/// What an engine has to say about networks that a swarm's engines share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwarmRole {
    /// It is in no swarm.
    Outside,
    /// It has such a network from the first of its containers on, and decides nothing.
    Worker,
    Manager,
}

/// Makes networks at the engines of hosts.
#[async_trait]
pub trait EngineNetworks: Send + Sync {
    /// What the host is in its swarm.
    async fn swarm_role(&self, host: &Node) -> Result<SwarmRole>;

    /// The network of that name, if the host's engine has one.
    async fn find(&self, host: &Node, wanted: &EngineNetwork) -> Result<Option<Present>>;

    /// Makes a network; one that is there already is success if it is equal.
    async fn make(&self, host: &Node, wanted: &EngineNetwork) -> Result<()>;

    /// Removes a network of ours; false if there was none. One with containers is refused unless `force` takes them
    /// off it first.
    async fn remove(&self, host: &Node, name: &str, force: bool) -> Result<bool>;
}

/// What makes the engine's network as wanted; the refusal says what stands against it.
pub fn engine_step(present: Option<&Present>) -> std::result::Result<Option<EngineStep>, String> {
    let Some(present) = present else { return Ok(Some(EngineStep::Make)) };
    if present.differences.is_empty() {
        return Ok(None);
    }
    let differences = present.differences.join("; ");
    match (present.ours, present.containers.as_slice()) {
        (true, []) => Ok(Some(EngineStep::MakeAnew)),
        (true, containers) => Err(format!(
            "its network differs and cannot be made anew with {} in it: {differences}",
            containers.join(", ")
        )),
        (false, _) => Err(format!("its engine has a network of that name that is not ours: {differences}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_s_network_is_made_anew_only_where_nobody_minds() {
        let present = |ours: bool, containers: &[&str], differences: &[&str]| Present {
            differences: differences.iter().map(|text| (*text).to_owned()).collect(),
            ours,
            containers: containers.iter().map(|text| (*text).to_owned()).collect(),
        };
        let check = |present: Option<Present>, expected: std::result::Result<Option<EngineStep>, &str>| {
            assert_eq!(engine_step(present.as_ref()), expected.map_err(str::to_owned));
        };
        check(None, Ok(Some(EngineStep::Make)));
        check(Some(present(false, &["c1"], &[])), Ok(None));
        check(Some(present(true, &[], &["a"])), Ok(Some(EngineStep::MakeAnew)));
        let refused = "its network differs and cannot be made anew with c1, c2 in it: a; b";
        check(Some(present(true, &["c1", "c2"], &["a", "b"])), Err(refused));
        check(Some(present(false, &[], &["a"])), Err("its engine has a network of that name that is not ours: a"));
    }
}
