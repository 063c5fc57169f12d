//! What networks may not have in common: two bridges of one name, or two ranges that overlap, are one network by mistake.

use std::collections::BTreeMap;

use ipnetwork::IpNetwork;
use netboot::interfaces;
use plugins::Error;
use plugins::networks::{self, Driver, Network, Purpose, Wire, overlap};
use tables::definitions::Attributes;

use super::{Defined, Source};
use crate::failure::Failure;

/// What matters of another network; of one that is wrong in itself only what is right.
struct Sketch {
    name: String,
    subnet: Option<IpNetwork>,
    /// Those that hosts carry by a bridge.
    bridge: Option<String>,
    vni: Option<u32>,
    /// Of one on hosts of its own it does not matter.
    wire: Option<Wire>,
}

/// Refuses a network that meets another one of the tables, or its own hosts; `all` are the attributes of every network.
pub(super) fn check(
    source: &impl Source,
    all: &BTreeMap<String, Attributes>,
    defined: &Defined,
) -> Result<(), Failure> {
    let network = &defined.network;
    let is_near = |attributes: &Attributes| {
        // Hosts that cannot be made out are said to be wrong where that network is checked itself.
        let hosts = attributes.get("hosts").and_then(|range| source.nodes(range).ok()).unwrap_or_default();
        hosts.iter().any(|host| network.members.iter().any(|member| member.host == host.name()))
    };
    let others = all.iter().filter(|(name, _)| **name != network.name);
    let others = others.map(|(name, attributes)| {
        let sketch = sketch(name.clone(), attributes);
        let wire = sketch.wire.filter(|_| network.uplink.is_some() && is_near(attributes));
        Sketch { wire, ..sketch }
    });
    let others: Vec<Sketch> = others.collect();
    match conflict(network, &others) {
        Some((attribute, why)) => Err(Error::Definition { attribute: attribute.into(), why }.into()),
        None => Ok(()),
    }
}

fn sketch(name: String, attributes: &Attributes) -> Sketch {
    let get = |attribute: &str| attributes.get(attribute).map(String::as_str);
    let driver: Option<Driver> = get("driver").and_then(|word| word.parse().ok());
    let bridged = driver.is_some_and(Driver::is_bridged);
    let tunnelled = bridged && (get("uplink").is_none() || get("vni").is_some());
    let vni = get("vni").and_then(|text| text.parse().ok()).unwrap_or_else(|| networks::derived_vni(&name));
    // Virtual functions of the uplink, say, which are ports of their own.
    let apart = get("options").is_some_and(|options| options.contains("plugin="));
    let vlan = get("vlanid").and_then(|text| text.parse().ok());
    Sketch {
        subnet: get("net").zip(get("mask")).and_then(|(net, mask)| interfaces::parse(net, mask)),
        bridge: bridged.then(|| networks::bridge_name(&name)),
        vni: tunnelled.then_some(vni),
        wire: driver.filter(|_| !tunnelled && !apart).and_then(|driver| driver.wire(get("uplink")?, vlan)),
        name,
    }
}

/// Why two networks cannot be on these wires: a port serves one purpose only, and a switch has one port of the wire.
fn tangle(ours: &Wire, theirs: &Wire, name: &str) -> Option<String> {
    let port = &ours.port;
    let shares = ours.purpose == theirs.purpose && ours.purpose != Purpose::Bridge;
    let below = [&ours.purpose, &theirs.purpose].iter().any(|purpose| matches!(purpose, Purpose::Below(_)));
    match (ours.port == theirs.port, shares) {
        (true, false) if below => Some(format!(
            "{port} is that of network '{name}' too, and a port is in a bridge, or below macvlan, or below ipvlan"
        )),
        (true, false) => Some(format!("{port} is that of network '{name}' too, and a port is in one bridge only")),
        (false, true) if !below => {
            Some(format!("the switch on {port} would be the one on {}, of network '{name}'", theirs.port))
        }
        (true | false, true) | (false, false) => None,
    }
}

/// The attribute that is wrong, and why.
fn conflict(network: &Network, others: &[Sketch]) -> Option<(&'static str, String)> {
    let bridge = networks::bridge_name(&network.name);
    let uplink = network.uplink.as_deref().filter(|_| !network.is_tunnelled());
    let uplink = uplink.filter(|_| !network.options.contains_key("plugin"));
    let wire = uplink.and_then(|uplink| network.driver.wire(uplink, network.vlan));
    for other in others {
        let name = &other.name;
        if let Some(subnet) = other.subnet.filter(|subnet| overlap(*subnet, network.subnet)) {
            return Some(("net", format!("{} overlaps network '{name}', which is {subnet}", network.subnet)));
        }
        if network.is_tunnelled() && other.vni == network.vni && network.vni.is_some() {
            let vni = network.vni.unwrap_or_default();
            return Some(("vni", format!("{vni} is that of network '{name}' too")));
        }
        if other.bridge.as_ref() == Some(&bridge) {
            return Some(("netname", format!("its bridge would be {bridge}, as that of network '{name}'")));
        }
        let wires = wire.as_ref().zip(other.wire.as_ref());
        if let Some(why) = wires.and_then(|(ours, theirs)| tangle(ours, theirs, name)) {
            return Some(("uplink", why));
        }
    }
    let inside = network.members.iter().find(|member| network.subnet.contains(member.address));
    let inside = inside.filter(|_| network.is_tunnelled())?;
    Some(("net", format!("host {} has the address {} in it, to which its tunnels lead", inside.host, inside.address)))
}

