//! Networks over many hosts: what they are, and what must be true of a host that carries one.
//!
//! Reading order: the model below, `driver` (what a driver is, and the list of them), `script` (what most of them leave on a
//! host), then a file a driver; `engine` is the engine's side, `uplink` what a host says of its ports.

mod bridge;
mod claim;
mod driver;
mod engine;
mod firewall;
mod macvlan;
mod outward;
mod overlap;
mod overlay;
mod ovs;
pub mod planner;
pub mod proof;
mod ranges;
mod script;
pub mod survey;
mod uplink;
mod vxlan;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

pub use self::claim::{is_taken, strangers, take_as_own};
pub use self::driver::{Addressing, Driver, Purpose, Wire};
pub use self::engine::{EngineNetwork, EngineNetworks, EngineStep, Present, SwarmRole, engine_step};
pub use self::overlap::Taken;
pub use self::ranges::overlap;
pub use self::uplink::{Uplink, uplink};
pub use self::vxlan::derived_vni;
use crate::setup::{Observed, Thing};
use crate::{Error, Result};

/// The most that an Ethernet of usual packets carries.
pub const USUAL_MTU: u32 = 1500;

/// The kernel's names of ports are no longer.
const LONGEST_NAME: usize = 15;

/// A network and the hosts that carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Also the name of the engine's network on every host.
    pub name: String,
    pub driver: Driver,
    pub subnet: IpNetwork,
    /// A router on the network; without one its containers reach each other and nothing else.
    pub gateway: Option<IpAddr>,
    /// The addresses that are ours to give, first and last.
    pub range: Option<(IpAddr, IpAddr)>,
    /// The greatest packet that containers may send.
    pub mtu: u32,
    pub vlan: Option<u16>,
    /// The number of its tunnels; None where it has none.
    pub vni: Option<u32>,
    /// The host that tunnels go through.
    pub hub: Option<String>,
    /// The port of every host that leads into it.
    pub uplink: Option<String>,
    pub options: BTreeMap<String, String>,
    /// Sorted by host.
    pub members: Vec<Member>,
}

/// A host that carries a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub host: String,
    /// The host's own address, between which tunnels run.
    pub address: IpAddr,
}

impl Network {
    /// Whether its hosts are joined by tunnels of ours between their addresses.
    pub fn is_tunnelled(&self) -> bool {
        self.driver.is_bridged() && (self.uplink.is_none() || self.vni.is_some())
    }

    /// The hosts other than this one.
    pub fn peers(&self, member: &Member) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |other| other.host != member.host)
    }

    /// Whether its packets travel inside others.
    pub fn is_wrapped(&self) -> bool {
        self.is_tunnelled() || self.is_of_swarm()
    }

    /// Whether the managers of a swarm make it, for all engines of theirs.
    pub fn is_of_swarm(&self) -> bool {
        self.driver.addressing() == Addressing::Swarm
    }

    /// Whether what was made as `was` can be brought in step where it stands.
    pub fn comes_in_place_of(&self, was: &Self) -> bool {
        let alike = self.driver == was.driver && self.subnet.is_ipv4() == was.subnet.is_ipv4();
        alike && self.carrier().comes_in_place(self, was)
    }

    /// The name of its bridge on every host.
    pub fn bridge(&self) -> String {
        bridge_name(&self.name)
    }
}

/// A kernel's name for a port has 15 letters at most.
pub fn bridge_name(network: &str) -> String {
    format!("br-{}", short_name(network))
}

/// What fits behind a prefix of three letters.
fn short_name(network: &str) -> String {
    network.chars().take(12).collect()
}

/// The program for the firewall of the network's family.
fn filter(network: &Network) -> &'static str {
    if network.subnet.is_ipv4() { "iptables" } else { "ip6tables" }
}

/// Bytes of each packet that the driver's wrapping takes from what the uplink carries.
pub fn overhead(network: &Network) -> u32 {
    if !network.is_wrapped() {
        return 0;
    }
    // The tag travels inside the tunnel; on an uplink it is none of the packet's length.
    let tag = if network.vlan.is_some() { 4 } else { 0 };
    let more = tag + network.carrier().encryption(network);
    match network.members.iter().any(|member| member.address.is_ipv6()) {
        // Outer IP (20 or 40), UDP (8), VXLAN (8) and the inner Ethernet header (14).
        false => 50 + more,
        true => 70 + more,
    }
}

