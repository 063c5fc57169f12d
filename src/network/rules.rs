//! What networks may not have in common: two bridges of one name, or two ranges that overlap, are one network by mistake.

use std::collections::BTreeMap;

use ipnetwork::IpNetwork;
use netboot::interfaces;
use plugins::Error;
use plugins::networks::{self, Network, overlap};
use tables::definitions::Attributes;

use crate::failure::Failure;

/// What matters of another network; of one that is wrong in itself only what is right.
struct Sketch {
    name: String,
    subnet: Option<IpNetwork>,
    /// Those that hosts carry by a bridge.
    bridge: Option<String>,
    vni: Option<u32>,
}

/// Refuses a network that meets another one of the tables, or its own hosts; `all` are the attributes of every network.
pub(super) fn check(all: &BTreeMap<String, Attributes>, network: &Network) -> Result<(), Failure> {
    let others = all.iter().filter(|(name, _)| **name != network.name);
    let others: Vec<Sketch> = others.map(|(name, attributes)| sketch(name.clone(), attributes)).collect();
    match conflict(network, &others) {
        Some((attribute, why)) => Err(Error::Definition { attribute: attribute.into(), why }.into()),
        None => Ok(()),
    }
}

fn sketch(name: String, attributes: &Attributes) -> Sketch {
    let get = |attribute: &str| attributes.get(attribute).map(String::as_str);
    let bridged = matches!(get("driver"), Some("bridge" | "ovs"));
    let tunnelled = bridged && (get("uplink").is_none() || get("vni").is_some());
    let vni = get("vni").and_then(|text| text.parse().ok()).unwrap_or_else(|| networks::derived_vni(&name));
    Sketch {
        subnet: get("net").zip(get("mask")).and_then(|(net, mask)| interfaces::parse(net, mask)),
        bridge: bridged.then(|| networks::bridge_name(&name)),
        vni: tunnelled.then_some(vni),
        name,
    }
}

/// The attribute that is wrong, and why.
fn conflict(network: &Network, others: &[Sketch]) -> Option<(&'static str, String)> {
    let bridge = networks::bridge_name(&network.name);
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
    }
    let inside = network.members.iter().find(|member| network.subnet.contains(member.address));
    let inside = inside.filter(|_| network.is_tunnelled())?;
    Some(("net", format!("host {} has the address {} in it, to which its tunnels lead", inside.host, inside.address)))
}

#[cfg(test)]
mod tests {
    use plugins::networks::{Driver, Member};

    use super::*;

    fn network() -> Network {
        Network {
            name: "blue".into(),
            driver: Driver::Bridge,
            subnet: "10.80.0.0/16".parse().unwrap(),
            gateway: None,
            range: None,
            mtu: 1450,
            vlan: None,
            vni: Some(7),
            hub: None,
            uplink: None,
            options: [].into(),
            members: vec![Member { host: "h1".into(), address: [10, 77, 0, 1].into() }],
        }
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
    fn hosts_are_outside_of_what_they_tunnel() {
        let mut network = network();
        network.members[0].address = [10, 80, 0, 1].into();
        assert_eq!(conflict(&network, &[]).map(|(attribute, _)| attribute), Some("net"));
        network.uplink = Some("eth1".into());
        network.vni = None;
        assert_eq!(conflict(&network, &[]), None);
    }
}
