//! Driver `ovs`: Open vSwitch on every host, joined by VXLAN tunnels or by an uplink, with the network's VLAN tag.
//!
//! The engine cannot plug containers into Open vSwitch, and refuses its bridges as bridges. So containers are in the engine's
//! network on a Linux bridge, and a pair of ports leads from that into the switch: addresses, restarts and MACs stay the
//! engine's matter, and no agent has to watch for containers.
//!
//! A tunnel is the kernel's own VXLAN device in the switch, not a tunnel port of Open vSwitch. Where the kernel has no
//! datapath for it the switch is a program, whose own tunnels want the host's address on a port of that program, which
//! would lead all traffic of the host through it; and with whole segments (`userspace-tso-enable`, measured between two
//! containers: 1.9 instead of 0.15 Gbit/s) they drop their packets. A device of the kernel does with both datapaths, is
//! the same on the wire, and is one port for all peers: a mesh without loops, since a switch sends nothing back where it
//! came from. Open vSwitch's database keeps switch and ports over a boot; the script makes the devices again.
//!
//! We speak `ovs-vsctl` on the host instead of OVSDB: it is there with the switch, waits until the switch has done what
//! was asked, and repeats without harm; the protocol would need a forwarded socket and a transaction language for that.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::claim::Claims;
use super::driver::{Carrier, Frame, Purpose, Wire};
use super::engine::EngineNetwork;
use super::script::{self, BRIDGES, Script, TUNNELS};
use super::survey::Survey;
use super::{LONGEST_NAME, Member, Network, check_options, short_name, vxlan};
use crate::setup::{Fact, Observed, Thing};
use crate::{Error, Result, hex};

const FUNCTIONS: &str = include_str!("ovs.sh");

/// With more hosts than these and no hub named, tunnels go through the first host: each broadcast is sent once a tunnel.
const MESH: usize = 64;

/// What the kernel does not give to programs that ask for any port (`ip_local_port_range` ends below).
const FIRST_SPOKE_PORT: u16 = 61000;

/// Debian's name, and that of Red Hat and its kin.
const PACKAGE: &str = "openvswitch-switch|openvswitch";
const INSTALLED: &str = "Open vSwitch is installed";
const RUNS: &str = "Open vSwitch runs";
const RUN: &str = "systemctl enable --now openvswitch-switch 2>/dev/null || systemctl enable --now openvswitch";
const REFUSE: &str = "echo 'it has to be installed first' >&2; exit 1";

/// Driver `ovs`.
pub(super) struct Switch;

