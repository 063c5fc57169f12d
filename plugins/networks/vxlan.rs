//! Driver `bridge` without an uplink: a Linux bridge on every host, joined with all others by VXLAN (RFC 7348).
//!
//! Each host sends what is for all to every other host itself; no multicast is asked of the site's network. Where a
//! container is, bridges learn from its packets.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use sha2::{Digest, Sha256};

use super::claim::Claims;
use super::driver::{Carrier, Frame};
use super::engine::EngineNetwork;
use super::script::{self, BRIDGES, Script, TUNNELS};
use super::{Member, Network, block_within, check_options, filter};
use crate::setup::Thing;
use crate::{Error, Result};

const FUNCTIONS: &str = include_str!("vxlan.sh");

/// The registered port; Swarm's overlay has it too, which does not hurt where their numbers differ.
const PORT: u16 = 4789;

/// Driver `bridge` where tunnels join the hosts.
pub(super) struct Mesh;

impl Carrier for Mesh {
    fn word(&self) -> &'static str {
        "bridge"
    }

    fn is_meant(&self, network: &Network) -> bool {
        network.is_tunnelled()
    }

    fn check(&self, network: &Network) -> Result<()> {
        check(network)
    }

    fn wanted(&self, network: &Network, member: &Member) -> Vec<Thing> {
        script::wanted(network, member, &script(network, member))
    }

    fn unwanted(&self, network: &Network) -> Vec<Thing> {
        script::unwanted(network, &[tunnel(network), network.bridge()])
    }

    fn engine_network(&self, network: &Network) -> EngineNetwork {
        engine_network(network)
    }

    fn frame(&self, network: &Network) -> Frame {
        Frame::Bridge { outlet: tunnel(network) }
    }

    fn tunnels(&self, network: &Network, member: &Member) -> Vec<(String, Vec<IpAddr>)> {
        vec![(tunnel(network), network.peers(member).map(|peer| peer.address).collect())]
    }

    fn claims(&self, network: &Network, _member: &Member) -> Claims {
        Claims { devices: vec![network.bridge(), tunnel(network)], switch: None }
    }

    fn is_bridged(&self) -> bool {
        true
    }

    /// Its script puts one tunnel in the place of another.
    fn comes_in_place(&self, _network: &Network, was: &Network) -> bool {
        was.is_tunnelled()
    }
}

fn check(network: &Network) -> Result<()> {
    let refuse = |attribute: &str, why: String| Err(Error::Definition { attribute: attribute.into(), why });
    check_options(network, &["internal", "port"])?;
    check_port(network)?;
    check_internal(network)?;
    if network.vlan.is_some() {
        return refuse("vlanid", "tunnels have no VLAN; it goes with an uplink and without a vni".into());
    }
    if network.hub.is_some() {
        return refuse("hub", "is for driver ovs: a bridge sends to every host itself".into());
    }
    check_families(network)
}

/// Refuses an option `internal` that says neither.
pub(super) fn check_internal(network: &Network) -> Result<()> {
    let wrong = |value: &&String| !["yes", "no"].contains(&value.as_str());
    let Some(value) = network.options.get("internal").filter(wrong) else { return Ok(()) };
    let why = format!("internal '{value}' is neither yes nor no");
    Err(Error::Definition { attribute: "options".into(), why })
}

/// Refuses an option `port` that is none.
pub(super) fn check_port(network: &Network) -> Result<()> {
    let wrong = |port: &&String| !port.parse().is_ok_and(|port: u16| port > 0);
    let Some(port) = network.options.get("port").filter(wrong) else { return Ok(()) };
    let why = format!("port '{port}' is not a number from 1 to 65535");
    Err(Error::Definition { attribute: "options".into(), why })
}

/// Refuses hosts that no tunnel can join.
pub(super) fn check_families(network: &Network) -> Result<()> {
    let families = network.members.iter().map(|member| member.address.is_ipv4());
    if families.clone().any(|four| four) && families.clone().any(|four| !four) {
        let why = "some have an IPv4 and some an IPv6 address; no tunnel joins those".into();
        return Err(Error::Definition { attribute: "hosts".into(), why });
    }
    Ok(())
}

