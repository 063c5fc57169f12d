//! The networks of a host, asked for once.
//!
//! An engine makes a container also in a network that it does not have, or with an address that the network cannot give;
//! only its start fails. So we look before we make. An engine also has ways of its own where it cannot be told ours: the
//! MAC address of a further port before version 25, the network of the default route before 28. Where those are not what
//! the tables say, nothing is made.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::Method;
use ipnetwork::IpNetwork;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::body::{MACS_PER_PLACE, ROUTE_CHOSEN};
use super::definition::Definition;
use super::engine::Engine;
use super::fabric::role;
use super::fields::{Nic, is_made};
use super::guests::inspect;
use super::places::places;
use super::version::ApiVersion;
use crate::mac::of_address;
use crate::networks::SwarmRole;
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
    /// Without a way out.
    #[serde(default)]
    internal: bool,
    #[serde(rename = "EnableIPv6", default)]
    ipv6: bool,
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

/// Refuses a definition whose networks the host does not have, or has without a place for its addresses, or whose wishes
/// its engine cannot be told.
pub(super) async fn check(engine: &Engine, definition: &Definition) -> Result<()> {
    if !definition.nics.iter().any(|nic| is_made(&nic.network)) {
        return Ok(());
    }
    let known = known(engine).await?;
    if let Some(nic) = definition.nics.iter().find(|nic| find(known, &nic.network).is_none())
        && !is_worker(engine).await?
    {
        return Err(missing(&engine.host, known, &nic.network));
    }
    let mut problems = definition.nics.iter().filter_map(|nic| problem(find(known, &nic.network)?, nic));
    let told = || definition.further().iter().find_map(|nic| untold_mac(nic, engine.api));
    let why = problems.next().or_else(told).or_else(|| untold_route(known, &definition.nics, engine.api));
    match why {
        None => Ok(()),
        Some(why) => Err(Error::Refused { what: format!("{}: cannot create", engine.host), why }),
    }
}

/// A worker of a swarm gets each of the swarm's networks with the first container that is in it; only managers know them all.
async fn is_worker(engine: &Engine) -> Result<bool> {
    let info: Value = engine.fetch("/info", "ask for its swarm").await?;
    Ok(role(&info["Swarm"]) == SwarmRole::Worker)
}

async fn known(engine: &Engine) -> Result<&[Network]> {
    let known =
        engine.networks.get_or_init(async || engine.fetch("/networks", "list networks").await.map_err(Arc::new)).await;
    known.as_deref().map_err(|error| error.again())
}

/// The network through which the default route of a container goes; None where it has at most one to choose from.
pub(super) async fn default_route(engine: &Engine, found: &Value) -> Result<Option<String>> {
    let names: Vec<&str> = places(found).map(|(name, _)| name.as_str()).collect();
    if names.len() < 2 {
        return Ok(None);
    }
    let known = known(engine).await?;
    let priority = |name: &str| found["NetworkSettings"]["Networks"][name]["GwPriority"].as_i64().unwrap_or_default();
    let highest = names.iter().map(|name| priority(name)).max().unwrap_or_default();
    let names: Vec<&str> = names.into_iter().filter(|name| priority(name) == highest).collect();
    Ok(engines_choice(known, &names).map(str::to_owned))
}

/// Who has the address that a container cannot have: the engine itself says only that it is in use.
pub(super) async fn holder(engine: &Engine, container: &str) -> Result<Option<String>> {
    let found = inspect(engine, container).await?;
    for (network, place) in places(&found) {
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

fn missing(host: &str, known: &[Network], wanted: &str) -> Error {
    let mut names: Vec<&str> = known.iter().map(|network| &*network.name).collect();
    names.sort_unstable();
    Error::NoNetwork { host: host.into(), network: wanted.into(), has: names.join(", ") }
}

fn find<'k>(known: &'k [Network], wanted: &str) -> Option<&'k Network> {
    known.iter().find(|network| network.name == wanted || network.id == wanted)
}

fn problem(network: &Network, nic: &Nic) -> Option<String> {
    let subnets: Vec<&str> = network.pool.config.iter().flatten().map(|range| &*range.subnet).collect();
    let parsed: Vec<IpNetwork> = subnets.iter().filter_map(|subnet| subnet.parse().ok()).collect();
    // A driver with a pool of its own may tell us nothing of it.
    let outside = |address: &IpAddr| !parsed.is_empty() && !parsed.iter().any(|subnet| subnet.contains(*address));
    let address = nic.addresses().find(outside)?;
    let attribute = if nic.name == "eth0" { "ip".to_owned() } else { format!("nicips.{}", nic.name) };
    let (name, subnets) = (&network.name, subnets.join(", "));
    Some(format!("network '{name}' has no address {address} (attribute {attribute}); it is {subnets}"))
}

/// Engines up to 24 give a further port a MAC address made from its IPv4 address, and take no other.
fn untold_mac(nic: &Nic, api: ApiVersion) -> Option<String> {
    let wanted = nic.mac.as_ref().filter(|_| api < MACS_PER_PLACE)?;
    let (name, network) = (&nic.name, &nic.network);
    let given = nic.ipv4.map(of_address);
    if given.as_ref() == Some(wanted) {
        return None;
    }
    let given = given.map_or_else(|| "one of its own".to_owned(), |mac| mac + ", made from its address");
    Some(format!(
        "its engine speaks API {api} and gives {name} in network {network} the MAC address {given}, not {wanted} \
         (attribute mac); those from API {MACS_PER_PLACE} on can be told when the container is made, and any can for the first of vmnics"
    ))
}

