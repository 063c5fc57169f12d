//! What carries networks: a file a driver, and its line in [`CARRIERS`].

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::claim::Claims;
use super::engine::EngineNetwork;
use super::survey::Survey;
use super::{Member, Network, bridge, macvlan, overlay, ovs, vxlan};
use crate::Result;
use crate::setup::{Observed, Thing};

/// All of them; where several go by one word, the first that is meant carries a network.
const CARRIERS: [&dyn Carrier; 6] =
    [&vxlan::Mesh, &bridge::OnPort, &ovs::Switch, &overlay::Swarm, &macvlan::Macvlan, &macvlan::Ipvlan];

/// A way to carry networks: pure functions from a network and one of its hosts to things of [`crate::setup`], and to what
/// the host's engine is told.
pub(super) trait Carrier: Sync {
    /// The word in attribute `driver`.
    fn word(&self) -> &'static str;

    /// Whether it carries this network, of those that go by its word.
    fn is_meant(&self, _network: &Network) -> bool {
        true
    }

    /// Refuses a network that cannot be made, naming the attribute.
    fn check(&self, network: &Network) -> Result<()>;

    /// What must be true of a host that carries the network.
    fn wanted(&self, network: &Network, member: &Member) -> Vec<Thing>;

    /// What must be true of a host that carries it no longer; `network` is as it was made there.
    fn unwanted(&self, network: &Network) -> Vec<Thing>;

    /// What the engine of every host is told.
    fn engine_network(&self, network: &Network) -> EngineNetwork;

    /// What its containers are plugged into.
    fn frame(&self, network: &Network) -> Frame;

    /// Its tunnels on a host, each with the addresses that it leads to.
    fn tunnels(&self, _network: &Network, _member: &Member) -> Vec<(String, Vec<IpAddr>)> {
        Vec::new()
    }

    /// What it gives names to on a host.
    fn claims(&self, _network: &Network, _member: &Member) -> Claims {
        Claims::default()
    }

    /// Bytes of each packet that encryption takes.
    fn encryption(&self, _network: &Network) -> u32 {
        0
    }

    /// Why a host cannot carry the network as it is, by what it says of its devices; what is wrong with the definition
    /// itself is not its matter.
    fn unfit(&self, _network: &Network, _survey: &Survey) -> Option<String> {
        None
    }

    /// What it takes of a port of the host for itself.
    fn wire(&self, _uplink: &str, _vlan: Option<u16>) -> Option<Wire> {
        None
    }

    /// Whether it has a Linux bridge on every host, on an uplink or joined by tunnels.
    fn is_bridged(&self) -> bool {
        false
    }

    /// Who gives its ports their addresses.
    fn addressing(&self) -> Addressing {
        Addressing::OwnMac
    }

    /// What a host lacks for its things and must not be given unasked, from what was observed there.
    fn lacks(&self, _observed: &Observed) -> Option<&'static str> {
        None
    }

    /// The same things for a host on which may be installed what it lacks.
    fn installing(&self, things: Vec<Thing>) -> Vec<Thing> {
        things
    }

    /// Whether what `other` has made can be brought in step where it stands; both have this driver and one family.
    fn comes_in_place(&self, network: &Network, other: &Network) -> bool {
        (network.vlan, network.vni, &network.hub, &network.uplink) == (other.vlan, other.vni, &other.hub, &other.uplink)
            && network.options == other.options
    }
}

/// What containers of a network are plugged into on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// The network's bridge, which packets leave by that port.
    Bridge { outlet: String },
    /// The uplink itself.
    Uplink,
    /// What the engine makes when the first of them comes.
    Engine,
}

/// What a network takes of its hosts' ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    pub port: String,
    pub purpose: Purpose,
}

/// What a port serves. The kernel hands what comes in to one of them only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// The network's own bridge.
    Bridge,
    /// A switch of Open vSwitch, which networks may share.
    Switch(String),
    /// Ports of containers that stand on it, of any number of networks of the driver of that word.
    Below(&'static str),
}

/// Who gives the ports of containers their addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// The tables; each port has a MAC address of its own.
    OwnMac,
    /// The tables; a port has the MAC address of its host's uplink.
    SharedMac,
    /// A swarm's managers give every address once.
    Swarm,
}

/// The word of a driver there is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Driver(&'static str);

