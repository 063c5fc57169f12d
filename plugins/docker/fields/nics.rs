//! Where a container stands: its networks, and its address, MAC and router in each.
//!
//! `vmnics` names the networks. The first one is the container's own: `ip` and the first of `mac` belong to it. Each further
//! one is a port of table nics, found by `nicnetworks`, else by its place: `eth1` is the second.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value, json};
use tables::{Node, nics};

use super::Part;
use super::network::links;

/// The networks that every engine has and that take no fixed address.
const BUILT_IN: [&str; 4] = ["bridge", "default", "host", "none"];
/// The only one of them that a container can have beside others.
const BESIDE: &str = "bridge";
const TAKES: &str = "it takes the names of networks of the host, separated by commas";

/// An attribute and what is wrong with it.
type Wrong = (&'static str, String);

/// Where a container stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in super::super) struct Addresses {
    /// The first of `vmnics`, or what the container has in place of networks, such as `host`.
    pub(in super::super) network: Option<String>,
    /// One for each network of `vmnics`; none where it has no network of its own.
    pub(in super::super) nics: Vec<Nic>,
    /// The MAC address of a container that names no network.
    pub(in super::super) mac: Option<String>,
    pub(in super::super) parts: Vec<Part>,
}

/// A port of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Nic {
    /// As table nics calls it.
    pub(in super::super) name: String,
    pub(in super::super) network: String,
    pub(in super::super) ipv4: Option<Ipv4Addr>,
    pub(in super::super) ipv6: Option<Ipv6Addr>,
    pub(in super::super) mac: Option<String>,
    /// Whether the default route goes through it; told apart only where there are several.
    pub(in super::super) routes: bool,
}

impl Nic {
    /// The engine's form of the fixed addresses; null if there are none.
    pub(in super::super) fn fixed(&self) -> Value {
        let mut fixed = Map::new();
        fixed.extend(self.ipv4.map(|address| ("IPv4Address".into(), json!(address))));
        fixed.extend(self.ipv6.map(|address| ("IPv6Address".into(), json!(address))));
        if fixed.is_empty() { Value::Null } else { fixed.into() }
    }

    pub(in super::super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.ipv4.map(IpAddr::from).into_iter().chain(self.ipv6.map(IpAddr::from))
    }

    fn take(&mut self, text: &str) -> Result<(), String> {
        let second = |kind: &str| format!("'{text}' is a second IPv{kind} address of {}, which takes one", self.name);
        match text.parse() {
            Ok(IpAddr::V4(address)) if self.ipv4.is_none_or(|known| known == address) => self.ipv4 = Some(address),
            Ok(IpAddr::V6(address)) if self.ipv6.is_none_or(|known| known == address) => self.ipv6 = Some(address),
            Ok(IpAddr::V4(_)) => return Err(second("4")),
            Ok(IpAddr::V6(_)) => return Err(second("6")),
            Err(_) => return Err(format!("'{text}' is not an IP address")),
        }
        Ok(())
    }
}

/// Reads `vmnics`, `ip`, `mac`, `dockergateway`, `dockerlinks` and the cells of table nics, which only together mean
/// something: addresses and links are properties of the place in a named network.
pub(in super::super) fn addresses(node: &Node) -> Result<Addresses, Wrong> {
    let mut found = Addresses::default();
    let networks = networks(node).map_err(|why| ("vmnics", why))?;
    if let (Some(text), Some(first)) = (node.get("vmnics"), networks.first()) {
        let body = json!({ "HostConfig": { "NetworkMode": first } });
        found.parts.push(Part { attribute: "vmnics", text: text.to_owned(), body });
        found.network = Some((*first).to_owned());
    }
    let own = networks.first().copied().filter(|name| is_made(name));
    if own.is_some() || networks.len() > 1 {
        found.nics = ports(node, &networks)?;
    } else {
        found.mac = node
            .get("mac")
            .and_then(|cell| nics::macs(cell).next())
            .map(|(mac, _)| hardware_address(mac))
            .transpose()
            .map_err(|why| ("mac", why))?;
    }
    match (own, node.get("ip")) {
        (Some(own), _) => found.parts.extend(fixed_place(own, &found.nics[0])),
        (None, Some(ip)) => without_network(ip, networks.first().copied())?,
        (None, None) => {}
    }
    choose_router(node.get("dockergateway"), &mut found.nics)?;
    if let Some(text) = node.get("dockerlinks") {
        let links = links(text).map_err(|why| ("dockerlinks", why))?;
        let body = match own {
            Some(network) => endpoint(network, "Links", json!(links)),
            None => json!({ "HostConfig": { "Links": links } }),
        };
        found.parts.push(Part { attribute: "dockerlinks", text: text.to_owned(), body });
    }
    Ok(found)
}

