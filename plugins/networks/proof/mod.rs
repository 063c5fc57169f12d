//! Whether a network works: everybody asks everybody, and what is found is explained.
//!
//! Reading order: who asks whom (here), `probe` (one program a host, and what it says), `diagnosis` (the cause of what
//! does not work); `neighbours` tells beforehand whether the hosts can hold what is asked of them.

mod alone;
mod diagnosis;
mod faults;
mod neighbours;
mod probe;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub use self::diagnosis::{Cause, Judged, Verdict, judge};
pub use self::faults::Fault;
pub use self::neighbours::{Crowded, crowded};
pub use self::probe::{Answers, Passed, ask};
use super::outward::outward;
use super::survey::{Attached, Survey};
use super::{Network, overhead};

/// What the headers of IP and ICMP take of a packet.
const HEADERS_V4: u32 = 28;
const HEADERS_V6: u32 = 48;

/// A place that probes are sent from and to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// A host's name, or a container's.
    pub name: String,
    pub host: String,
    pub address: IpAddr,
    /// The container; None of a host.
    pub container: Option<Attached>,
}

/// One station asks another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    pub from: usize,
    pub to: usize,
    /// The greatest packet that has to pass.
    pub packet: u32,
}

/// Everything there is to find out about a network.
#[derive(Debug, Clone)]
pub struct Plan {
    pub network: Network,
    /// The greatest packet between containers that has to pass: the network's own, or one to be tried.
    pub packet: u32,
    /// Of the hosts that ask and are asked, which need not be all that carry it.
    pub surveys: BTreeMap<String, Survey>,
    pub stations: Vec<Station>,
    pub links: Vec<Link>,
}

/// How many pairs of containers are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Samples {
    All,
    /// For each pair of hosts; each container is asked at least once.
    Some(usize),
}

/// Plans who asks whom: every pair of hosts, and pairs of containers; with packets of another size than the network's to
/// try what would pass.
pub fn plan(
    network: Network,
    surveys: BTreeMap<String, Survey>,
    attached: &BTreeMap<String, Vec<Attached>>,
    (samples, packet): (Samples, Option<u32>),
) -> Plan {
    let packet = packet.unwrap_or(network.mtu);
    let hosts = network.members.iter().filter(|member| surveys.contains_key(&member.host)).map(|member| Station {
        name: member.host.clone(),
        host: member.host.clone(),
        address: member.address,
        container: None,
    });
    let containers = attached.iter().flat_map(|(host, found)| found.iter().map(move |found| (host, found)));
    let containers = containers.map(|(host, found)| Station {
        name: found.container.clone(),
        host: host.clone(),
        address: found.address,
        container: Some(found.clone()),
    });
    let stations: Vec<Station> = hosts.chain(containers).collect();
    let mut links = host_links(&network, packet + overhead(&network), &surveys, &stations);
    let of_containers = container_pairs(&stations, samples);
    links.extend(of_containers.into_iter().map(|(from, to)| Link { from, to, packet }));
    Plan { network, packet, surveys, stations, links }
}

impl Plan {
    /// What a probe carries, so that the packet is as large as it has to be.
    fn payload(&self, link: Link) -> u32 {
        let headers = if self.stations[link.from].address.is_ipv4() { HEADERS_V4 } else { HEADERS_V6 };
        link.packet.saturating_sub(headers)
    }
}

/// Every pair of hosts, in both directions: as large as a wrapped packet of the network, else as the narrower one of the
/// two says that it can carry.
fn host_links(network: &Network, wrapped: u32, surveys: &BTreeMap<String, Survey>, stations: &[Station]) -> Vec<Link> {
    let hosts: Vec<usize> = (0..stations.len()).filter(|&place| stations[place].container.is_none()).collect();
    let own = |place: usize| {
        let device = surveys.get(&stations[place].host).and_then(|survey| survey.device_with(stations[place].address));
        device.map_or(wrapped, |device| device.mtu)
    };
    let packet = |from: usize, to: usize| if overhead(network) > 0 { wrapped } else { own(from).min(own(to)) };
    let pairs = hosts.iter().flat_map(|&from| hosts.iter().map(move |&to| (from, to))).filter(|(from, to)| from != to);
    pairs.map(|(from, to)| Link { from, to, packet: packet(from, to) }).collect()
}