pub(super) fn engine_network(network: &Network) -> EngineNetwork {
    let option = |name: &str, value: String| (format!("com.docker.network.{name}"), value);
    let options = [
        option("bridge.name", network.bridge()),
        option("driver.mtu", network.mtu.to_string()),
        // The address would be on every host's bridge, and each would answer for it.
        option("bridge.inhibit_ipv4", "true".into()),
    ];
    EngineNetwork {
        name: network.name.clone(),
        driver: "bridge".into(),
        subnet: network.subnet,
        // The engine insists on one, and nobody else can have it then.
        gateway: Some(network.gateway.unwrap_or_else(|| last_address(network.subnet))),
        range: network.range.and_then(block_within),
        internal: network.options.get("internal").is_some_and(|value| value == "yes"),
        attachable: false,
        options: options.into(),
    }
}

fn script(network: &Network, member: &Member) -> Script<'static> {
    let peers: Vec<&Member> = network.peers(member).collect();
    let names: Vec<&str> = peers.iter().map(|peer| peer.host.as_str()).collect();
    let addresses: Vec<String> = peers.iter().map(|peer| peer.address.to_string()).collect();
    let (bridge, tunnel) = (network.bridge(), tunnel(network));
    let joined = if names.is_empty() { "no other host".to_owned() } else { names.join(", ") };
    let mut settings = settings(network, member);
    settings.extend([("tunnel", tunnel.clone()), ("port", port(network).to_string()), ("peers", addresses.join(" "))]);
    Script {
        about: format!("bridge {bridge} is joined by {tunnel} to {joined}"),
        settings,
        functions: vec![BRIDGES, TUNNELS, FUNCTIONS],
        risk: false,
    }
}

/// What scripts with tunnels have in common.
pub(super) fn settings(network: &Network, member: &Member) -> Vec<(&'static str, String)> {
    vec![
        ("bridge", network.bridge()),
        ("mac", bridge_mac(network, member)),
        ("vni", vni(network).to_string()),
        ("address", member.address.to_string()),
        ("device", network.uplink.clone().unwrap_or_default()),
        ("mtu", network.mtu.to_string()),
        ("filter", filter(network).into()),
    ]
}

pub(super) fn port(network: &Network) -> u16 {
    network.options.get("port").and_then(|port| port.parse().ok()).unwrap_or(PORT)
}

pub(super) fn tunnel(network: &Network) -> String {
    format!("vx{}", vni(network))
}

/// The number of its tunnels.
pub(super) fn vni(network: &Network) -> u32 {
    network.vni.unwrap_or_else(|| derived_vni(&network.name))
}

/// The number of a network that was given none: the same whenever and wherever it is asked for.
pub fn derived_vni(network: &str) -> u32 {
    let digest = Sha256::digest(format!("vni of {network}"));
    let number = u32::from_be_bytes([0, digest[0], digest[1], digest[2]]);
    // Small numbers are those that people choose.
    number.max(0x1_0000)
}

/// A bridge without an address of its own takes that of one of its ports, and another one when that goes.
fn bridge_mac(network: &Network, member: &Member) -> String {
    let digest = Sha256::digest(format!("bridge of {} on {}", network.name, member.host));
    let octets = digest[..5].iter().map(|octet| format!(":{octet:02x}"));
    format!("02{}", octets.collect::<String>())
}

