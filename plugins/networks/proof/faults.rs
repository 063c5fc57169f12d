//! What is not as it should be, whether or not a probe was lost over it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::probe::Answers;
use super::{Plan, Station, neighbours, outward, overhead};
use crate::networks::driver::Frame;
use crate::networks::firewall::{Fate, fate};
use crate::networks::survey::{Device, Entry, Survey};
use crate::networks::{Addressing, Member, Network};

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What, of what, on which host.
    pub says: String,
    pub mend: String,
    /// Hurts large packets only.
    pub(super) large_only: bool,
    /// Is said only where it explains something.
    pub(super) suspicion: bool,
    pub(super) scope: Scope,
}

/// Which links a fault breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those of containers from or to a host.
    Bridge(String),
    /// Those of them that leave the host.
    Outward(String),
    /// All that leave the host, also its own.
    Uplink(String),
    /// Those of containers between two hosts.
    Between(String, String),
    Station(usize),
    /// All of a host.
    Whole(String),
}

/// Everything that is wrong, in the order in which causes are looked for.
pub(super) fn all(plan: &Plan, answers: &BTreeMap<String, Answers>) -> Vec<Fault> {
    let members = plan.network.members.iter().filter_map(|member| {
        let (survey, answers) = (plan.surveys.get(&member.host)?, answers.get(&member.host)?);
        Some(View { plan, member, survey, answers })
    });
    let views: Vec<View<'_>> = members.collect();
    let mut faults: Vec<Fault> = views.iter().flat_map(View::frame).collect();
    faults.extend(views.iter().flat_map(View::cables));
    faults.extend(views.iter().flat_map(View::entries));
    faults.extend(views.iter().flat_map(View::filter));
    faults.extend(views.iter().flat_map(View::widths));
    faults.extend(views.iter().flat_map(|view| view.duplicates(answers)));
    faults.extend(equals(plan));
    // Last, for it explains whatever nothing else does.
    faults.extend(views.iter().filter_map(View::overflow));
    faults
}

/// One host of a plan.
struct View<'a> {
    plan: &'a Plan,
    member: &'a Member,
    survey: &'a Survey,
    answers: &'a Answers,
}