impl Driver {
    /// Those that there are, each once.
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = CARRIERS.iter().map(|carrier| Self(carrier.word())).collect();
        all.dedup();
        all
    }

    /// The word in attribute `driver`.
    pub fn word(self) -> &'static str {
        self.0
    }

    /// Whether its networks have a Linux bridge on every host, on an uplink or joined by tunnels.
    pub fn is_bridged(self) -> bool {
        self.carrier().is_bridged()
    }

    /// Who gives the ports of containers on its networks their addresses.
    pub fn addressing(self) -> Addressing {
        self.carrier().addressing()
    }

    /// What a network without tunnels takes of an uplink for itself.
    pub fn wire(self, uplink: &str, vlan: Option<u16>) -> Option<Wire> {
        CARRIERS.iter().filter(|carrier| carrier.word() == self.0).find_map(|carrier| carrier.wire(uplink, vlan))
    }

    /// The first of those that go by the word.
    fn carrier(self) -> &'static dyn Carrier {
        let found = CARRIERS.into_iter().find(|carrier| carrier.word() == self.0);
        found.expect("a driver is the word of a carrier")
    }
}

impl Network {
    /// What carries it.
    pub(super) fn carrier(&self) -> &'static dyn Carrier {
        let mut meant = CARRIERS.into_iter().filter(|carrier| carrier.word() == self.driver.0);
        meant.find(|carrier| carrier.is_meant(self)).expect("of the carriers of a word one is meant")
    }
}

impl FromStr for Driver {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let found = Self::all().into_iter().find(|driver| driver.0 == text);
        found.ok_or_else(|| format!("'{text}' is not a driver of networks"))
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl Serialize for Driver {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Driver {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::vxlan::tests::network;
    use super::*;

    /// Changes a network that can be made, and expects a refusal that begins so; none where that is empty.
    #[track_caller]
    pub(in super::super) fn refuses(good: &Network, change: fn(&mut Network), expected: &str) {
        let mut network = good.clone();
        change(&mut network);
        let refused = network.carrier().check(&network).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.starts_with(expected) && refused.is_empty() == expected.is_empty(), "{refused}");
    }

    #[test]
    fn what_is_brought_in_step_where_it_stands() {
        let network = |driver: &str, vni: Option<u32>, uplink: Option<&str>| Network {
            driver: driver.parse().unwrap(),
            vni,
            uplink: uplink.map(Into::into),
            ..network()
        };
        let check = |one: &Network, other: &Network, expected: bool| {
            assert_eq!(one.comes_in_place_of(other), expected, "{one:?} {other:?}");
        };
        let mesh = network("bridge", Some(7), None);
        check(&mesh, &mesh, true);
        check(&mesh, &network("bridge", Some(8), None), true);
        check(&mesh, &network("bridge", Some(7), Some("eth1")), true);
        check(&mesh, &network("bridge", None, Some("eth1")), false);
        check(&mesh, &Network { subnet: "fd00::/64".parse().unwrap(), ..mesh.clone() }, false);
        check(&mesh, &network("ovs", Some(7), None), false);
        check(&network("ovs", Some(8), None), &network("ovs", Some(7), None), false);
        check(&network("bridge", None, Some("eth1")), &mesh, false);
    }

    #[test]
    fn words_stand_for_drivers() {
        let words: Vec<&str> = Driver::all().into_iter().map(Driver::word).collect();
        assert_eq!(words, ["bridge", "ovs", "overlay", "macvlan", "ipvlan"]);
        for word in words {
            let driver: Driver = word.parse().unwrap();
            let text = serde_json::to_string(&driver).unwrap();
            assert_eq!(serde_json::from_str::<Driver>(&text).unwrap(), driver);
        }
        assert!("bridg".parse::<Driver>().is_err());
    }

    #[test]
    fn every_network_has_a_carrier_whose_word_is_its_driver() {
        for driver in Driver::all() {
            for (uplink, vni) in [(None, None), (None, Some(7)), (Some("eth1"), None), (Some("eth1"), Some(7))] {
                let network = Network { driver, uplink: uplink.map(Into::into), vni, ..network() };
                assert_eq!(network.carrier().word(), driver.word());
                let bridged = matches!(network.carrier().frame(&network), Frame::Bridge { .. });
                assert_eq!(bridged, driver.is_bridged(), "{driver:?}");
                let tunnels = network.carrier().tunnels(&network, &network.members[0]);
                assert_eq!(!tunnels.is_empty(), network.is_tunnelled(), "{driver:?} {uplink:?} {vni:?}");
            }
        }
    }
}
