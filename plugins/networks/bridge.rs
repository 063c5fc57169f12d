//! Driver `bridge` with an uplink: a Linux bridge on a port of every host, or on a VLAN of it.
//!
//! The port may be the one that the host itself is reached by. Its addresses and routes then move to the bridge, told to
//! whatever keeps them (systemd-networkd, NetworkManager, ifupdown; the network's own script where nobody does), and the
//! move is undone by the host unless it can be logged in to anew.

use super::claim::Claims;
use super::driver::{Carrier, Frame, Purpose, Wire};
use super::engine::EngineNetwork;
use super::script::{self, BRIDGES, Script};
use super::survey::Survey;
use super::{LONGEST_NAME, Member, Network, check_options, filter, vxlan};
use crate::setup::Thing;
use crate::{Error, Result};

const FUNCTIONS: &str = include_str!("bridge.sh");
const UPLINK: &str = include_str!("uplink.sh");

/// Driver `bridge` on a port.
pub(super) struct OnPort;

impl Carrier for OnPort {
    fn word(&self) -> &'static str {
        "bridge"
    }

    fn check(&self, network: &Network) -> Result<()> {
        check(network)
    }

    fn wanted(&self, network: &Network, member: &Member) -> Vec<Thing> {
        script::wanted(network, member, &script(network))
    }

    fn unwanted(&self, network: &Network) -> Vec<Thing> {
        script::unwanted_with_risk(network, &[network.bridge()])
    }

    /// The wire has routers of its own; the engine must not hide containers behind the host.
    fn engine_network(&self, network: &Network) -> EngineNetwork {
        let mut told = vxlan::engine_network(network);
        told.options.insert("com.docker.network.bridge.enable_ip_masquerade".into(), "false".into());
        told
    }

    fn frame(&self, network: &Network) -> Frame {
        Frame::Bridge { outlet: port(network) }
    }

    /// Whose bridge it is, its addresses are not only the host's.
    fn unfit(&self, network: &Network, survey: &Survey) -> Option<String> {
        let uplink = survey.device(network.uplink.as_deref()?)?;
        let is = match uplink.kind.as_deref() {
            _ if uplink.name == "lo" => "is the host's way to itself",
            Some("bridge") => "is a bridge already",
            Some("vxlan" | "tun" | "openvswitch") => "is no wire",
            _ => return None,
        };
        Some(format!("{} {is}; attribute uplink takes a port, such as eth1", uplink.name))
    }

    fn claims(&self, network: &Network, _member: &Member) -> Claims {
        Claims { devices: vec![network.bridge()], switch: None }
    }

    fn wire(&self, uplink: &str, vlan: Option<u16>) -> Option<Wire> {
        Some(Wire { port: port_on(uplink, vlan), purpose: Purpose::Bridge })
    }

    fn is_bridged(&self) -> bool {
        true
    }
}

fn check(network: &Network) -> Result<()> {
    let refuse = |attribute: &str, why: String| Err(Error::Definition { attribute: attribute.into(), why });
    check_options(network, &["internal"])?;
    vxlan::check_internal(network)?;
    if network.hub.is_some() {
        return refuse("hub", "is for the tunnels of driver ovs".into());
    }
    let port = port(network);
    match port.len() > LONGEST_NAME {
        true => refuse("uplink", format!("the name of its VLAN '{port}' has more than {LONGEST_NAME} letters")),
        false => Ok(()),
    }
}

fn port(network: &Network) -> String {
    port_on(network.uplink.as_deref().unwrap_or_default(), network.vlan)
}

/// The port that is put into the bridge: the uplink, or a VLAN of it.
pub(super) fn port_on(uplink: &str, vlan: Option<u16>) -> String {
    match vlan {
        Some(tag) => format!("{uplink}.{tag}"),
        None => uplink.to_owned(),
    }
}