/// Whether someone has to make the network on the host before a container can be in it.
pub(in super::super) fn is_made(network: &str) -> bool {
    !BUILT_IN.contains(&network) && !network.starts_with("container:")
}

/// The part of a create body that describes the place in `network`.
pub(super) fn endpoint(network: &str, key: &str, value: Value) -> Value {
    json!({ "NetworkingConfig": { "EndpointsConfig": { network: { key: value } } } })
}

fn networks(node: &Node) -> Result<Vec<&str>, String> {
    let Some(text) = node.get("vmnics") else { return Ok(Vec::new()) };
    let networks: Vec<&str> = text.split(',').map(str::trim).collect();
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "_.-:".contains(letter);
    if let Some(odd) = networks.iter().find(|name| name.is_empty() || !name.chars().all(legal)) {
        return Err(format!("'{odd}' is not a network; {TAKES}"));
    }
    for (place, name) in networks.iter().enumerate() {
        if networks[..place].contains(name) {
            return Err(format!("names network '{name}' twice; a container is in a network once"));
        }
    }
    let alone = networks.iter().find(|name| networks.len() > 1 && **name != BESIDE && !is_made(name));
    match alone {
        Some(name) => Err(format!("'{name}' cannot be one of several networks")),
        None => Ok(networks),
    }
}

fn ports(node: &Node, networks: &[&str]) -> Result<Vec<Nic>, Wrong> {
    let mut found: Vec<Nic> = Vec::new();
    for (place, network) in networks.iter().enumerate() {
        let name = nics::port_on(node, network).map_or_else(|| format!("eth{place}"), str::to_owned);
        if let Some(other) = found.iter().find(|other| other.name == name) {
            let why = format!("networks {} and {network} would both be on {name}; say which is where", other.network);
            return Err(("nicnetworks", why));
        }
        let routes = place == 0;
        found.push(Nic { name, network: (*network).to_owned(), ipv4: None, ipv6: None, mac: None, routes });
    }
    if let Some(ip) = node.get("ip") {
        found[0].take(ip).map_err(|why| ("ip", why))?;
    }
    for port in nics::ports(node) {
        let Some(nic) = found.iter_mut().find(|nic| nic.name == port.name) else {
            let why = format!("{} has an address but no network: vmnics has {}", port.name, networks.join(","));
            return Err(("nicips", why));
        };
        port.places.iter().try_for_each(|place| nic.take(place.address)).map_err(|why| ("nicips", why))?;
    }
    if let Some(nic) = found.iter().find(|nic| !is_made(&nic.network) && nic.addresses().next().is_some()) {
        return Err(("vmnics", fixed_nowhere(&nic.network)));
    }
    give_macs(node, &mut found).map_err(|why| ("mac", why))?;
    Ok(found)
}

/// Hands out the addresses of the cell: to the port whose host name or name stands behind one, else by their places.
fn give_macs(node: &Node, found: &mut [Nic]) -> Result<(), String> {
    let cell = node.get("mac").unwrap_or_default();
    let mut rest = Vec::new();
    for (place, (mac, name)) in nics::macs(cell).enumerate() {
        let mac = hardware_address(mac)?;
        let named = |nic: &Nic| {
            let own = nics::ports(node).filter(|port| port.name == nic.name).flat_map(|port| port.places);
            let mut names = own.map(|place| place.host_name);
            name.is_some_and(|name| {
                name == nic.name || names.any(|own| own == name) || nics::host_name(node, &nic.name, 0) == name
            })
        };
        // The node's own name is that of its first port.
        let at = if name == Some(node.name()) { Some(0) } else { found.iter().position(named) };
        match at.and_then(|at| found.get_mut(at)) {
            Some(nic) => nic.mac = Some(mac),
            None => rest.push((place, mac)),
        }
    }
    for (place, mac) in rest {
        if let Some(nic) = found.get_mut(place).filter(|nic| nic.mac.is_none()) {
            nic.mac = Some(mac);
        }
    }
    Ok(())
}