impl Carrier for Switch {
    fn word(&self) -> &'static str {
        "ovs"
    }

    fn check(&self, network: &Network) -> Result<()> {
        check(network)
    }

    fn wanted(&self, network: &Network, member: &Member) -> Vec<Thing> {
        let shell = |text: &str| vec!["sh".to_owned(), "-c".to_owned(), text.to_owned()];
        let fact =
            |what: &str, check, make| Thing::Fact(Fact { what: what.into(), check: shell(check), make: shell(make) });
        let mut things =
            vec![fact(INSTALLED, "command -v ovs-vsctl", REFUSE), fact(RUNS, "ovs-vsctl --timeout=5 show", RUN)];
        things.extend(script::wanted(network, member, &script(network, member)));
        things
    }

    fn unwanted(&self, network: &Network) -> Vec<Thing> {
        script::unwanted(network, &[inner(network), network.bridge()])
    }

    fn engine_network(&self, network: &Network) -> EngineNetwork {
        vxlan::engine_network(network)
    }

    fn frame(&self, network: &Network) -> Frame {
        Frame::Bridge { outlet: inner(network) }
    }

    fn tunnels(&self, network: &Network, member: &Member) -> Vec<(String, Vec<IpAddr>)> {
        tunnels(network, member).into_iter().map(|tunnel| (tunnel.device, tunnel.peers)).collect()
    }

    fn unfit(&self, network: &Network, survey: &Survey) -> Option<String> {
        let uplink = network.uplink.as_deref().filter(|_| !network.is_tunnelled())?;
        let addresses = &survey.device(uplink)?.addresses;
        let address = addresses.iter().find(|address| !is_link_local(address.ip()))?;
        Some(format!(
            "{uplink} has the host's address {address}, which a switch would take off the network; use driver bridge on it"
        ))
    }

    fn claims(&self, network: &Network, member: &Member) -> Claims {
        let tunnels = tunnels(network, member).into_iter().map(|tunnel| tunnel.device);
        let devices = [network.bridge(), inner(network), outer(network)].into_iter().chain(tunnels).collect();
        Claims { devices, switch: Some(switch(network)) }
    }

    fn wire(&self, uplink: &str, _vlan: Option<u16>) -> Option<Wire> {
        Some(Wire { port: uplink.to_owned(), purpose: Purpose::Switch(switch_on(uplink)) })
    }

    fn is_bridged(&self) -> bool {
        true
    }

    fn lacks(&self, observed: &Observed) -> Option<&'static str> {
        (observed.facts.get(INSTALLED) == Some(&false)).then_some("Open vSwitch")
    }

    /// Then the switch is no condition.
    fn installing(&self, things: Vec<Thing>) -> Vec<Thing> {
        let packages = Thing::Packages(vec![PACKAGE.into(), "ethtool".into()]);
        let condition = |thing: &Thing| matches!(thing, Thing::Fact(fact) if fact.what == INSTALLED);
        things.into_iter().map(|thing| if condition(&thing) { packages.clone() } else { thing }).collect()
    }
}

fn check(network: &Network) -> Result<()> {
    let refuse = |attribute: &str, why: String| Err(Error::Definition { attribute: attribute.into(), why });
    check_options(network, &["internal", "port"])?;
    vxlan::check_internal(network)?;
    vxlan::check_port(network)?;
    if !network.is_tunnelled() {
        return match network.hub {
            Some(_) => refuse("hub", "is for tunnels, and an uplink without a vni has none".into()),
            None => Ok(()),
        };
    }
    vxlan::check_families(network)?;
    let Some(hub) = hub(network) else { return Ok(()) };
    let mut ports = Vec::new();
    for spoke in network.members.iter().filter(|member| member.host != hub) {
        match ports.iter().find(|(port, _)| *port == spoke_port(spoke)) {
            Some((_, other)) => {
                let why = format!("{} and {other} have addresses that end alike; name another hub", spoke.host);
                return refuse("hub", why);
            }
            None => ports.push((spoke_port(spoke), spoke.host.as_str())),
        }
    }
    match network.members.iter().any(|member| member.host == hub) {
        true => Ok(()),
        false => refuse("hub", format!("'{hub}' is none of its hosts")),
    }
}

fn script(network: &Network, member: &Member) -> Script<'static> {
    let tunnels = tunnels(network, member);
    let names: Vec<&str> = tunnels.iter().map(|tunnel| tunnel.device.as_str()).collect();
    let switch = switch(network);
    let leads = match (&network.uplink, names.as_slice()) {
        (Some(uplink), _) if !network.is_tunnelled() => format!("on {uplink}"),
        (_, []) => "joined to no other host".into(),
        (_, names) => format!("joined by {}", names.join(", ")),
    };
    let mut settings = vxlan::settings(network, member);
    settings.extend([
        ("inner", inner(network)),
        ("outer", outer(network)),
        ("switch", switch.clone()),
        ("tunnels", tunnels.iter().map(Tunnel::text).collect::<Vec<_>>().join(" ")),
        ("uplink", network.uplink.clone().filter(|_| !network.is_tunnelled()).unwrap_or_default()),
        ("vlan", network.vlan.map(|tag| tag.to_string()).unwrap_or_default()),
    ]);
    Script {
        about: format!("bridge {} is plugged into switch {switch}, {leads}", network.bridge()),
        settings,
        functions: vec![BRIDGES, TUNNELS, FUNCTIONS],
        risk: false,
    }
}

