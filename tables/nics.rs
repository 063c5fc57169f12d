//! The ports of a node as table nics has them, in xCAT's shape: a cell an aspect, `eth1!value|value,ib0!value`.

use crate::Node;
use crate::objects::nic;

/// A port of a node with its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port<'n> {
    /// As the tables call it, such as `eth1`.
    pub name: &'n str,
    pub places: Vec<Place<'n>>,
}

/// One address of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<'n> {
    pub address: &'n str,
    /// The host name that the address has.
    pub host_name: String,
    pub aliases: Vec<&'n str>,
}

/// The ports of a node that have addresses, in the order of the cell.
pub fn ports(node: &Node) -> impl Iterator<Item = Port<'_>> {
    nic::entries(node.get("nicips").unwrap_or_default()).map(move |(name, addresses)| {
        let addresses = addresses.split('|').map(str::trim).enumerate();
        let places = addresses.filter(|(_, address)| !address.is_empty()).map(|(number, address)| Place {
            address,
            host_name: host_name(node, name, number),
            aliases: nth(node, "nicaliases", name, number).split_whitespace().collect(),
        });
        Port { name, places: places.collect() }
    })
}

/// The host name of an address of a port, counted from 0: the node's name between the prefix and the suffix that the
/// tables give it, with suffix `-eth1` (then `-eth1-2`, …) where they give neither.
pub fn host_name(node: &Node, port: &str, number: usize) -> String {
    let given = |attribute| nth(node, attribute, port, number);
    let name = node.name();
    match (given("nichostnameprefixes"), given("nichostnamesuffixes")) {
        ("", "") if number == 0 => format!("{name}-{port}"),
        ("", "") => format!("{name}-{port}-{}", number + 1),
        (prefix, suffix) => format!("{prefix}{name}{suffix}"),
    }
}

/// The port whose addresses are in that network, by attribute `nicnetworks`.
pub fn port_on<'n>(node: &'n Node, network: &str) -> Option<&'n str> {
    let mut ports = nic::entries(node.get("nicnetworks").unwrap_or_default());
    ports.find(|(_, networks)| networks.split('|').any(|name| name.trim() == network)).map(|(port, _)| port)
}

/// The addresses of a cell such as `MAC!name|MAC!*NOIP*` of table mac, each with the name that stands behind it.
pub fn macs(cell: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let parts = cell.split('|').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('!').map_or((part, None), |(mac, name)| (mac, Some(name))))
}

fn nth<'n>(node: &'n Node, attribute: &str, port: &str, number: usize) -> &'n str {
    let values = node.get(attribute).and_then(|cell| nic::get(cell, port)).unwrap_or_default();
    values.split('|').nth(number).unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(attributes: &[(&str, &str)]) -> Node {
        let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Node::new("n1", attributes, None)
    }

    #[test]
    fn every_address_has_a_name() {
        let check = |given: &[(&str, &str)], expected: &str| {
            let node = node(&[&[("nicips", "eth1!10.1.0.1|fd00::1,ib0!10.2.0.1")], given].concat());
            let names = ports(&node).flat_map(|port| port.places).map(|place| {
                [place.address, &place.host_name].into_iter().chain(place.aliases).collect::<Vec<_>>().join(" ")
            });
            assert_eq!(names.collect::<Vec<_>>().join(", "), expected, "{given:?}");
        };
        check(&[], "10.1.0.1 n1-eth1, fd00::1 n1-eth1-2, 10.2.0.1 n1-ib0");
        check(&[("nichostnamesuffixes", "eth1!-a|-b,ib0!.ib")], "10.1.0.1 n1-a, fd00::1 n1-b, 10.2.0.1 n1.ib");
        check(&[("nichostnameprefixes", "ib0!ib-")], "10.1.0.1 n1-eth1, fd00::1 n1-eth1-2, 10.2.0.1 ib-n1");
        let both = [("nichostnameprefixes", "ib0!x-"), ("nichostnamesuffixes", "ib0!-y")];
        check(&both, "10.1.0.1 n1-eth1, fd00::1 n1-eth1-2, 10.2.0.1 x-n1-y");
        check(&[("nicaliases", "eth1!a b|c")], "10.1.0.1 n1-eth1 a b, fd00::1 n1-eth1-2 c, 10.2.0.1 n1-ib0");
    }

    #[test]
    fn a_network_is_on_one_port() {
        let node = node(&[("nicnetworks", "eth1!cluster|cluster6,ib0!ib")]);
        assert_eq!(["cluster6", "ib", "eth1"].map(|name| port_on(&node, name)), [Some("eth1"), Some("ib0"), None]);
    }

    #[test]
    fn hardware_addresses_and_their_names() {
        let cell = "02:00:00:00:00:01|02:00:00:00:00:02!n1-eth1|02:00:00:00:00:03!*NOIP*";
        let names: Vec<_> = macs(cell).map(|(_, name)| name).collect();
        assert_eq!(names, [None, Some("n1-eth1"), Some("*NOIP*")]);
        assert_eq!(macs("").count(), 0);
    }
}