fn fixed_place(own: &str, nic: &Nic) -> Option<Part> {
    let text: Vec<String> = nic.addresses().map(|address| address.to_string()).collect();
    let body = || endpoint(own, "IPAMConfig", nic.fixed());
    (!text.is_empty()).then(|| Part { attribute: "ip", text: text.join("|"), body: body() })
}

/// With `vmnics=host` the address is the host's and nothing is asked of the engine.
fn without_network(ip: &str, network: Option<&str>) -> Result<(), Wrong> {
    if ip.parse::<IpAddr>().is_err() {
        return Err(("ip", format!("'{ip}' is not an IP address")));
    }
    match network {
        Some("host") => Ok(()),
        Some(other) => Err(("vmnics", fixed_nowhere(other))),
        None => {
            let why = "is not set, but ip is; it takes the name of the host's network that holds this address";
            Err(("vmnics", why.into()))
        }
    }
}

fn fixed_nowhere(network: &str) -> String {
    format!(
        "network '{network}' gives no fixed address, but ip is set; it takes the name of a network made on the host"
    )
}

/// The default route goes where `dockergateway` says, else through the first port.
fn choose_router(wanted: Option<&str>, nics: &mut [Nic]) -> Result<(), Wrong> {
    let Some(wanted) = wanted else { return Ok(()) };
    if !nics.iter().any(|nic| nic.network == wanted) {
        let why = format!("'{wanted}' is not among the container's networks; it takes one of vmnics");
        return Err(("dockergateway", why));
    }
    nics.iter_mut().for_each(|nic| nic.routes = nic.network == wanted);
    Ok(())
}

