//! How the container is reached: network, addresses, ports, names.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use tables::Node;

use super::text::{list, whole};
use super::{Parsed, Part};

/// The networks that every engine has and that take no fixed address.
const BUILT_IN: [&str; 4] = ["bridge", "default", "host", "none"];

/// An attribute and what is wrong with it.
type Wrong = (&'static str, String);

/// Where a container stands in its network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in super::super) struct Addresses {
    pub(in super::super) network: Option<String>,
    pub(in super::super) mac: Option<String>,
    pub(in super::super) parts: Vec<Part>,
}

/// Reads `vmnics`, `ip`, `mac` and `dockerlinks`, which only together mean something: the fixed address and the links
/// are properties of the place in the named network.
pub(in super::super) fn addresses(node: &Node) -> Result<Addresses, Wrong> {
    let mut found = Addresses::default();
    if let Some(text) = node.get("vmnics") {
        let name = network_name(text).map_err(|why| ("vmnics", why))?;
        let body = json!({ "HostConfig": { "NetworkMode": name } });
        found.parts.push(Part { attribute: "vmnics", text: name.clone(), body });
        found.network = Some(name);
    }
    let own = found.network.clone().filter(|name| is_made(name));
    if let Some(text) = node.get("ip") {
        found.parts.extend(fixed_address(text, own.as_deref(), found.network.as_deref())?);
    }
    if let Some(text) = node.get("mac") {
        found.mac = Some(hardware_address(text).map_err(|why| ("mac", why))?);
    }
    if let Some(text) = node.get("dockerlinks") {
        let links = links(text).map_err(|why| ("dockerlinks", why))?;
        let body = match &own {
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
fn endpoint(network: &str, key: &str, value: Value) -> Value {
    json!({ "NetworkingConfig": { "EndpointsConfig": { network: { key: value } } } })
}

fn network_name(text: &str) -> Result<String, String> {
    if text.contains([',', '|']) {
        return Err(format!("'{text}' names several networks; it takes the name of one network of the host"));
    }
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "_.-:".contains(letter);
    if text.is_empty() || !text.chars().all(legal) {
        return Err(format!("'{text}' is not a network; it takes the name of one network of the host"));
    }
    Ok(text.to_owned())
}

/// With `vmnics=host` the address is the host's and nothing is asked of the engine.
fn fixed_address(text: &str, own: Option<&str>, network: Option<&str>) -> Result<Option<Part>, Wrong> {
    let address: IpAddr = text.parse().map_err(|_| ("ip", format!("'{text}' is not an IP address")))?;
    let Some(own) = own else {
        return match network {
            Some("host") => Ok(None),
            Some(other) => Err((
                "vmnics",
                format!(
                    "network '{other}' gives no fixed address, but ip is set; it takes the name of a network made on the host"
                ),
            )),
            None => Err((
                "vmnics",
                "is not set, but ip is; it takes the name of the host's network that holds this address".into(),
            )),
        };
    };
    let key = if address.is_ipv4() { "IPv4Address" } else { "IPv6Address" };
    let body = endpoint(own, "IPAMConfig", json!({ key: address.to_string() }));
    Ok(Some(Part { attribute: "ip", text: address.to_string(), body }))
}

/// xCAT may hold more in the cell (`mac!hostname`, several with `|`); the first address is the container's.
fn hardware_address(text: &str) -> Result<String, String> {
    let first = text.split(['|', '!']).next().unwrap_or_default().trim();
    let separated: Vec<&str> = first.split([':', '-']).collect();
    let octets: Option<Vec<u8>> = separated.iter().map(|part| u8::from_str_radix(part, 16).ok()).collect();
    let octets = octets.filter(|octets| octets.len() == 6 && separated.iter().all(|part| part.len() == 2));
    let octets =
        octets.ok_or_else(|| format!("'{text}' is not a MAC address; it takes one such as 02:77:00:00:00:01"))?;
    if octets[0] & 1 == 1 {
        return Err(format!("'{text}' is a multicast address; the first octet of a container's MAC address is even"));
    }
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":"))
}

/// `node` or `node:alias`; the engine's form always has the alias.
fn links(text: &str) -> Result<Vec<String>, String> {
    let takes = "it takes NODE or NODE:ALIAS separated by commas";
    let links = list(text, ',').map_err(|why| format!("{why}; {takes}"))?.into_iter().map(|item| {
        let (node, alias) = item.split_once(':').unwrap_or((item, item));
        let good = !node.is_empty() && !alias.is_empty() && !alias.contains(':');
        good.then(|| format!("{node}:{alias}")).ok_or_else(|| format!("'{item}' is not a link; {takes}"))
    });
    links.collect()
}

pub(super) fn ports(text: &str) -> Parsed {
    let mut exposed = Map::new();
    let mut bindings: Map<String, Value> = Map::new();
    for item in list(text, ',')? {
        let (address, host, inner) = port(item).ok_or_else(|| format!("'{item}' is not a port"))?;
        exposed.insert(inner.clone(), json!({}));
        let binding = json!({ "HostIp": address, "HostPort": host.to_string() });
        match bindings.entry(inner).or_insert_with(|| json!([])) {
            Value::Array(places) => places.push(binding),
            _ => return Err(format!("'{item}' is not a port")),
        }
    }
    Ok(json!({ "ExposedPorts": exposed, "HostConfig": { "PortBindings": bindings } }))
}

/// `[ip:]host:container[/proto]` as (ip or "", host port, `container/proto`).
fn port(item: &str) -> Option<(String, u16, String)> {
    let (ends, protocol) = item.split_once('/').unwrap_or((item, "tcp"));
    if !matches!(protocol, "tcp" | "udp" | "sctp") {
        return None;
    }
    let (outer, inner) = ends.rsplit_once(':')?;
    let (address, host) = match outer.rsplit_once(':') {
        Some((address, host)) => {
            let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
            (bare.parse::<IpAddr>().ok()?.to_string(), host)
        }
        None => (String::new(), outer),
    };
    let number = |text: &str| whole::<u16>(text).filter(|&number| number > 0);
    Some((address, number(host)?, format!("{}/{protocol}", number(inner)?)))
}

pub(super) fn extra_hosts(text: &str) -> Parsed {
    let hosts = list(text, ',')?.into_iter().map(|item| {
        let (name, address) = item.split_once(':').ok_or_else(|| format!("'{item}' has no ':'"))?;
        if name.is_empty() || (address != "host-gateway" && address.parse::<IpAddr>().is_err()) {
            return Err(format!("'{item}' is not a name and an IP address"));
        }
        Ok(format!("{name}:{address}"))
    });
    Ok(json!({ "HostConfig": { "ExtraHosts": hosts.collect::<Result<Vec<_>, _>>()? } }))
}

pub(super) fn dns(text: &str) -> Parsed {
    let servers = list(text, ',')?.into_iter().map(|item| {
        item.parse::<IpAddr>().map(|address| address.to_string()).map_err(|_| format!("'{item}' is not an IP address"))
    });
    Ok(json!({ "HostConfig": { "Dns": servers.collect::<Result<Vec<_>, _>>()? } }))
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
        assert_eq!(found.mac.as_deref(), Some("02:77:00:00:00:0a"));
        let place = json!({ "tnet": { "IPAMConfig": { "IPv4Address": "10.1.0.1" } } });
        assert_eq!(found.parts[1].body, json!({ "NetworkingConfig": { "EndpointsConfig": place } }));
        let found = addresses(&node(&[("vmnics", "tnet"), ("ip", "fd00::1")])).expect("good");
        assert!(found.parts[1].body.to_string().contains(r#""IPv6Address":"fd00::1""#));
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
        check(&[("vmnics", "a,b")], Some("vmnics"));
        check(&[("vmnics", "a b")], Some("vmnics"));
        check(&[("mac", "02:77:00:00:00")], Some("mac"));
        check(&[("mac", "01:77:00:00:00:01")], Some("mac"));
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

    #[test]
    fn published_ports() {
        let check = |text: &str, expected: Option<Value>| {
            let bindings = ports(text).ok().map(|body| body["HostConfig"]["PortBindings"].clone());
            assert_eq!(bindings, expected, "{text}");
        };
        check("8080:80", Some(json!({ "80/tcp": [{ "HostIp": "", "HostPort": "8080" }] })));
        check("127.0.0.1:53:53/udp", Some(json!({ "53/udp": [{ "HostIp": "127.0.0.1", "HostPort": "53" }] })));
        check("[::1]:80:80", Some(json!({ "80/tcp": [{ "HostIp": "::1", "HostPort": "80" }] })));
        let twice = json!([{ "HostIp": "", "HostPort": "81" }, { "HostIp": "", "HostPort": "82" }]);
        check("81:80,82:80", Some(json!({ "80/tcp": twice })));
        for wrong in ["", "80", "0:80", "80:0", "80:80/icmp", "x:80", "80:70000", "h1:80:80", "80:80,"] {
            check(wrong, None);
        }
    }

    #[test]
    fn names_and_servers() {
        let hosts = json!({ "HostConfig": { "ExtraHosts": ["a:10.0.0.1", "b:fd00::1", "c:host-gateway"] } });
        assert_eq!(extra_hosts("a:10.0.0.1,b:fd00::1,c:host-gateway"), Ok(hosts));
        assert!(extra_hosts("a").is_err() && extra_hosts("a:b").is_err() && extra_hosts(":10.0.0.1").is_err());
        assert!(dns("8.8.8.8,ns1").is_err());
    }
}