/// The end of the pair of ports that is in the bridge.
fn inner(network: &Network) -> String {
    format!("pl-{}", short_name(&network.name))
}

/// The end that is in the switch.
fn outer(network: &Network) -> String {
    format!("po-{}", short_name(&network.name))
}

/// Networks on one uplink share its switch, on which they are told apart by their tags; tunnels have one of their own.
fn switch(network: &Network) -> String {
    match &network.uplink {
        Some(uplink) if !network.is_tunnelled() => switch_on(uplink),
        _ => format!("ovs{}", vxlan::vni(network)),
    }
}

/// The name of the switch on an uplink. Ports of one card often differ in their last letter only, and two of them in one
/// switch are a loop: what is too long for the kernel ends in letters that are made of all of it.
fn switch_on(uplink: &str) -> String {
    let name = format!("ovs-{uplink}");
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let digest = Sha256::digest(uplink);
    let end = hex(&digest[..3]);
    name.chars().take(LONGEST_NAME - end.len()).chain(end.chars()).collect()
}

/// A device, and to whom it leads.
#[derive(Debug, PartialEq, Eq)]
struct Tunnel {
    device: String,
    port: u16,
    peers: Vec<IpAddr>,
}

impl Tunnel {
    fn text(&self) -> String {
        let peers: Vec<String> = self.peers.iter().map(IpAddr::to_string).collect();
        format!("{}/{}/{}", self.device, self.port, peers.join(","))
    }
}

/// One device to all in a mesh. Through a hub each spoke has a device of its own there, so that the hub's switch can send
/// from one to another; the kernel wants a port of its own for each then.
fn tunnels(network: &Network, member: &Member) -> Vec<Tunnel> {
    if !network.is_tunnelled() {
        return Vec::new();
    }
    let device = format!("vx{}", vxlan::vni(network));
    let peers = network.peers(member);
    match hub(network) {
        None => vec![Tunnel { device, port: vxlan::port(network), peers: peers.map(|peer| peer.address).collect() }],
        Some(hub) if hub == member.host => peers
            .map(|spoke| {
                let port = spoke_port(spoke);
                Tunnel { device: format!("{device}.{}", port - FIRST_SPOKE_PORT), port, peers: vec![spoke.address] }
            })
            .collect(),
        Some(hub) => {
            let peers = peers.filter(|peer| peer.host == hub).map(|hub| hub.address).collect();
            vec![Tunnel { device, port: spoke_port(member), peers }]
        }
    }
}

fn hub(network: &Network) -> Option<&str> {
    let first = network.members.first().filter(|_| network.members.len() > MESH);
    network.hub.as_deref().or(first.map(|member| member.host.as_str()))
}

/// Such as every port of IPv6 has.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Made of the end of a spoke's address, so that it stays when other hosts come and go.
fn spoke_port(spoke: &Member) -> u16 {
    let end = match spoke.address {
        IpAddr::V4(address) => [address.octets()[2], address.octets()[3]],
        IpAddr::V6(address) => [address.octets()[14], address.octets()[15]],
    };
    FIRST_SPOKE_PORT + (u16::from_be_bytes(end) & 0x0fff)
}

#[cfg(test)]
mod tests {
    use super::super::driver::tests::refuses;
    use super::super::vxlan::tests::network as blue;
    use super::*;

    fn network() -> Network {
        Network { driver: "ovs".parse().unwrap(), mtu: 1446, vlan: Some(20), ..blue() }
    }

