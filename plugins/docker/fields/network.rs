//! How the container is reached: ports, links, names.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::Parsed;
use super::text::{list, whole, yes_no};

/// `node` or `node:alias`; the engine's form always has the alias.
pub(super) fn links(text: &str) -> Result<Vec<String>, String> {
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

/// The file of names that a host has for its containers. It is their /etc/hosts as a whole: the engine, which writes one of
/// its own for every other container, leaves it alone.
pub const HOSTS_FILE: &str = "/etc/xcrane/hosts";

pub(super) fn hosts_file(text: &str) -> Parsed {
    if !yes_no(text)? {
        return Ok(json!({}));
    }
    // A bind would make a directory where there is no such file yet; a mount is refused.
    let mount = json!({ "Type": "bind", "Source": HOSTS_FILE, "Target": "/etc/hosts", "ReadOnly": true });
    Ok(json!({ "HostConfig": { "Mounts": [mount] } }))
}

pub(super) fn dns(text: &str) -> Parsed {
    let servers = list(text, ',')?.into_iter().map(|item| {
        item.parse::<IpAddr>().map(|address| address.to_string()).map_err(|_| format!("'{item}' is not an IP address"))
    });
    Ok(json!({ "HostConfig": { "Dns": servers.collect::<Result<Vec<_>, _>>()? } }))
}

#[cfg(test)]
mod tests {
    use super::*;

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