/// Pairs of containers, by place in the list.
fn container_pairs(stations: &[Station], samples: Samples) -> BTreeSet<(usize, usize)> {
    let mut by_host: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, station) in stations.iter().enumerate().filter(|(_, station)| station.container.is_some()) {
        by_host.entry(&station.host).or_default().push(place);
    }
    let all: Vec<usize> = by_host.values().flatten().copied().collect();
    let Samples::Some(count) = samples else {
        let pairs = all.iter().flat_map(|&from| all.iter().map(move |&to| (from, to)));
        return pairs.filter(|(from, to)| from != to).collect();
    };
    let groups: Vec<&Vec<usize>> = by_host.values().collect();
    let mut pairs = BTreeSet::new();
    for (a, here) in groups.iter().enumerate() {
        for (b, there) in groups.iter().enumerate() {
            // Each pair of hosts takes the next containers, so that all have their turn.
            let pick =
                |turn: usize| (here[(b * count + turn) % here.len()], there[(a * count + turn + 1) % there.len()]);
            pairs.extend((0..count).map(pick).filter(|(from, to)| from != to));
        }
    }
    let asked: BTreeSet<usize> = pairs.iter().map(|&(from, _)| from).collect();
    // Whoever has had no turn asks the one after it, which is on another host where there are as many hosts as containers.
    let next = |place: usize| all[(place + 1) % all.len()];
    let left = all.iter().enumerate().filter(|(_, station)| !asked.contains(station));
    pairs.extend(left.map(|(place, &from)| (from, next(place))).filter(|(from, to)| from != to).collect::<Vec<_>>());
    pairs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::vxlan::tests::network;
    use super::*;

    pub(super) fn attached(number: u8, container: &str) -> Attached {
        Attached {
            container: container.into(),
            process: u32::from(number),
            address: [10, 80, 0, number].into(),
            mac: format!("02:77:00:00:00:{number:02x}"),
        }
    }

    /// So many containers on each host, named and numbered in turn.
    pub(super) fn planned(counts: &[usize], samples: Samples) -> Plan {
        let mut number = 0;
        let mut on = |count: usize| {
            let mut next = || {
                number += 1;
                attached(number, &format!("c{number}"))
            };
            (0..count).map(|_| next()).collect::<Vec<_>>()
        };
        let attached = counts.iter().enumerate().map(|(host, &count)| (format!("h{}", host + 1), on(count))).collect();
        let surveys = (1..=3).map(|number| (format!("h{number}"), Survey::default())).collect();
        plan(network(), surveys, &attached, (samples, None))
    }

    fn named(plan: &Plan) -> Vec<String> {
        let name = |place: usize| plan.stations[place].name.clone();
        plan.links.iter().map(|link| format!("{}>{}", name(link.from), name(link.to))).collect()
    }

    #[test]
    fn every_pair_of_hosts_with_a_wrapped_packet() {
        let plan = planned(&[], Samples::All);
        assert_eq!(named(&plan), ["h1>h2", "h1>h3", "h2>h1", "h2>h3", "h3>h1", "h3>h2"]);
        assert!(plan.links.iter().all(|&link| link.packet == 1500 && plan.payload(link) == 1472));
    }

    #[test]
    fn pairs_of_containers() {
        let check = |counts: &[usize], samples: Samples, expected: &[&str]| {
            assert_eq!(named(&planned(counts, samples))[6..], *expected, "{counts:?}");
        };
        check(&[1, 1], Samples::All, &["c1>c2", "c2>c1"]);
        check(&[1, 1], Samples::Some(1), &["c1>c2", "c2>c1"]);
        check(&[1], Samples::Some(3), &[]);
        check(&[2], Samples::Some(1), &["c1>c2", "c2>c1"]);
        assert_eq!(planned(&[3, 3, 3], Samples::All).links.len(), 6 + 9 * 8);
    }

    proptest! {
        #[test]
        fn samples_reach_every_host_and_every_container(counts in prop::collection::vec(0usize..9, 1..6), samples in 1usize..5) {
            let plan = planned(&counts, Samples::Some(samples));
            let of_containers: Vec<&Link> = plan.links.iter().filter(|link| plan.stations[link.from].container.is_some()).collect();
            prop_assert!(of_containers.iter().all(|link| link.from != link.to && plan.stations[link.to].container.is_some()));
            let hosts: Vec<String> = (0..counts.len()).filter(|&host| counts[host] > 0).map(|host| format!("h{}", host + 1)).collect();
            for a in &hosts {
                for b in hosts.iter().filter(|b| *b != a) {
                    let joins = |link: &&&Link| plan.stations[link.from].host == *a && plan.stations[link.to].host == *b;
                    prop_assert!(of_containers.iter().filter(joins).count() >= 1, "{a}>{b}");
                }
            }
            let containers = counts.iter().sum::<usize>();
            let asking: BTreeSet<usize> = of_containers.iter().map(|link| link.from).collect();
            prop_assert_eq!(asking.len(), if containers > 1 { containers } else { 0 });
            prop_assert!(of_containers.len() <= hosts.len() * hosts.len() * samples + containers);
        }
    }
}
