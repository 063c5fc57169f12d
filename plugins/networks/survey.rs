//! What a host says of its networks, read in one run of one program: devices, addresses, routes, forwarding entries and
//! packet filters; what its engine says comes beside it.
//!
//! Only devices and routes must be told. A host without a packet filter, say, has no program to ask about it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use ipnetwork::IpNetwork;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tables::Node;
use tokio::time::timeout;

use crate::{Error, Host, Result};

const SCRIPT: &str = include_str!("survey.sh");
/// Longer than any host takes, one with the routes of a whole internet included.
const LIMIT: Duration = Duration::from_secs(120);

/// The facts of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    pub devices: Vec<Device>,
    /// Of all tables, both families; default routes too.
    pub routes: Vec<Route>,
    pub entries: Vec<Entry>,
    /// None of a host that does not tell.
    pub neighbours: Option<Neighbours>,
    /// Whether it passes packets on between networks at all.
    pub forwards: bool,
    /// Whether what only crosses a bridge goes through the packet filter.
    pub filters_bridges: bool,
    /// The packet filter's rules as `iptables -S` writes them.
    pub rules: String,
    /// Chains of nftables that drop what they do not accept of forwarded packets, beside those of iptables.
    pub drops: Vec<String>,
    pub engine: EngineFacts,
}

/// A network device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub name: String,
    pub index: u32,
    /// What made it, such as `bridge` or `vxlan`; None of hardware.
    pub kind: Option<String>,
    pub mac: String,
    pub mtu: u32,
    pub up: bool,
    /// The bridge that it is a port of.
    pub master: Option<String>,
    /// The device below it.
    pub below: Option<String>,
    /// Of one end of a cable whose other end is in another namespace: the number of that end.
    pub peer: Option<u32>,
    /// The number of a tunnel.
    pub vni: Option<u32>,
    pub addresses: Vec<IpNetwork>,
}

/// A route to somewhere; only such as lead on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub to: IpNetwork,
    pub device: Option<String>,
    pub gateway: Option<IpAddr>,
}

/// Where a bridge or tunnel sends what is for a hardware address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    pub mac: String,
    #[serde(rename = "ifname")]
    pub device: String,
    /// The other end of the tunnel.
    pub dst: Option<String>,
}

/// The kernel's table of IPv4 neighbours, which all networks of a host share, containers' too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbours {
    /// How many it holds.
    #[serde(rename = "thresh3")]
    pub limit: u32,
    pub entries: u32,
    /// How often somebody did not get in, since the host's start.
    #[serde(rename = "table_fulls")]
    pub overflows: u64,
}

/// What the engine of a host has taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineFacts {
    pub networks: Vec<Held>,
    /// Where it takes ranges for networks that are given none.
    pub pools: Vec<IpNetwork>,
}

/// A range that a network of the engine has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub network: String,
    pub subnet: IpNetwork,
    /// The bridge it is on.
    pub bridge: Option<String>,
}

/// A container that runs in a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    pub container: String,
    /// Its first process, as the host counts.
    pub process: u32,
    pub address: IpAddr,
    pub mac: String,
}

/// Asks the engines of hosts.
#[async_trait]
pub trait EngineSurvey: Send + Sync {
    /// What the engine has taken.
    async fn facts(&self, host: &Node) -> Result<EngineFacts>;

    /// The containers that run in a network; none where the engine does not have it.
    async fn attached(&self, host: &Node, network: &str) -> Result<Vec<Attached>>;
}

impl Survey {
    /// The device of that name.
    pub fn device(&self, name: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.name == name)
    }

    /// The device that has an address.
    pub fn device_with(&self, address: IpAddr) -> Option<&Device> {
        let has = |device: &&Device| device.addresses.iter().any(|own| own.ip() == address);
        self.devices.iter().find(has)
    }
}

/// Asks a host; what its engine says is left out.
pub async fn look(host: &Host, name: &str) -> Result<Survey> {
    let what = || format!("{name}: cannot read its networks");
    let ran = timeout(LIMIT, host.try_run(&["sh", "-s"], SCRIPT.as_bytes())).await;
    let ran = ran.map_err(|_| Error::TimedOut { what: what(), after: LIMIT })??;
    read(&String::from_utf8_lossy(&ran.stdout)).map_err(|why| Error::Garbled { what: what(), why })
}

/// Reads what the script prints.
fn read(text: &str) -> std::result::Result<Survey, String> {
    let parts = split(text);
    let routes = [must::<RawRoute>(&parts, "routes")?, may(&parts, "routes6")].concat();
    let flag = |part: &str| parts.get(part).is_some_and(|part| part.text.trim() == "1");
    Ok(Survey {
        devices: must::<RawDevice>(&parts, "devices")?.into_iter().filter_map(device).collect(),
        routes: routes.iter().filter_map(route).collect(),
        entries: may::<Entry>(&parts, "entries"),
        neighbours: parts.get("neighbours").and_then(|part| neighbours(&part.text)),
        forwards: flag("forwards"),
        filters_bridges: flag("filters"),
        rules: parts.get("rules").filter(|part| part.good).map(|part| part.text.clone()).unwrap_or_default(),
        drops: parts.get("chains").map(|part| dropping_chains(&part.text)).unwrap_or_default(),
        engine: EngineFacts::default(),
    })
}