impl View<'_> {
    fn network(&self) -> &Network {
        &self.plan.network
    }

    fn fault(&self, scope: fn(String) -> Scope, says: String) -> Fault {
        let host = &self.member.host;
        let mend = format!("mknet {}", self.network().name);
        Fault { says, mend, large_only: false, suspicion: false, scope: scope(host.clone()) }
    }

    /// Its stations, by place.
    fn stations(&self) -> impl Iterator<Item = (usize, &Station)> {
        self.plan.stations.iter().enumerate().filter(|(_, station)| station.host == self.member.host)
    }

    /// Bridge and ports: there, up, and one in the other.
    fn frame(&self) -> Vec<Fault> {
        match self.network().carrier().frame(self.network()) {
            Frame::Bridge { outlet } => self.bridge().map_or_else(|| self.ports(&outlet), |fault| vec![fault]),
            Frame::Uplink => self.uplink().into_iter().collect(),
            Frame::Engine => Vec::new(),
        }
    }

    fn bridge(&self) -> Option<Fault> {
        let (bridge, host) = (self.network().bridge(), &self.member.host);
        let says = match self.survey.device(&bridge) {
            None => format!("{host} has no bridge {bridge}"),
            Some(device) if !device.up => format!("bridge {bridge} on {host} is down"),
            Some(_) => return None,
        };
        Some(self.fault(Scope::Bridge, says))
    }

    fn ports(&self, outlet: &str) -> Vec<Fault> {
        let (bridge, host) = (self.network().bridge(), &self.member.host);
        let tunnels = self.tunnels().into_iter().map(|(device, _)| device);
        let names: BTreeSet<String> = [outlet.to_owned()].into_iter().chain(tunnels).collect();
        let found = names.into_iter().filter_map(|name| {
            let says = match self.survey.device(&name) {
                None => format!("{host} has no {name}"),
                Some(port) if !port.up => format!("{name} on {host} is down"),
                Some(port) if name == outlet && port.master.as_deref() != Some(&*bridge) => {
                    format!("{name} on {host} is not a port of bridge {bridge}")
                }
                Some(_) => return None,
            };
            Some(self.fault(Scope::Outward, says))
        });
        found.collect()
    }

    /// The tunnels that it should have, each with the addresses that it should lead to.
    fn tunnels(&self) -> Vec<(String, Vec<IpAddr>)> {
        self.network().carrier().tunnels(self.network(), self.member)
    }

    fn uplink(&self) -> Option<Fault> {
        let (uplink, host) = (self.network().uplink.as_deref()?, &self.member.host);
        let says = match self.survey.device(uplink) {
            None => format!("{host} has no device {uplink}"),
            Some(device) if !device.up => format!("{uplink} on {host} is down"),
            Some(_) => return None,
        };
        let fault = self.fault(Scope::Outward, says);
        Some(Fault { mend: format!("xdsh {host} ip link set {uplink} up"), ..fault })
    }

    /// Containers without their address, or whose cable ends nowhere.
    fn cables(&self) -> Vec<Fault> {
        let name = |station: &Station| format!("{} on {}", station.name, station.host);
        let stations = self.stations().filter(|(_, station)| station.container.is_some());
        let found = stations.filter_map(|(place, station)| {
            let says = if self.answers.absent.contains(&station.address) {
                format!("{} does not have its address {}", name(station), station.address)
            } else {
                let inner = self.answers.devices.get(&station.address)?;
                let outer = self.survey.devices.iter().find(|device| Some(device.index) == inner.peer)?;
                let bridge = self.network().bridge();
                if !is_bridged(self.network()) || outer.master.as_deref() == Some(&*bridge) {
                    return None;
                }
                format!("{}, the cable of {}, is not a port of bridge {bridge}", outer.name, name(station))
            };
            let mend = format!("rpower {} boot", station.name);
            Some(Fault { says, mend, large_only: false, suspicion: false, scope: Scope::Station(place) })
        });
        found.collect()
    }

    /// A tunnel sends what is for all to every host that it leads to, and to nobody else.
    fn entries(&self) -> Vec<Fault> {
        let tunnels = self.tunnels();
        let found = tunnels.iter().filter_map(|(name, peers)| Some((self.survey.device(name)?, peers)));
        found.flat_map(|(tunnel, peers)| self.entries_of(tunnel, peers)).collect()
    }

    fn entries_of(&self, tunnel: &Device, peers: &[IpAddr]) -> Vec<Fault> {
        let (network, host) = (self.network(), &self.member.host);
        let entries: Vec<&Entry> = self.survey.entries.iter().filter(|entry| entry.device == tunnel.name).collect();
        let leads =
            |to: IpAddr| entries.iter().any(|entry| is_for_all(&entry.mac) && entry.dst == Some(to.to_string()));
        let missing = network.peers(self.member).filter(|peer| peers.contains(&peer.address) && !leads(peer.address));
        let missing = missing.map(|peer| {
            let says =
                format!("{} on {host} has no forwarding entry for {} ({})", tunnel.name, peer.host, peer.address);
            let fault = self.fault(Scope::Outward, says);
            // Through a hub everything is lost with it.
            if peers.len() + 1 < network.members.len() {
                return fault;
            }
            Fault { scope: Scope::Between(host.clone(), peer.host.clone()), ..fault }
        });
        let known = |to: &str| peers.iter().any(|peer| peer.to_string() == to);
        let stale = entries.iter().filter_map(|entry| {
            let to = entry.dst.as_deref().filter(|to| !known(to))?;
            let what = format!("{} on {host} has a stale forwarding entry", tunnel.name);
            let says = format!("{what}: {} to {to}, where it does not lead", entry.mac);
            let station = self.plan.stations.iter().position(|station| mac_of(station) == Some(&*entry.mac));
            let scope = station.map_or_else(|| Scope::Between(host.clone(), to.to_owned()), Scope::Station);
            Some(Fault { scope, ..self.fault(Scope::Outward, says) })
        });
        missing.chain(stale).chain(self.astray(tunnel, &entries)).collect()
    }

    /// Entries that lead to a host where a container no longer is.
    fn astray(&self, tunnel: &Device, entries: &[&Entry]) -> Vec<Fault> {
        let host = &self.member.host;
        let astray = |place: usize, station: &Station| {
            let entry = entries.iter().find(|entry| mac_of(station) == Some(&*entry.mac) && entry.dst.is_some())?;
            let to = self.network().members.iter().find(|member| Some(member.address.to_string()) == entry.dst)?;
            // Through a hub everything leads to the hub.
            let direct = self.tunnels().iter().any(|(_, peers)| peers.len() + 1 == self.network().members.len());
            if to.host == station.host || !direct {
                return None;
            }
            let says = format!(
                "{} on {host} still sends what is for {} to {}; it is on {}",
                tunnel.name, station.name, to.host, station.host
            );
            let mend = format!("xdsh {host} bridge fdb del {} dev {} dst {}", entry.mac, tunnel.name, to.address);
            Some(Fault { mend, scope: Scope::Station(place), ..self.fault(Scope::Outward, says) })
        };
        self.plan.stations.iter().enumerate().filter_map(|(place, station)| astray(place, station)).collect()
    }

    /// What the packet filter does with packets that cross the bridge.
    fn filter(&self) -> Vec<Fault> {
        let (network, host) = (self.network(), &self.member.host);
        if !is_bridged(network) || !self.survey.filters_bridges {
            return Vec::new();
        }
        let bridge = network.bridge();
        let why = "and bridge-nf-call-iptables=1 sends what crosses the bridge there";
        let mend = format!("xdsh {host} iptables -I DOCKER-USER -i {bridge} -o {bridge} -j ACCEPT");
        let fault = |by: &str, suspicion: bool| {
            let fault =
                self.fault(Scope::Bridge, format!("iptables on {host} drops packets of {bridge} by '{by}', {why}"));
            Fault { mend: mend.clone(), suspicion, ..fault }
        };
        let own = match fate(&self.survey.rules, &bridge, network.subnet) {
            Fate::Passed => None,
            Fate::Dropped(by) => Some(fault(&by, false)),
            Fate::PerhapsDropped(by) => Some(fault(&by, true)),
        };
        let foreign = self.survey.drops.iter().map(|chain| {
            let says = format!("chain '{chain}' of nftables on {host} drops what it does not accept, {why}");
            Fault {
                mend: format!("accept {bridge} to {bridge} in chain '{chain}'"),
                suspicion: true,
                ..self.fault(Scope::Bridge, says)
            }
        });
        own.into_iter().chain(foreign).collect()
    }

    /// Every device on the way is as wide as the packets.
    fn widths(&self) -> Vec<Fault> {
        let (network, host, packet) = (self.network(), &self.member.host, self.plan.packet);
        let narrow = |device: &Device, wanted: u32, scope: fn(String) -> Scope| {
            let says = format!("{} on {host} has MTU {}, and {wanted} are needed", device.name, device.mtu);
            (device.mtu < wanted).then(|| Fault { large_only: true, ..self.fault(scope, says) })
        };
        let mend = |device: &Device| {
            let smaller = format!("the network a smaller one: chdef -t network {} mtu=…", network.name);
            format!("give {} on {host} its MTU again, or {smaller}", device.name)
        };
        let uplinks = outward(network, self.member, self.survey);
        let narrow_uplinks = uplinks.iter().filter_map(|device| {
            Some(Fault { mend: mend(device), ..narrow(device, packet + overhead(network), Scope::Uplink)? })
        });
        // A bridge is as wide as its narrowest port, which then is the one to name.
        let tunnels = self.tunnels().into_iter().map(|(name, _)| name);
        // A port of the hardware is among what leads outward.
        let outlet = outlet(network).filter(|outlet| !uplinks.iter().any(|device| device.name == *outlet));
        let ports: BTreeSet<String> = tunnels.chain(outlet).collect();
        let ports = ports.iter().filter_map(|name| narrow(self.survey.device(name)?, packet, Scope::Outward));
        let ports: Vec<Fault> = ports.collect();
        let bridge = self.survey.device(&network.bridge()).filter(|_| ports.is_empty());
        let bridge = bridge.and_then(|bridge| narrow(bridge, packet, Scope::Bridge));
        narrow_uplinks.chain(ports).chain(bridge).chain(self.container_widths()).collect()
    }

    fn container_widths(&self) -> Vec<Fault> {
        let (wanted, most) = (self.plan.packet, self.network().mtu);
        let mut faults = Vec::new();
        for (place, station) in self.stations().filter(|(_, station)| station.container.is_some()) {
            let Some(inner) = self.answers.devices.get(&station.address) else { continue };
            let outer = self.survey.devices.iter().find(|device| Some(device.index) == inner.peer);
            let outer = outer.filter(|outer| outer.kind.as_deref() == Some("veth"));
            let at = format!("{} on {}", station.name, station.host);
            let mut say = |says: String, large_only: bool| {
                let mend = format!("mkvm --force {}", station.name);
                faults.push(Fault { says, mend, large_only, suspicion: false, scope: Scope::Station(place) });
            };
            match outer {
                _ if inner.mtu > most => {
                    say(
                        format!(
                            "{} of {at} has MTU {}: what it sends of more than {most} bytes is lost",
                            inner.name, inner.mtu
                        ),
                        true,
                    );
                }
                _ if inner.mtu < wanted => {
                    say(format!("{} of {at} has MTU {}, and {wanted} are needed", inner.name, inner.mtu), true);
                }
                Some(outer) if outer.mtu < wanted => {
                    say(
                        format!("{}, the cable of {at}, has MTU {}, and {wanted} are needed", outer.name, outer.mtu),
                        true,
                    );
                }
                Some(_) | None => (),
            }
        }
        faults
    }

    /// Neighbours that the kernel had no room for while it was asked.
    fn overflow(&self) -> Option<Fault> {
        let (before, after) = (self.survey.neighbours.as_ref()?, self.answers.neighbours.as_ref()?);
        let host = &self.member.host;
        let says = format!(
            "the table of neighbours of {host} overflowed: it holds {}, and all its networks and containers share it",
            after.limit
        );
        let mend = neighbours::mend(host, after.limit, neighbours::needed_by_all(self.plan, host));
        (after.overflows > before.overflows).then(|| Fault { mend, ..self.fault(Scope::Whole, says) })
    }

    /// Others who answer for the address of a station.
    fn duplicates(&self, answers: &BTreeMap<String, Answers>) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (place, station) in self.stations() {
            let own = self.answers.devices.get(&station.address).map_or("", |device| &device.mac);
            for mac in self.answers.claims.get(&station.address).into_iter().flatten().filter(|mac| *mac != own) {
                // Two of our own with one address are found without asking.
                if self.plan.stations.iter().any(|other| mac_of(other) == Some(&**mac)) {
                    continue;
                }
                let place_of = seen(mac, answers)
                    .map(|(host, device)| format!(", seen behind {device} of {host}"))
                    .unwrap_or_default();
                let says = format!(
                    "{} of {} is also the address of a machine that is none of ours: {mac}{place_of}",
                    station.address, station.name
                );
                let mend =
                    "find that machine by its hardware address, and give one of the two another address".to_owned();
                faults.push(Fault { says, mend, large_only: false, suspicion: false, scope: Scope::Station(place) });
            }
        }
        faults
    }
}