/// The highest address that a host may have.
fn last_address(subnet: IpNetwork) -> IpAddr {
    match subnet {
        IpNetwork::V4(subnet) => (u32::from(subnet.broadcast()) - u32::from(subnet.prefix() < 31)).to_be_bytes().into(),
        IpNetwork::V6(subnet) => subnet.broadcast().into(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::super::driver::tests::refuses;
    use super::*;

    /// A network of hosts h1 to h3.
    pub(in super::super) fn network() -> Network {
        let member = |number: u8| Member { host: format!("h{number}"), address: [10, 77, 0, number].into() };
        Network {
            name: "blue".into(),
            driver: "bridge".parse().unwrap(),
            subnet: "10.80.0.0/16".parse().unwrap(),
            gateway: None,
            range: None,
            mtu: 1450,
            vlan: None,
            vni: Some(7),
            hub: None,
            uplink: None,
            options: BTreeMap::new(),
            members: (1..=3).map(member).collect(),
        }
    }

    fn setting(network: &Network, host: usize, name: &str) -> String {
        let script = script(network, &network.members[host]);
        script.settings.into_iter().find(|(known, _)| *known == name).unwrap().1
    }

    #[test]
    fn every_host_sends_to_all_others() {
        let network = network();
        assert_eq!(setting(&network, 0, "peers"), "10.77.0.2 10.77.0.3");
        assert_eq!(setting(&network, 2, "peers"), "10.77.0.1 10.77.0.2");
        assert_eq!(setting(&network, 2, "address"), "10.77.0.3");
        let macs: Vec<String> = (0..3).map(|host| setting(&network, host, "mac")).collect();
        assert!(macs.iter().all(|mac| mac.starts_with("02:") && mac.len() == 17), "{macs:?}");
        assert!(macs[0] != macs[1] && macs[1] != macs[2], "{macs:?}");
        let alone = Network { members: network.members[..1].to_vec(), ..network };
        assert_eq!(setting(&alone, 0, "peers"), "");
        assert!(script(&alone, &alone.members[0]).about.ends_with("no other host"));
    }

    #[test]
    fn the_engine_gets_no_address_on_the_bridge() {
        let network = network();
        let told = engine_network(&network);
        assert_eq!(told.gateway, Some([10, 80, 255, 254].into()));
        assert!(!told.internal);
        assert_eq!(told.options["com.docker.network.bridge.name"], "br-blue");
        assert_eq!(told.options["com.docker.network.driver.mtu"], "1450");
        let options = [("internal".to_owned(), "yes".to_owned())].into();
        let routed = Network { gateway: Some([10, 80, 0, 1].into()), options, ..network };
        let told = engine_network(&routed);
        assert_eq!((told.gateway, told.internal), (Some([10, 80, 0, 1].into()), true));
    }

    #[test]
    fn what_tunnels_cannot_be_is_refused_by_attribute() {
        let check = |change: fn(&mut Network), expected: &str| refuses(&network(), change, expected);
        check(|_| (), "");
        check(|network| drop(network.options.insert("port".into(), "4790".into())), "");
        check(|network| drop(network.options.insert("port".into(), "x".into())), "attribute 'options'");
        check(|network| drop(network.options.insert("internal".into(), "x".into())), "attribute 'options'");
        check(|network| drop(network.options.insert("colour".into(), "x".into())), "attribute 'options'");
        check(|network| network.vlan = Some(7), "attribute 'vlanid'");
        check(|network| network.hub = Some("h1".into()), "attribute 'hub'");
        check(|network| network.members[1].address = "fd00::1".parse().unwrap(), "attribute 'hosts'");
    }

    #[test]
    fn numbers_made_of_names_stay() {
        let numbers = ["blue", "red", "10_77_0_0-255_255_0_0"].map(derived_vni);
        assert_eq!(derived_vni("blue"), numbers[0]);
        assert!(numbers.iter().all(|number| (0x1_0000..=0xff_ffff).contains(number)), "{numbers:?}");
        assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2]);
    }

    #[test]
    fn the_last_address_of_a_subnet() {
        let check = |subnet: &str, expected: &str| {
            assert_eq!(last_address(subnet.parse().unwrap()).to_string(), expected);
        };
        check("10.80.0.0/16", "10.80.255.254");
        check("10.80.0.4/30", "10.80.0.6");
        check("10.80.0.4/31", "10.80.0.5");
        check("fd00::/64", "fd00::ffff:ffff:ffff:ffff");
    }

    #[test]
    fn the_functions_are_a_shells() {
        let shell = std::process::Command::new("sh").args(["-n", "-c", FUNCTIONS]).output().unwrap();
        assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));
    }
}
