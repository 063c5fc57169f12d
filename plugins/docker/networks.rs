//! The networks of a host, asked for once.
//!
//! An engine makes a container also in a network that it does not have, or with an address that the network cannot give;
//! only its start fails. So we look before we make.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::Method;
use ipnetwork::IpNetwork;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::definition::Definition;
use super::engine::Engine;
use super::fields::is_made;
use super::guests::inspect;
use crate::{Error, Result};

/// The networks that a host had when it was first asked, or why it did not say.
pub(super) type Networks = OnceCell<std::result::Result<Vec<Network>, Arc<Error>>>;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Network {
    name: String,
    id: String,
    #[serde(rename = "IPAM", default)]
    pool: Pool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pool {
    #[serde(default)]
    config: Option<Vec<Range>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Range {
    #[serde(default)]
    subnet: String,
}

/// Refuses a definition whose network the host does not have, or has without a place for its address.
pub(super) async fn check(engine: &Engine, definition: &Definition) -> Result<()> {
    let Some(wanted) = definition.network.as_deref().filter(|name| is_made(name)) else { return Ok(()) };
    let known = engine.networks.get_or_init(async || fetch(engine).await.map_err(Arc::new)).await;
    let known = known.as_ref().map_err(|error| error.again())?;
    let address = definition.parts.iter().find(|part| part.attribute == "ip").and_then(|part| part.text.parse().ok());
    let Some(network) = known.iter().find(|network| network.name == wanted || network.id == wanted) else {
        return Err(missing(&engine.host, known, wanted));
    };
    match problem(network, address) {
        None => Ok(()),
        Some(why) => Err(Error::Refused { what: format!("{}: cannot create", engine.host), why }),
    }
}

/// Who has the address that a container cannot have: the engine itself says only that it is in use.
pub(super) async fn holder(engine: &Engine, container: &str) -> Result<Option<String>> {
    let found = inspect(engine, container).await?;
    let places = found["NetworkSettings"]["Networks"].as_object().into_iter().flatten();
    for (network, place) in places {
        let Some(wanted) = place["IPAMConfig"]["IPv4Address"].as_str() else { continue };
        let answer = engine.ask(Method::GET, &format!("/networks/{network}"), None).await?;
        let Ok(answer) = answer else { continue };
        let network: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let held = |place: &Value| place["IPv4Address"].as_str().is_some_and(|held| bare(held) == wanted);
        let holder = network["Containers"].as_object().into_iter().flatten().find(|(_, place)| held(place));
        if let Some(name) = holder.and_then(|(_, place)| place["Name"].as_str()) {
            return Ok(Some(format!("its address {wanted} is in use by container {name}")));
        }
    }
    Ok(None)
}

/// The address without the length of its network's prefix.
fn bare(address: &str) -> &str {
    address.split('/').next().unwrap_or(address)
}

async fn fetch(engine: &Engine) -> Result<Vec<Network>> {
    let answer = engine.ask(Method::GET, "/networks", None).await?;
    let answer = answer.map_err(|no| no.into_error(&engine.host, "list networks"))?;
    serde_json::from_slice(&answer.body)
        .map_err(|error| Error::Garbled { what: engine.host.clone(), why: error.to_string() })
}

fn missing(host: &str, known: &[Network], wanted: &str) -> Error {
    let mut names: Vec<&str> = known.iter().map(|network| &*network.name).collect();
    names.sort_unstable();
    Error::NoNetwork { host: host.into(), network: wanted.into(), has: names.join(", ") }
}

fn problem(network: &Network, address: Option<IpAddr>) -> Option<String> {
    let address = address?;
    let subnets: Vec<&str> = network.pool.config.iter().flatten().map(|range| &*range.subnet).collect();
    let parsed: Vec<IpNetwork> = subnets.iter().filter_map(|subnet| subnet.parse().ok()).collect();
    // A driver with a pool of its own may tell us nothing of it.
    if parsed.is_empty() || parsed.iter().any(|subnet| subnet.contains(address)) {
        return None;
    }
    Some(format!(
        "network '{name}' has no address {address} (attribute ip); it is {}",
        subnets.join(", "),
        name = network.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = r#"[
        {"Name":"none","Id":"1","IPAM":{"Driver":"default","Options":null,"Config":null}},
        {"Name":"cluster","Id":"2","IPAM":{"Driver":"default","Config":[{"Subnet":"10.1.0.0/16","Gateway":"10.1.0.1"}]}}
    ]"#;

    #[test]
    fn only_what_the_host_has() {
        let known: Vec<Network> = serde_json::from_str(KNOWN).expect("as the engine writes it");
        let check = |network: usize, address: &str, expected: Option<&str>| {
            let address = address.parse().expect("an address");
            assert_eq!(problem(&known[network], Some(address)).as_deref(), expected, "{address}");
        };
        check(1, "10.1.255.1", None);
        check(0, "10.1.255.1", None);
        check(1, "10.2.0.1", Some("network 'cluster' has no address 10.2.0.1 (attribute ip); it is 10.1.0.0/16"));
        assert_eq!(problem(&known[1], None), None);
        let missing = missing("h1", &known, "clustre").to_string();
        assert_eq!(
            missing,
            "h1: cannot create: there is no network 'clustre' (attribute vmnics) on this host; it has cluster, none"
        );
    }
}
