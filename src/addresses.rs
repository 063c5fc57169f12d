//! The addresses of guests before these are made: what they lack is given, what is another's or does not belong is refused.

use std::collections::HashMap;
use std::net::IpAddr;

use netboot::networks::Network;
use plugins::networks::{Addressing, Driver};
use plugins::{Backends, Port, derived_mac};
use tables::{Edit, Node, Select, Shared, nics, schema};

use crate::context::Context;
use crate::failure::Failure;
use crate::reply::{Body, Reply};
use crate::ui::Format;

/// Gives ports without a MAC address one, in table mac where a site's DHCP and switches find it, and then refuses guests
/// that would take each other's traffic, or any other node's or router's, or that stand outside their networks.
pub(crate) fn settle(
    cx: &Context,
    edit: &mut Edit<'_>,
    nodes: Vec<Node>,
    format: Format,
) -> Result<Vec<Node>, Failure> {
    let wires = wires(edit)?;
    let nodes = give_macs(cx.backends()?, edit, nodes, &wires)?;
    // A guest in its host's network has its host's address.
    let own = nodes.iter().filter(|node| node.get("vmnics") != Some("host"));
    let names: Vec<String> = own.map(|node| node.name().to_owned()).collect();
    let shared = edit.shared_addresses(&names)?;
    refuse(cx, format, shared.iter().flat_map(said_of_shared), "an address is of one node only")?;
    let misplaced = misplaced(cx.backends()?, edit, &nodes, &wires)?;
    refuse(cx, format, misplaced, "every port has an address of its network")?;
    Ok(nodes)
}

fn refuse(
    cx: &Context,
    format: Format,
    said: impl IntoIterator<Item = (String, String)>,
    rule: &str,
) -> Result<(), Failure> {
    let mut good = true;
    for (names, text) in said {
        cx.ui.reply(format, Reply { node: Some(names), body: Body::Error(text) });
        good = false;
    }
    if good {
        return Ok(());
    }
    cx.ui.finish_folding();
    Err(Failure::refused(format!("nothing was done: {rule}")))
}

fn said_of_shared(shared: &Shared) -> impl Iterator<Item = (String, String)> {
    let Shared { attribute, address, nodes, gateways } = shared;
    let names = tables::noderange::fold(nodes);
    let among_nodes = (nodes.len() > 1).then(|| (names.clone(), format!("all have {attribute} {address}")));
    let routers = gateways.iter().map(move |network| {
        (names.clone(), format!("{attribute} {address} is that of the router of network {network}"))
    });
    among_nodes.into_iter().chain(routers)
}

/// The networks over several hosts whose engines know nothing of each other, by name.
fn wires(edit: &Edit<'_>) -> Result<HashMap<String, Addressing>, Failure> {
    let fabric = schema::find("fabric").expect("table fabric is in the schema");
    let wires = edit.rows(fabric, Select::All)?.into_iter().filter_map(|row| {
        let addressing = row.get("driver")?.parse().map_or(Addressing::OwnMac, Driver::addressing);
        (addressing != Addressing::Swarm).then_some((row.get("netname")?.to_owned(), addressing))
    });
    Ok(wires.collect())
}

/// The nodes as they are with a MAC address for every port that can have one.
fn give_macs(
    backends: &Backends,
    edit: &mut Edit<'_>,
    nodes: Vec<Node>,
    wires: &HashMap<String, Addressing>,
) -> Result<Vec<Node>, Failure> {
    let lacks = |port: &Port| port.mac.is_none() && wires.get(&port.network) != Some(&Addressing::SharedMac);
    let mut lacking = Vec::new();
    for node in &nodes {
        let ports = backends.guests(node)?.ports(node)?;
        if ports.iter().any(lacks) {
            lacking.push((node, ports));
        }
    }
    if lacking.is_empty() {
        return Ok(nodes);
    }
    let mut taken = edit.macs()?;
    let table = schema::find("mac").expect("table mac is in the schema");
    for (node, ports) in lacking {
        let mut cell = node.get("mac").unwrap_or_default().to_owned();
        for (place, port) in ports.iter().enumerate().filter(|(_, port)| lacks(port)) {
            let mac = derived_mac(node.name(), port, &taken);
            cell = with_mac(&cell, node, place, port, &mac);
            taken.insert(mac);
        }
        edit.set(table, &[node.name()], &[("mac", &cell)])?;
    }
    let names: Vec<String> = nodes.iter().map(|node| node.name().to_owned()).collect();
    Ok(edit.resolve(&names)?)
}