    fn leads(network: &Network, host: usize) -> String {
        tunnels(network, &network.members[host]).iter().map(Tunnel::text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_mesh_has_one_device_to_all() {
        let network = network();
        assert_eq!(leads(&network, 0), "vx7/4789/10.77.0.2,10.77.0.3");
        assert_eq!(leads(&network, 2), "vx7/4789/10.77.0.1,10.77.0.2");
    }

    #[test]
    fn a_hub_has_a_device_to_each_and_the_others_one_to_it() {
        let network = Network { hub: Some("h2".into()), ..network() };
        assert_eq!(leads(&network, 1), "vx7.1/61001/10.77.0.1 vx7.3/61003/10.77.0.3");
        assert_eq!(leads(&network, 0), "vx7/61001/10.77.0.2");
        assert_eq!(leads(&network, 2), "vx7/61003/10.77.0.2");
    }

    #[test]
    fn many_hosts_have_a_hub() {
        let member = |number: u8| Member { host: format!("h{number:03}"), address: [10, 77, 0, number].into() };
        let of = |count: u8| Network { members: (1..=count).map(member).collect(), ..network() };
        assert_eq!(hub(&of(64)), None);
        assert_eq!(hub(&of(65)), Some("h001"));
        assert_eq!(hub(&Network { hub: Some("h007".into()), ..of(65) }), Some("h007"));
    }

    #[test]
    fn the_names_of_devices_fit_the_kernel() {
        let network = Network { name: "n".repeat(30), vni: Some(0xff_ffff), hub: Some("h1".into()), ..network() };
        let script = script(&network, &network.members[0]);
        for name in ["inner", "outer", "switch", "bridge"] {
            let value = &script.settings.iter().find(|(known, _)| *known == name).unwrap().1;
            assert!(value.len() <= 15, "{name}={value}");
        }
        assert!(tunnels(&network, &network.members[0]).iter().all(|tunnel| tunnel.device.len() <= 15));
    }

    #[test]
    fn an_uplink_is_the_wire() {
        let network = Network { uplink: Some("eth1".into()), vni: None, ..network() };
        assert_eq!((switch(&network), leads(&network, 0)), ("ovs-eth1".into(), String::new()));
        let script = script(&network, &network.members[0]);
        assert_eq!(script.about, "bridge br-blue is plugged into switch ovs-eth1, on eth1");
        assert!(
            script.settings.contains(&("uplink", "eth1".into())) && script.settings.contains(&("vlan", "20".into()))
        );
    }

    #[test]
    fn each_uplink_has_a_switch_of_its_own() {
        let names = ["enp193s0f1np0", "enp193s0f1np1", "enp193s0f1"].map(switch_on);
        assert!(names.iter().all(|name| name.len() <= LONGEST_NAME && name.starts_with("ovs-enp19")), "{names:?}");
        assert!(names[0] != names[1] && names[2] == "ovs-enp193s0f1", "{names:?}");
    }

    #[test]
    fn what_cannot_be_is_refused_by_attribute() {
        let check = |change: fn(&mut Network), expected: &str| refuses(&network(), change, expected);
        check(|_| (), "");
        check(|network| network.hub = Some("h1".into()), "");
        check(|network| network.hub = Some("h9".into()), "attribute 'hub'");
        check(|network| drop(network.options.insert("colour".into(), "x".into())), "attribute 'options'");
        check(|network| network.members[1].address = "fd00::1".parse().unwrap(), "attribute 'hosts'");
        check(
            |network| {
                network.hub = Some("h1".into());
                network.members[1].address = "10.77.16.3".parse().unwrap();
            },
            "attribute 'hub'",
        );
        check(
            |network| {
                (network.uplink, network.vni, network.hub) = (Some("eth1".into()), None, Some("h1".into()));
            },
            "attribute 'hub'",
        );
    }

    #[test]
    fn the_switch_is_offered_and_not_assumed() {
        let network = network();
        let things = Switch.wanted(&network, &network.members[0]);
        let facts = |is: bool| Observed { facts: [(INSTALLED.to_owned(), is)].into(), ..Observed::default() };
        assert_eq!(Switch.lacks(&facts(false)), Some("Open vSwitch"));
        assert_eq!(Switch.lacks(&facts(true)), None);
        let with_packages = Switch.installing(things.clone());
        assert!(matches!(&with_packages[0], Thing::Packages(names) if names[0] == PACKAGE));
        assert_eq!(with_packages[1..], things[1..]);
    }

    #[test]
    fn the_functions_are_a_shells() {
        let shell = std::process::Command::new("sh").args(["-n", "-c", FUNCTIONS]).output().unwrap();
        assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));
    }
}