struct Part {
    text: String,
    /// The program has come to a good end.
    good: bool,
}

fn split(text: &str) -> HashMap<&str, Part> {
    let mut parts = HashMap::new();
    let mut open: Option<(&str, Vec<&str>)> = None;
    for line in text.lines() {
        match (line.strip_prefix("@="), line.strip_prefix('@')) {
            (Some(exit), _) => {
                if let Some((name, lines)) = open.take() {
                    parts.insert(name, Part { text: lines.join("\n").trim().to_owned(), good: exit == "0" });
                }
            }
            (None, Some(name)) => open = Some((name, Vec::new())),
            (None, None) => {
                if let Some((_, lines)) = &mut open {
                    lines.push(line);
                }
            }
        }
    }
    parts
}

/// A list that there must be; the error is the program's own last word.
fn must<T: DeserializeOwned>(parts: &HashMap<&str, Part>, name: &str) -> std::result::Result<Vec<T>, String> {
    let part = parts.get(name).ok_or_else(|| format!("it says nothing of its {name}"))?;
    if !part.good {
        let said = part.text.lines().last().unwrap_or("the program failed");
        return Err(format!("its {name}: {said}"));
    }
    list(&part.text).map_err(|error| format!("its {name}: {error}"))
}

/// A list that a host may not have; what cannot be read of it is as good as not there.
fn may<T: DeserializeOwned>(parts: &HashMap<&str, Part>, name: &str) -> Vec<T> {
    parts.get(name).filter(|part| part.good).and_then(|part| list(&part.text).ok()).unwrap_or_default()
}

/// Some versions of `ip` print nothing at all for an empty list.
fn list<T: DeserializeOwned>(text: &str) -> serde_json::Result<Vec<T>> {
    if text.is_empty() { Ok(Vec::new()) } else { serde_json::from_str(text) }
}