fn script(network: &Network) -> Script<'static> {
    let (bridge, port) = (network.bridge(), port(network));
    Script {
        about: format!("bridge {bridge} has {port} and its addresses"),
        settings: vec![
            ("bridge", bridge),
            ("uplink", network.uplink.clone().unwrap_or_default()),
            ("vlan", network.vlan.map(|tag| tag.to_string()).unwrap_or_default()),
            ("port", port),
            ("mtu", network.mtu.to_string()),
            ("filter", filter(network).into()),
            ("saved", format!("/run/xcrane/{}.addresses", network.name)),
        ],
        functions: vec![BRIDGES, FUNCTIONS, UPLINK],
        risk: true,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::Path;
    use std::process::Command;

    use super::super::vxlan::tests::network as blue;
    use super::*;

    fn network() -> Network {
        Network { uplink: Some("eth0".into()), vni: None, mtu: 1500, ..blue() }
    }

    /// What a function of the script says of a file.
    fn rendered(call: &str, file: &str) -> String {
        let mut input = tempfile::NamedTempFile::new().unwrap();
        input.write_all(file.as_bytes()).unwrap();
        let given = "set -eu; network=blue bridge=br-blue port=eth0 mac=02:00:00:00:00:07";
        let script = format!("{given}\n{BRIDGES}\n{FUNCTIONS}\n{UPLINK}\n{call} \"$1\"");
        let output = Command::new("sh").args(["-c", &script, "sh"]).arg(input.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    const NETWORKD: &str = "[Match]\nName=eth0\n\n[Link]\nMTUBytes=1500\n\n[Network]\nAddress=10.0.0.7/24\n\n\
                            [Route]\nGateway=10.0.0.1\n";
    const MANAGER: &str = "[connection]\nid=wired\nuuid=1\ninterface-name=eth0\n\n[ethernet]\n\n[ipv4]\n\
                           method=manual\naddress1=10.0.0.7/24,10.0.0.1\n\n[ipv6]\nmethod=ignore\n";
    const INTERFACES: &str = "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet static\n    \
                              address 10.0.0.7/24\n    \
                              gateway 10.0.0.1\n\nallow-hotplug eth1\niface eth1 inet dhcp\n";

    #[test]
    fn networkd_is_told_of_the_bridge_what_it_knew_of_the_port() {
        assert_eq!(
            rendered("networkd_addresses", NETWORKD),
            "[Match]\nName=br-blue\n\n[Network]\nAddress=10.0.0.7/24\n\n[Route]\nGateway=10.0.0.1\n"
        );
        assert_eq!(rendered("networkd_port", ""), "[Match]\nName=eth0\n\n[Network]\nBridge=br-blue\n");
        assert_eq!(
            rendered("networkd_bridge", ""),
            "[NetDev]\nName=br-blue\nKind=bridge\nMACAddress=02:00:00:00:00:07\n\n[Bridge]\nSTP=no\nForwardDelaySec=0\n"
        );
    }

    #[test]
    fn network_manager_gets_connections_that_outrank_the_port_s_own() {
        assert_eq!(
            rendered("manager_bridge", MANAGER),
            "[connection]\nid=xcrane-br-blue\ntype=bridge\ninterface-name=br-blue\nautoconnect-priority=999\n\n\
             [bridge]\nstp=false\nmac-address=02:00:00:00:00:07\n\n\
             [ipv4]\nmethod=manual\naddress1=10.0.0.7/24,10.0.0.1\n\n[ipv6]\nmethod=ignore\n"
        );
        assert_eq!(
            rendered("manager_port", MANAGER),
            "[connection]\nid=xcrane-eth0\ntype=ethernet\ninterface-name=eth0\nmaster=br-blue\nslave-type=bridge\n\
             autoconnect-priority=999\n"
        );
    }

    #[test]
    fn network_manager_s_file_must_be_one_that_can_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        fs::write(at("wired.nmconnection"), MANAGER).unwrap();
        fs::write(at("ifcfg-eth0"), "BOOTPROTO=none\nIPADDR=10.0.0.7\n").unwrap();
        let check = |file: &str, expected: &str| {
            let stub = "nmcli() { case $1 in -g) echo 1-2 ;; *) printf '9-9:/x\\n1-2:%s\\n' \"$listed\" ;; esac; }";
            let given = "set -eu; network=blue bridge=br-blue port=eth0 mac=02:00:00:00:00:07 listed=$1";
            let script = format!("{given}\n{BRIDGES}\n{UPLINK}\n{stub}\nmanager_file; echo \"$file\"");
            let output = Command::new("sh").args(["-c", &script, "sh", file]).output().unwrap();
            let said = if output.status.success() { &output.stdout } else { &output.stderr };
            let said = String::from_utf8_lossy(said).replace(&at(""), "$DIR/");
            assert_eq!(said.trim_end(), expected, "{file}");
        };
        check(&at("wired.nmconnection"), "$DIR/wired.nmconnection");
        check(&at("gone.nmconnection"), "NetworkManager's file $DIR/gone.nmconnection of eth0 is not there");
        check(
            &at("ifcfg-eth0"),
            "$DIR/ifcfg-eth0 is not in NetworkManager's own form; give it that with: nmcli connection migrate 1-2",
        );
        check(
            "",
            "NetworkManager keeps eth0 by no file (none); give it one with: nmcli connection modify 1-2 autoconnect yes",
        );
    }

    #[test]
    fn ifupdown_keeps_the_site_s_lines_as_comments() {
        assert_eq!(
            rendered("ifupdown_bridge", INTERFACES),
            "auto br-blue\niface br-blue inet static\n    \
             pre-up [ -e /sys/class/net/br-blue ] || \
             ip link add br-blue address 02:00:00:00:00:07 type bridge forward_delay 0\n    \
             pre-up ip link set eth0 master br-blue up\n    address 10.0.0.7/24\n    gateway 10.0.0.1\n\n\n\
             iface eth0 inet manual\n"
        );
        let aside = rendered("ifupdown_aside", INTERFACES);
        assert_eq!(aside.lines().filter(|line| line.starts_with("#xcrane-br-blue# ")).count(), 4, "{aside}");
        assert_eq!(aside.replace("#xcrane-br-blue# ", ""), INTERFACES);
    }

    /// Runs a function of the script over files of ifupdown in a directory; `spoilt` comes between.
    fn ifupdown(directory: &Path, spoilt: &str, call: &str) {
        let given = "set -eu; network=blue bridge=br-blue port=eth0 mac=02:00:00:00:00:07";
        let stubs = "interfaces=$1/interfaces; addresses() { echo one; }; ifdown() { :; }; ifup() { :; }";
        let script = format!("{given}\n{BRIDGES}\n{FUNCTIONS}\n{UPLINK}\n{stubs}\n{spoilt}\n{call}");
        let output = Command::new("sh").args(["-c", &script, "sh"]).arg(directory).output().unwrap();
        assert_eq!(output.status.success(), spoilt.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn ifupdown_s_files_give_the_host_an_address_whenever_a_run_is_killed() {
        let check = |spoilt: &str| {
            let directory = tempfile::tempdir().unwrap();
            let at = |name: &str| directory.path().join(name);
            let read = |name: &str| fs::read_to_string(at(name)).unwrap();
            fs::create_dir(at("interfaces.d")).unwrap();
            let site = format!("source {}/*\n{INTERFACES}", at("interfaces.d").display());
            fs::write(at("interfaces"), &site).unwrap();
            fs::write(at("interfaces.d/eth0"), "iface eth0 inet6 static\n    address fd00::7/64\n").unwrap();
            if !spoilt.is_empty() {
                ifupdown(directory.path(), spoilt, "by_ifupdown");
                assert!(read("interfaces.d/xcrane-br-blue").contains("address 10.0.0.7/24"), "{spoilt}");
            }
            ifupdown(directory.path(), "", "by_ifupdown");
            let ours = read("interfaces.d/xcrane-br-blue");
            assert!(ours.contains("address 10.0.0.7/24") && ours.contains("address fd00::7/64"), "{spoilt}: {ours}");
            assert!(read("interfaces").contains("#xcrane-br-blue# iface eth0 inet static"), "{spoilt}");
            assert!(read("interfaces.d/eth0").starts_with("#xcrane-br-blue# iface eth0"), "{spoilt}");
            ifupdown(directory.path(), "", "back_by_ifupdown");
            assert_eq!((read("interfaces"), at("interfaces.d/xcrane-br-blue").exists()), (site, false), "{spoilt}");
        };
        check("");
        check("ifdown() { kill -9 $$; }");
        check("moves=0; mv() { [ $moves != 1 ] || kill -9 $$; moves=$((moves + 1)); command mv \"$@\"; }");
        check("moves=0; mv() { [ $moves != 2 ] || kill -9 $$; moves=$((moves + 1)); command mv \"$@\"; }");
    }

    /// Runs `down` in a directory that has the host's devices and the files of systemd-networkd; what it prints.
    fn down(directory: &Path) -> String {
        let at = |name: &str| directory.join(name).display().to_string();
        let given = "set -eu; network=blue bridge=br-blue port=eth0 vlan= mtu=1500 filter=no-such-filter";
        let given = format!("{given} saved={}", at("saved"));
        let functions = format!("{BRIDGES}\n{FUNCTIONS}\n{UPLINK}").replace("/sys/class/net", &at("net"));
        let functions = functions.replace("/etc/systemd/network/", &format!("{}/", at("networkd")));
        let functions = functions.replace("/run/xcrane/making", &at("making"));
        let stubs = format!(
            "systemctl() {{ echo running; }}; networkctl() {{ :; }}\n\
             ip() {{ echo \"ip $*\"; case $* in\n\
             'link set dev br-blue alias '*) echo \"$6\" >{0}/br-blue/ifalias ;;\n\
             *' br-blue'*) [ -e {0}/br-blue ] || return ;; esac; }}",
            at("net")
        );
        let script = format!("{given}\n{functions}\n{stubs}\ndown");
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
        printed
    }

    #[test]
    fn notes_of_two_networks_are_not_in_each_other_s_way() {
        let directory = tempfile::tempdir().unwrap();
        let functions =
            BRIDGES.replace("/run/xcrane/making", &directory.path().join("run/making").display().to_string());
        let script = format!(
            "set -eu; network=blue bridge=br-blue\n{functions}\n\
             often() {{ i=0; while [ $i -lt 300 ]; do note $1; [ -e $notes/$1 ]; forget $1; i=$((i + 1)); done; }}\n\
             often one & other=$!; often two; wait $other"
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn a_bridge_that_its_keeper_has_made_and_nobody_marked_goes() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["net/eth0", "networkd"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        let keeper = ["networkd/00-xcrane-br-blue.netdev", "networkd/00-xcrane-eth0.network"];
        let told = || {
            for name in keeper {
                fs::write(at(name), "").unwrap();
            }
        };
        told();
        assert!(!down(directory.path()).contains("link del"), "it never came to be");
        assert!(!at(keeper[0]).exists() && !at(keeper[1]).exists());
        told();
        fs::create_dir_all(at("net/br-blue/bridge")).unwrap();
        fs::create_dir_all(at("net/br-blue/brif")).unwrap();
        assert!(down(directory.path()).ends_with("ip link del br-blue\n"));
        assert!(!at(keeper[0]).exists() && !at(keeper[1]).exists());
        fs::write(at("net/br-blue/ifalias"), "somebody else's\n").unwrap();
        assert_eq!(down(directory.path()), "", "a bridge of somebody else's is not touched");
    }

    #[test]
    fn a_vlan_is_a_port_of_its_own() {
        let network = Network { vlan: Some(100), ..network() };
        let script = script(&network);
        assert_eq!(script.about, "bridge br-blue has eth0.100 and its addresses");
        assert!(
            script.settings.contains(&("port", "eth0.100".into())) && script.settings.contains(&("vlan", "100".into()))
        );
        let long = Network { uplink: Some("enp193s0f1np1".into()), ..network };
        assert!(check(&long).unwrap_err().to_string().starts_with("attribute 'uplink'"));
    }

    #[test]
    fn the_host_can_go_back_by_itself() {
        let network = network();
        let risky = |things: &[Thing]| things.iter().filter(|thing| matches!(thing, Thing::Risk(_))).count();
        assert_eq!(risky(&OnPort.wanted(&network, &network.members[0])), 1);
        assert_eq!(risky(&OnPort.unwanted(&network)), 1);
        assert_eq!(OnPort.engine_network(&network).options["com.docker.network.bridge.enable_ip_masquerade"], "false");
    }
}