/// Whether containers are on a Linux bridge.
fn is_bridged(network: &Network) -> bool {
    network.driver.is_bridged()
}

/// The port by which packets leave the bridge.
pub(super) fn outlet(network: &Network) -> Option<String> {
    match network.carrier().frame(network) {
        Frame::Bridge { outlet } => Some(outlet),
        Frame::Uplink | Frame::Engine => None,
    }
}

/// Where a host hears a hardware address from other than through a tunnel.
fn seen<'a>(mac: &str, answers: &'a BTreeMap<String, Answers>) -> Option<(&'a str, &'a str)> {
    let mut entries = answers.iter().flat_map(|(host, answers)| answers.entries.iter().map(move |entry| (host, entry)));
    let found = entries.find(|(_, entry)| entry.mac == mac && entry.dst.is_none() && !entry.device.starts_with("vx"));
    found.map(|(host, entry)| (host.as_str(), entry.device.as_str()))
}

/// Stations of our own that have the same address.
fn equals(plan: &Plan) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut say = |one: &Station, place: usize, other: &Station, what: &str, attribute: &str| {
        let says = format!("{} on {} and {} on {} have the same {what}", other.name, other.host, one.name, one.host);
        let mend = format!("chdef {} {attribute}=…, then mkvm --force {}", one.name, one.name);
        faults.push(Fault { says, mend, large_only: false, suspicion: false, scope: Scope::Station(place) });
    };
    let has_own_macs = plan.network.driver.addressing() != Addressing::SharedMac;
    for (place, one) in plan.stations.iter().enumerate() {
        for other in &plan.stations[..place] {
            if other.address == one.address {
                say(one, place, other, &format!("address {}", one.address), "ip");
            }
            if let Some(mac) = mac_of(one).filter(|mac| has_own_macs && mac_of(other) == Some(mac)) {
                say(one, place, other, &format!("hardware address {mac}"), "mac");
            }
        }
    }
    faults
}

fn mac_of(station: &Station) -> Option<&str> {
    station.container.as_ref().map(|container| container.mac.as_str()).filter(|mac| !mac.is_empty())
}

fn is_for_all(mac: &str) -> bool {
    mac == "00:00:00:00:00:00"
}