/// A device as `ip -j` writes it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RawDevice {
    ifname: String,
    ifindex: u32,
    link: Option<String>,
    link_index: Option<u32>,
    flags: Vec<String>,
    mtu: u32,
    master: Option<String>,
    address: String,
    linkinfo: RawKind,
    addr_info: Vec<RawAddress>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawKind {
    info_kind: Option<String>,
    info_data: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawAddress {
    local: String,
    prefixlen: u8,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct RawRoute {
    #[serde(rename = "type")]
    kind: Option<String>,
    dst: String,
    dev: Option<String>,
    gateway: Option<String>,
}

/// None of an empty object, which some versions of `ip` print for a device that they leave out.
fn device(raw: RawDevice) -> Option<Device> {
    let addresses = raw.addr_info.iter().filter_map(|raw| IpNetwork::new(raw.local.parse().ok()?, raw.prefixlen).ok());
    let tunnel = raw.linkinfo.info_kind.as_deref() == Some("vxlan");
    let vni = raw.linkinfo.info_data["id"].as_u64().and_then(|id| u32::try_from(id).ok()).filter(|_| tunnel);
    let below = raw.link.or_else(|| raw.linkinfo.info_data["link"].as_str().map(str::to_owned));
    let device = Device {
        addresses: addresses.collect(),
        name: raw.ifname,
        index: raw.ifindex,
        kind: raw.linkinfo.info_kind,
        mac: raw.address,
        mtu: raw.mtu,
        up: raw.flags.iter().any(|flag| flag == "UP"),
        master: raw.master,
        below,
        peer: raw.link_index,
        vni,
    };
    (!device.name.is_empty()).then_some(device)
}

/// The devices of a list that `ip -j link` printed.
pub(super) fn devices(text: &str) -> Vec<Device> {
    list::<RawDevice>(text.trim()).unwrap_or_default().into_iter().filter_map(device).collect()
}

/// The forwarding entries that `bridge -j fdb` printed.
pub(super) fn entries(text: &str) -> Vec<Entry> {
    list(text.trim()).unwrap_or_default()
}

/// The table that `ip -s -j ntable` printed among what it says of devices.
pub(super) fn neighbours(text: &str) -> Option<Neighbours> {
    let tables: Vec<Value> = list(text.trim()).ok()?;
    tables.into_iter().find_map(|table| serde_json::from_value(table).ok())
}

/// None where it leads nowhere, or only to the host itself.
fn route(raw: &RawRoute) -> Option<Route> {
    if raw.kind.as_deref().is_some_and(|kind| kind != "unicast") {
        return None;
    }
    let gateway: Option<IpAddr> = raw.gateway.as_deref().and_then(|gateway| gateway.parse().ok());
    let to = match raw.dst.as_str() {
        "default" => "0.0.0.0/0",
        other => other,
    };
    Some(Route { to: to.parse().ok()?, device: raw.dev.clone(), gateway })
}

/// Names those chains of `nft -j list chains` that drop by policy; the tables of iptables are told by its own program.
fn dropping_chains(text: &str) -> Vec<String> {
    let told: Value = serde_json::from_str(text).unwrap_or_default();
    let chains = told["nftables"].as_array().into_iter().flatten().map(|entry| &entry["chain"]);
    let drops = chains.filter(|chain| chain["hook"] == "forward" && chain["policy"] == "drop");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let named = drops.map(|chain| [&chain["family"], &chain["table"], &chain["name"]].map(word));
    let foreign = named.filter(|[family, table, _]| !(family == "ip" && table == "filter"));
    foreign.filter(|[family, ..]| family != "ip6").map(|words| words.join(" ")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOLD: &str = r#"
@devices
[{},{"ifindex":2,"ifname":"eth0","flags":["BROADCAST","UP"],"mtu":1500,"address":"02:00:00:00:00:01",
 "addr_info":[{"family":"inet","local":"10.77.0.1","prefixlen":24},{"local":"x","prefixlen":99}]},
 {"ifindex":5,"ifname":"vx7","flags":[],"mtu":1450,"master":"br-t","linkinfo":{"info_kind":"vxlan",
 "info_data":{"id":7,"local":"10.77.0.1","link":"eth0"}}},
 {"ifindex":9,"ifname":"veth1","link_index":8,"flags":["UP"],"mtu":1450,"linkinfo":{"info_kind":"veth"}}]

@=0

@routes
[{"dst":"default","gateway":"10.77.0.254","dev":"eth0","flags":[]},{"dst":"10.77.0.0/24","dev":"eth0"},
 {"type":"local","dst":"10.77.0.1","dev":"eth0","table":"local"},{"type":"blackhole","dst":"10.0.0.0/8"},
 {"dst":"10.9.0.7","dev":"eth0","table":"100"}]
@=0
@routes6

@=0
@entries
[{"mac":"00:00:00:00:00:00","ifname":"vx7","dst":"10.77.0.2","flags":["self"]},{"mac":"33:33:00:00:00:01","ifname":"br-t"}]
@=0
@forwards
1
@=0
@filters
cat: /proc/sys/net/bridge/bridge-nf-call-iptables: No such file or directory
@=1
@rules
-P FORWARD DROP
@=0
@chains
sh: 3: nft: not found
@=127
"#;

    #[test]
    fn a_host_is_read() {
        let survey = read(TOLD).unwrap();
        let names: Vec<&str> = survey.devices.iter().map(|device| device.name.as_str()).collect();
        assert_eq!(names, ["eth0", "vx7", "veth1"]);
        assert_eq!(survey.devices[0].addresses, ["10.77.0.1/24".parse().unwrap()]);
        assert_eq!((survey.devices[1].vni, survey.devices[1].up), (Some(7), false));
        assert_eq!(survey.devices[1].below.as_deref(), Some("eth0"));
        assert_eq!(survey.devices[2].peer, Some(8));
        let routes: Vec<String> = survey.routes.iter().map(|route| route.to.to_string()).collect();
        assert_eq!(routes, ["0.0.0.0/0", "10.77.0.0/24", "10.9.0.7/32"]);
        assert_eq!(survey.entries[0].dst.as_deref(), Some("10.77.0.2"));
        assert!(survey.forwards && !survey.filters_bridges && survey.drops.is_empty());
        assert_eq!(survey.rules, "-P FORWARD DROP");
        assert_eq!(survey.device_with([10, 77, 0, 1].into()).map(|device| device.mtu), Some(1500));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let check = |text: &str, expected: &str| assert_eq!(read(text).unwrap_err(), expected);
        check("", "it says nothing of its routes");
        check("@routes\nsh: 1: ip: not found\n@=127\n", "its routes: sh: 1: ip: not found");
        check(
            "@routes\n[]\n@=0\n@devices\n[1\n@=0\n",
            "its devices: invalid type: integer `1`, expected struct RawDevice at line 1 column 2",
        );
        check("@routes\n[]\n@=0\n@devices\n[]\n", "it says nothing of its devices");
    }

    #[test]
    fn chains_that_drop() {
        let chain = |family: &str, table: &str, policy: &str| {
            format!(
                r#"{{"chain":{{"family":"{family}","table":"{table}","name":"f","hook":"forward","policy":"{policy}"}}}}"#
            )
        };
        let chains = [
            chain("ip", "filter", "drop"),
            chain("inet", "fw", "drop"),
            chain("bridge", "b", "accept"),
            chain("ip6", "x", "drop"),
        ];
        let text = format!(r#"{{"nftables":[{{"metainfo":{{}}}},{}]}}"#, chains.join(","));
        assert_eq!(dropping_chains(&text), ["inet fw f"]);
        assert!(dropping_chains("nonsense").is_empty());
    }

    #[test]
    fn this_machine_can_be_asked() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let survey = runtime.block_on(look(&Host::Local, "here")).unwrap();
        assert!(survey.devices.iter().any(|device| device.name == "lo"), "{survey:?}");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<String>(), json in "[\\[\\]{}\",:a-z0-9]{0,40}") {
            read(&text).ok();
            read(&format!("@routes\n{json}\n@=0\n@devices\n{json}\n@=0\n@chains\n{json}\n@=0")).ok();
            devices(&json);
            entries(&json);
        }
    }
}