fn hardware_address(text: &str) -> Result<String, String> {
    let separated: Vec<&str> = text.split([':', '-']).collect();
    let octets: Option<Vec<u8>> = separated.iter().map(|part| u8::from_str_radix(part, 16).ok()).collect();
    let octets = octets.filter(|octets| octets.len() == 6 && separated.iter().all(|part| part.len() == 2));
    let octets =
        octets.ok_or_else(|| format!("'{text}' is not a MAC address; it takes one such as 02:77:00:00:00:01"))?;
    if octets[0] & 1 == 1 {
        return Err(format!("'{text}' is a multicast address; the first octet of a container's MAC address is even"));
    }
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn node(attributes: &[(&str, &str)]) -> Node {
        let attributes: BTreeMap<_, _> =
            attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Node::new("n1", attributes, None)
    }

    #[test]
    fn a_fixed_address_stands_in_its_network() {
        let found =
            addresses(&node(&[("vmnics", "tnet"), ("ip", "10.1.0.1"), ("mac", "02-77-00-00-00-0A")])).expect("good");
        assert_eq!(found.network.as_deref(), Some("tnet"));
        assert_eq!(found.nics[0].mac.as_deref(), Some("02:77:00:00:00:0a"));
        let place = json!({ "tnet": { "IPAMConfig": { "IPv4Address": "10.1.0.1" } } });
        assert_eq!(found.parts[1].body, json!({ "NetworkingConfig": { "EndpointsConfig": place } }));
        let found = addresses(&node(&[("vmnics", "tnet"), ("ip", "fd00::1")])).expect("good");
        assert!(found.parts[1].body.to_string().contains(r#""IPv6Address":"fd00::1""#));
    }

    #[test]
    fn ports_by_place_or_by_network() {
        // A port in a line: name, network, addresses, MAC address, and a star where the default route is.
        let check = |given: &[(&str, &str)], expected: &str| {
            let found = addresses(&node(given)).expect("good");
            let port = |nic: &Nic| {
                let addresses: Vec<String> = nic.addresses().map(|address| address.to_string()).collect();
                let mac = nic.mac.as_deref().map_or("-", |mac| &mac[15..]);
                let star = if nic.routes { "*" } else { "" };
                format!("{} {} {} {mac}{star}", nic.name, nic.network, addresses.join("|"))
            };
            assert_eq!(found.nics.iter().map(port).collect::<Vec<_>>().join(", "), expected, "{given:?}");
        };
        let two = [("vmnics", "a,b"), ("ip", "10.1.0.1"), ("nicips", "eth0!10.1.0.1|fd00::1,eth1!10.2.0.1")];
        check(&two, "eth0 a 10.1.0.1|fd00::1 -*, eth1 b 10.2.0.1 -");
        check(&[&two[..], &[("dockergateway", "b")]].concat(), "eth0 a 10.1.0.1|fd00::1 -, eth1 b 10.2.0.1 -*");
        let macs = ("mac", "02:00:00:00:00:01|02:00:00:00:00:02");
        check(&[&two[..], &[macs]].concat(), "eth0 a 10.1.0.1|fd00::1 01*, eth1 b 10.2.0.1 02");
        let named = ("mac", "02:00:00:00:00:02!n1-eth1|02:00:00:00:00:01!n1");
        check(&[&two[..], &[named]].concat(), "eth0 a 10.1.0.1|fd00::1 01*, eth1 b 10.2.0.1 02");
        let named = ("mac", "02:00:00:00:00:01|02:00:00:00:00:02!*NOIP*");
        check(&[&two[..], &[named]].concat(), "eth0 a 10.1.0.1|fd00::1 01*, eth1 b 10.2.0.1 02");
        let moved =
            [("vmnics", "a,b"), ("nicnetworks", "ib0!b"), ("nicips", "ib0!10.2.0.1"), ("mac", "02:00:00:00:00:02!ib0")];
        check(&moved, "eth0 a  -*, ib0 b 10.2.0.1 02");
        check(&[("vmnics", "a,bridge"), ("ip", "10.1.0.1")], "eth0 a 10.1.0.1 -*, eth1 bridge  -");
        check(&[("vmnics", "host"), ("ip", "10.1.0.1"), ("nicips", "eth7!10.2.0.1")], "");
    }

    #[test]
    fn the_wrong_attribute_is_named() {
        let check = |given: &[(&str, &str)], expected: Option<&str>| {
            assert_eq!(addresses(&node(given)).err().map(|(attribute, _)| attribute), expected, "{given:?}");
        };
        check(&[("ip", "10.1.0.1")], Some("vmnics"));
        check(&[("ip", "10.1.0.1"), ("vmnics", "bridge")], Some("vmnics"));
        check(&[("ip", "10.1.0.1"), ("vmnics", "host")], None);
        check(&[("ip", "10.1.0"), ("vmnics", "tnet")], Some("ip"));
        check(&[("vmnics", "a,b")], None);
        check(&[("vmnics", "a,a")], Some("vmnics"));
        check(&[("vmnics", "a,")], Some("vmnics"));
        check(&[("vmnics", "a,host")], Some("vmnics"));
        check(&[("vmnics", "a b")], Some("vmnics"));
        check(&[("vmnics", "a|b")], Some("vmnics"));
        check(&[("vmnics", "a,bridge"), ("nicips", "eth1!10.2.0.1")], Some("vmnics"));
        check(&[("vmnics", "a,b"), ("nicips", "eth2!10.2.0.1")], Some("nicips"));
        check(&[("vmnics", "a,b"), ("nicips", "eth1!10.2.0")], Some("nicips"));
        check(&[("vmnics", "a,b"), ("nicips", "eth1!10.2.0.1|10.2.0.2")], Some("nicips"));
        check(&[("vmnics", "a"), ("ip", "10.1.0.1"), ("nicips", "eth0!10.1.0.2")], Some("nicips"));
        check(&[("vmnics", "a,b"), ("nicnetworks", "eth1!a")], Some("nicnetworks"));
        check(&[("vmnics", "a,b"), ("dockergateway", "c")], Some("dockergateway"));
        check(&[("mac", "02:77:00:00:00")], Some("mac"));
        check(&[("mac", "01:77:00:00:00:01")], Some("mac"));
        check(&[("vmnics", "a,b"), ("mac", "02:77:00:00:00:01|02:77:00:00:00")], Some("mac"));
        check(&[("mac", "02:77:00:00:00:01!n1")], None);
        check(&[("dockerlinks", "n2:")], Some("dockerlinks"));
        check(&[], None);
    }

    #[test]
    fn links_belong_to_the_network() {
        let found = addresses(&node(&[("vmnics", "tnet"), ("dockerlinks", "n2,n3:db")])).expect("good");
        assert_eq!(found.parts[1].body, endpoint("tnet", "Links", json!(["n2:n2", "n3:db"])));
        let found = addresses(&node(&[("dockerlinks", "n2")])).expect("good");
        assert_eq!(found.parts[0].body, json!({ "HostConfig": { "Links": ["n2:n2"] } }));
    }
}