#[cfg(test)]
mod tests {
    use super::super::tests;
    use super::*;

    fn network() -> Network {
        tests::network(1)
    }

    /// `attributes` of another network by space; `expected` is what is wrong with ours.
    #[track_caller]
    fn check(name: &str, attributes: &str, expected: Option<&str>) {
        let pairs = attributes.split_whitespace().filter_map(|pair| pair.split_once('='));
        let attributes = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let found = conflict(&network(), &[sketch(name.into(), &attributes)]);
        assert_eq!(found.map(|(attribute, _)| attribute), expected, "{name} {attributes:?}");
    }

    #[test]
    fn networks_keep_apart() {
        check("red", "driver=bridge net=10.81.0.0 mask=/16 vni=8", None);
        check("red", "net=10.0.0.0 mask=/8", Some("net"));
        check("red", "net=10.80.7.0 mask=255.255.255.0", Some("net"));
        check("red", "net=here mask=/8", None);
        check("red", "driver=bridge vni=7", Some("vni"));
        check("red", "driver=bridge vni=7 uplink=eth1", Some("vni"));
        check("red", "driver=macvlan vni=7 uplink=eth1", None);
    }

    #[test]
    fn bridges_have_names_of_their_own() {
        let mut long = network();
        long.name = "production-blue".into();
        let other = |driver: &str| {
            let attributes = [("driver".to_owned(), driver.to_owned()), ("uplink".to_owned(), "eth1".to_owned())];
            sketch("production-black".into(), &attributes.into())
        };
        assert_eq!(conflict(&long, &[other("bridge")]).map(|(attribute, _)| attribute), Some("netname"));
        assert_eq!(conflict(&long, &[other("macvlan")]), None);
    }

    #[test]
    fn a_port_is_in_one_bridge() {
        let check = |driver: &str, vlan: Option<u16>, attributes: &str, expected: Option<&str>| {
            let network =
                Network { driver: driver.parse().unwrap(), vlan, uplink: Some("eth1".into()), vni: None, ..network() };
            let pairs = attributes.split_whitespace().filter_map(|pair| pair.split_once('='));
            let attributes = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let found = conflict(&network, &[sketch("red".into(), &attributes)]);
            assert_eq!(found.map(|(attribute, _)| attribute), expected, "{driver} {vlan:?} {attributes:?}");
        };
        check("bridge", None, "driver=bridge uplink=eth1", Some("uplink"));
        check("bridge", None, "driver=bridge uplink=eth2", None);
        check("bridge", Some(20), "driver=bridge uplink=eth1", None);
        check("bridge", Some(20), "driver=bridge uplink=eth1 vlanid=20", Some("uplink"));
        check("bridge", Some(20), "driver=bridge uplink=eth1 vlanid=21", None);
        check("bridge", None, "driver=bridge uplink=eth1 vni=9", None);
        check("bridge", None, "driver=ovs uplink=eth1 vlanid=20", Some("uplink"));
        check("ovs", Some(21), "driver=ovs uplink=eth1 vlanid=20", None);
        check("bridge", None, "driver=macvlan uplink=eth1", Some("uplink"));
        check("bridge", None, "driver=macvlan uplink=eth1 vlanid=20", None);
        check("macvlan", None, "driver=macvlan uplink=eth1", None);
        check("macvlan", None, "driver=macvlan uplink=eth2", None);
        check("bridge", None, "driver=macvlan uplink=eth1 options=plugin=sriov", None);
        check("macvlan", None, "driver=ipvlan uplink=eth1", Some("uplink"));
    }

    #[test]
    fn switches_of_different_uplinks_have_different_names() {
        let wire = |port: &str, switch: &str| Wire { port: port.into(), purpose: Purpose::Switch(switch.into()) };
        assert_eq!(tangle(&wire("eth1", "ovs-a"), &wire("eth2", "ovs-b"), "red"), None);
        assert!(tangle(&wire("eth1", "ovs-a"), &wire("eth2", "ovs-a"), "red").is_some());
    }

    #[test]
    fn hosts_are_outside_of_what_they_tunnel() {
        let mut network = network();
        network.members[0].address = [10, 80, 0, 1].into();
        assert_eq!(conflict(&network, &[]).map(|(attribute, _)| attribute), Some("net"));
        network.uplink = Some("eth1".into());
        network.vni = None;
        assert_eq!(conflict(&network, &[]), None);
    }
}