/// The first port's address stands first and bare, that of a further one with its host name behind it.
fn with_mac(cell: &str, node: &Node, place: usize, port: &Port, mac: &str) -> String {
    let named = || format!("{mac}!{}", nics::host_name(node, &port.name, 0));
    match (cell, place) {
        ("", 0) => mac.to_owned(),
        (cell, 0) => format!("{mac}|{cell}"),
        ("", _) => named(),
        (cell, _) => format!("{cell}|{}", named()),
    }
}

/// Ports with addresses that the network objects of their names do not have for nodes, and ports without one where two
/// engines would give the same to two guests.
fn misplaced(
    backends: &Backends,
    edit: &Edit<'_>,
    nodes: &[Node],
    wires: &HashMap<String, Addressing>,
) -> Result<Vec<(String, String)>, Failure> {
    let rows = edit.rows(schema::find("networks").expect("table networks is in the schema"), Select::All)?;
    let networks = rows.iter().filter_map(Network::read);
    let networks: HashMap<String, Network> = networks.map(|network| (network.name.clone(), network)).collect();
    let mut said = Vec::new();
    for node in nodes {
        for (place, port) in backends.guests(node)?.ports(node)?.iter().enumerate() {
            let why = wires.get(&port.network).and_then(|wire| unfit(place, port, *wire));
            said.extend(why.map(|why| (node.name().to_owned(), why)));
            let Some(network) = networks.get(&port.network) else { continue };
            let refused = port.addresses.iter().filter_map(|address| Some((address, network.refuses(*address)?)));
            said.extend(refused.map(|(address, why)| {
                (node.name().to_owned(), format!("{} {address} {why}", attribute(node, place, port, *address)))
            }));
        }
    }
    Ok(said)
}

/// Why a port cannot be on a network over several hosts.
fn unfit(place: usize, port: &Port, wire: Addressing) -> Option<String> {
    let Port { name, network, addresses, mac } = port;
    match (mac, wire) {
        (Some(mac), Addressing::SharedMac) => {
            Some(format!("mac {mac} is of no use in network {network}, where ports have that of the uplink"))
        }
        _ if addresses.is_empty() => {
            let attribute = if place == 0 { "ip".to_owned() } else { format!("nicips.{name}") };
            Some(format!(
                "{attribute} is not set, and in network {network} two hosts would give one address to two guests"
            ))
        }
        _ => None,
    }
}

/// Where the address of a port stands.
fn attribute(node: &Node, place: usize, port: &Port, address: IpAddr) -> String {
    let own = node.get("ip").and_then(|ip| ip.parse().ok()) == Some(address);
    if place == 0 && own { "ip".into() } else { format!("nicips.{}", port.name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_do_not_fit_a_network_over_hosts() {
        let check =
            |place: usize, address: Option<&str>, mac: Option<&str>, wire: Addressing, expected: Option<&str>| {
                let addresses = address.map(|text| text.parse().unwrap()).into_iter().collect();
                let port = Port { name: "eth1".into(), network: "blue".into(), addresses, mac: mac.map(str::to_owned) };
                let said = unfit(place, &port, wire);
                let first = said.as_deref().and_then(|said| said.split(' ').next());
                assert_eq!(first, expected, "{said:?}");
            };
        check(0, Some("10.80.0.1"), Some("02:42:0a:50:00:01"), Addressing::OwnMac, None);
        check(0, Some("10.80.0.1"), None, Addressing::SharedMac, None);
        check(0, Some("10.80.0.1"), Some("02:42:0a:50:00:01"), Addressing::SharedMac, Some("mac"));
        check(0, None, None, Addressing::OwnMac, Some("ip"));
        check(1, None, None, Addressing::SharedMac, Some("nicips.eth1"));
    }

    #[test]
    fn a_mac_address_joins_those_that_are_there() {
        let node = Node::new("n1", [("nichostnamesuffixes".to_owned(), "ib0!-ib".to_owned())].into(), None);
        let check = |cell: &str, place: usize, name: &str, expected: &str| {
            let port = Port { name: name.into(), network: String::new(), addresses: Vec::new(), mac: None };
            assert_eq!(with_mac(cell, &node, place, &port, "M"), expected);
        };
        check("", 0, "eth0", "M");
        check("A!n1-eth1", 0, "eth0", "M|A!n1-eth1");
        check("A", 1, "eth1", "A|M!n1-eth1");
        check("A", 1, "ib0", "A|M!n1-ib");
        check("", 1, "ib0", "M!n1-ib");
    }
}