/// Engines up to 27 send the default route through a network of their choice.
fn untold_route(known: &[Network], nics: &[Nic], api: ApiVersion) -> Option<String> {
    let wanted = nics.iter().find(|nic| nic.routes).filter(|_| nics.len() > 1 && api < ROUTE_CHOSEN)?;
    let names: Vec<&str> = nics.iter().map(|nic| nic.network.as_str()).collect();
    let chosen = engines_choice(known, &names).filter(|chosen| *chosen != wanted.network)?;
    let wanted = &wanted.network;
    Some(format!(
        "its engine speaks API {api} and sends the default route through network '{chosen}', not through '{wanted}': the \
         first by name of those that are not internal; set dockergateway={chosen}, or make network '{chosen}' internal \
         (a network object without gateway is); those from API {ROUTE_CHOSEN} on can be told"
    ))
}

/// The network of the default route where the engine decides: one with a way out, with addresses of both families if there
/// is one, the first of those by name. None if none has a way out.
fn engines_choice<'n>(known: &[Network], names: &[&'n str]) -> Option<&'n str> {
    let open =
        names.iter().filter_map(|name| Some((find(known, name)?, *name))).filter(|(network, _)| !network.internal);
    open.min_by_key(|(network, _)| (!network.ipv6, network.name.clone())).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = r#"[
        {"Name":"none","Id":"1","IPAM":{"Driver":"default","Options":null,"Config":null}},
        {"Name":"cluster","Id":"2","IPAM":{"Driver":"default","Config":[{"Subnet":"10.1.0.0/16","Gateway":"10.1.0.1"}]}}
    ]"#;

    fn nic(network: &str) -> Nic {
        Nic { name: "eth0".into(), network: network.into(), ipv4: None, ipv6: None, mac: None, routes: false }
    }

    #[test]
    fn the_engines_own_choices() {
        let network = |name: &str, internal: bool, ipv6: bool| {
            let [name, id] = [name, "id"].map(str::to_owned);
            Network { name, id, pool: Pool::default(), internal, ipv6 }
        };
        let known = [
            network("a", true, false),
            network("b", false, false),
            network("c", false, false),
            network("d", false, true),
        ];
        let check =
            |names: &[&str], expected: Option<&str>| assert_eq!(engines_choice(&known, names), expected, "{names:?}");
        check(&["c", "b"], Some("b"));
        check(&["c", "a"], Some("c"));
        check(&["b", "d"], Some("d"));
        check(&["a"], None);
        let old = ApiVersion { major: 1, minor: 41 };
        let nics = [Nic { routes: true, ..nic("c") }, nic("b")];
        let why = untold_route(&known, &nics, old).unwrap_or_default();
        assert!(why.contains("through network 'b', not through 'c'"), "{why}");
        assert_eq!(untold_route(&known, &nics, ROUTE_CHOSEN), None);
        assert_eq!(untold_route(&known, &[nics[0].clone(), nic("a")], old), None);
        assert_eq!(untold_route(&known, &nics[..1], old), None);
    }

    #[test]
    fn a_mac_that_the_engine_cannot_be_told() {
        let old = ApiVersion { major: 1, minor: 41 };
        let check = |mac: &str, ipv4: Option<&str>, api: ApiVersion, good: bool| {
            let ipv4 = ipv4.map(|text| text.parse().expect("an address"));
            let nic = Nic { mac: Some(mac.into()), ipv4, ..nic("b") };
            assert_eq!(untold_mac(&nic, api).is_none(), good, "{mac} {ipv4:?}");
        };
        check("02:42:0a:01:00:ff", Some("10.1.0.255"), old, true);
        check("02:77:0a:01:00:ff", Some("10.1.0.255"), old, false);
        check("02:77:0a:01:00:ff", None, old, false);
        check("02:77:0a:01:00:ff", None, MACS_PER_PLACE, true);
        assert_eq!(untold_mac(&nic("b"), old), None);
    }

    #[test]
    fn only_what_the_host_has() {
        let known: Vec<Network> = serde_json::from_str(KNOWN).expect("as the engine writes it");
        let check = |network: usize, address: &str, expected: Option<&str>| {
            let ipv4 = Some(address.parse().expect("an address"));
            assert_eq!(problem(&known[network], &Nic { ipv4, ..nic("x") }).as_deref(), expected, "{address}");
        };
        check(1, "10.1.255.1", None);
        check(0, "10.1.255.1", None);
        check(1, "10.2.0.1", Some("network 'cluster' has no address 10.2.0.1 (attribute ip); it is 10.1.0.0/16"));
        assert_eq!(problem(&known[1], &nic("x")), None);
        let missing = missing("h1", &known, "clustre").to_string();
        assert_eq!(
            missing,
            "h1: cannot create: there is no network 'clustre' (attribute vmnics) on this host; it has cluster, none"
        );
    }
}