/// Refuses a network that its driver cannot make, naming the attribute.
pub fn check(network: &Network) -> Result<()> {
    if network.subnet.is_ipv6() {
        let why = format!("{} is IPv6, and engines make no network without IPv4", network.subnet);
        return Err(Error::Definition { attribute: "net".into(), why });
    }
    network.carrier().check(network)
}

/// Why a host cannot carry the network, by what it says of its devices.
pub fn unfit(network: &Network, survey: &survey::Survey) -> Option<String> {
    network.carrier().unfit(network, survey)
}

/// What must be true of a host that carries the network.
pub fn wanted(network: &Network, member: &Member) -> Vec<Thing> {
    let carrier = network.carrier();
    let mut things = claim::wanted(network, &carrier.claims(network, member));
    things.extend(carrier.wanted(network, member));
    things
}

/// What must be true of a host that carries it no longer; `network` is as it was made there.
pub fn unwanted(network: &Network) -> Vec<Thing> {
    network.carrier().unwanted(network)
}

/// What the engine of every host is told.
pub fn engine_network(network: &Network) -> EngineNetwork {
    network.carrier().engine_network(network)
}

/// What a host lacks for its things and must not be given unasked, from what was observed there.
pub fn lacks(network: &Network, observed: &Observed) -> Option<&'static str> {
    network.carrier().lacks(observed)
}

/// The same things for a host on which may be installed what it lacks.
pub fn installing(network: &Network, things: Vec<Thing>) -> Vec<Thing> {
    network.carrier().installing(things)
}

/// The greatest block of addresses with a common prefix between two addresses: engines want ranges said so.
fn block_within((first, last): (IpAddr, IpAddr)) -> Option<IpNetwork> {
    let bits = if first.is_ipv4() { 32 } else { 128 };
    (1..=bits).find_map(|prefix| {
        let size = 1_u128 << (bits - prefix);
        let start = number(first).checked_next_multiple_of(size)?;
        let end = start.checked_add(size - 1)?;
        let address =
            if first.is_ipv4() { IpAddr::V4(u32::try_from(start).ok()?.into()) } else { IpAddr::V6(start.into()) };
        if end > number(last) { None } else { IpNetwork::new(address, prefix).ok() }
    })
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// Refuses options that the driver does not have.
fn check_options(network: &Network, known: &[&str]) -> Result<()> {
    let Some(unknown) = network.options.keys().find(|name| !known.contains(&name.as_str())) else { return Ok(()) };
    let takes = if known.is_empty() { "it takes none".to_owned() } else { format!("it takes {}", known.join(", ")) };
    let why = format!("driver {} has no option '{unknown}'; {takes}", network.driver.word());
    Err(Error::Definition { attribute: "options".into(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bridges_have_short_names() {
        let check = |network: &str, expected: &str| assert_eq!(bridge_name(network), expected);
        check("blue", "br-blue");
        check("10_77_0_0-255_255_0_0", "br-10_77_0_0-25");
    }

    #[test]
    fn blocks_within_ranges() {
        let check = |first: &str, last: &str, expected: Option<&str>| {
            let block = block_within((first.parse().expect("an address"), last.parse().expect("an address")));
            assert_eq!(block.map(|block| block.to_string()).as_deref(), expected, "{first}-{last}");
        };
        check("10.80.0.0", "10.80.255.255", Some("10.80.0.0/16"));
        check("10.80.0.10", "10.80.0.200", Some("10.80.0.64/26"));
        check("10.80.0.7", "10.80.0.7", Some("10.80.0.7/32"));
        check("255.255.255.254", "255.255.255.255", Some("255.255.255.254/31"));
        check("10.80.0.9", "10.80.0.8", None);
        check("fd00::1:0", "fd00::1:ffff", Some("fd00::1:0/112"));
    }

    #[test]
    fn tunnels_take_room() {
        let check = |uplink: Option<&str>, vni: Option<u32>, address: &str, expected: u32| {
            let mut network = vxlan::tests::network();
            network.uplink = uplink.map(Into::into);
            network.vni = vni;
            network.members[0].address = address.parse().expect("an address");
            assert_eq!(overhead(&network), expected, "{uplink:?} {vni:?} {address}");
        };
        check(None, Some(7), "10.0.0.1", 50);
        check(Some("eth1"), Some(7), "10.0.0.1", 50);
        check(Some("eth1"), None, "10.0.0.1", 0);
        check(None, Some(7), "fd00::1", 70);
    }
}
