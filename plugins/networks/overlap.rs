//! Who else has addresses of a network that is to be: routes, addresses, an engine's pools and networks, the site's own.

use std::collections::{BTreeMap, BTreeSet};

use ipnetwork::IpNetwork;

use super::Network;
use super::ranges::{free_like, overlap};
use super::survey::Survey;

/// Addresses that are somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub range: IpNetwork,
    /// In words, such as `route 10.80.4.0/22 dev eth2`.
    pub what: String,
}

/// Says with what a network overlaps and where, equal findings of several hosts once; `site` is what the tables know.
pub(super) fn clashes(network: &Network, site: &[Taken], surveys: &[(String, Survey)]) -> Vec<String> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (host, survey) in surveys {
        for taken in taken(network, survey).into_iter().filter(|taken| overlap(taken.range, network.subnet)) {
            found.entry(taken.what).or_default().push(host.clone());
        }
    }
    let of_site = site.iter().filter(|taken| overlap(taken.range, network.subnet));
    let of_site = of_site.map(|taken| format!("{} overlaps {}", network.subnet, taken.what));
    let of_hosts = found
        .iter()
        .map(|(what, hosts)| format!("{} overlaps {what} on {}", network.subnet, tables::noderange::fold(hosts)));
    of_site.chain(of_hosts).collect()
}

/// A range of the same size that nobody has.
pub(super) fn proposal(network: &Network, site: &[Taken], surveys: &[(String, Survey)]) -> Option<IpNetwork> {
    let of_hosts = surveys.iter().flat_map(|(_, survey)| taken(network, survey)).map(|taken| taken.range);
    let used: Vec<IpNetwork> = site.iter().map(|taken| taken.range).chain(of_hosts).chain([network.subnet]).collect();
    free_like(network.subnet, &used)
}

/// What of a host takes addresses and is not the network's own. What follows from something else is left out, as the
/// route of a network that the engine has made.
fn taken(network: &Network, survey: &Survey) -> Vec<Taken> {
    let own = own_devices(network, survey);
    let engine: BTreeSet<&str> = survey.engine.networks.iter().filter_map(|held| held.bridge.as_deref()).collect();
    let told = |device: &str| own.contains(device) || engine.contains(device);
    let networks = survey.engine.networks.iter().filter(|held| held.network != network.name);
    let networks = networks.map(|held| Taken {
        range: held.subnet,
        what: format!("network {} {} of its engine", held.network, held.subnet),
    });
    let pools = survey.engine.pools.iter();
    let pools = pools.map(|pool| Taken { range: *pool, what: format!("pool {pool} of its engine") });
    let routes = survey.routes.iter().filter(|route| route.to.prefix() > 1);
    let routes = routes.filter(|route| !route.device.as_deref().is_some_and(told)).map(|route| {
        let device = route.device.as_ref().map(|device| format!(" dev {device}")).unwrap_or_default();
        let gateway = route.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
        Taken { range: route.to, what: format!("route {}{gateway}{device}", route.to) }
    });
    let routes: Vec<Taken> = routes.collect();
    let routed = |address: IpNetwork| {
        routes
            .iter()
            .any(|route| route.range.network() == address.network() && route.range.prefix() == address.prefix())
    };
    let addresses = survey.devices.iter().filter(|device| device.name != "lo" && !told(&device.name));
    let addresses = addresses.flat_map(|device| device.addresses.iter().map(move |address| (device, *address)));
    let addresses = addresses.filter(|(_, address)| !routed(*address));
    let addresses = addresses
        .map(|(device, address)| Taken { range: address, what: format!("address {address} of {}", device.name) });
    let addresses: Vec<Taken> = addresses.collect();
    networks.chain(pools).chain(routes).chain(addresses).collect()
}

/// The devices on which the network's own addresses may be.
fn own_devices(network: &Network, survey: &Survey) -> BTreeSet<String> {
    let mut own = BTreeSet::from([network.bridge()]);
    own.extend(
        survey
            .engine
            .networks
            .iter()
            .filter(|held| held.network == network.name)
            .filter_map(|held| held.bridge.clone()),
    );
    // Through an uplink the network is the wire's own; a tunnel only goes over it.
    if let Some(uplink) = network.uplink.as_deref().filter(|_| !network.is_wrapped()) {
        let port = network.vlan.map_or_else(|| uplink.to_owned(), |vlan| format!("{uplink}.{vlan}"));
        own.extend(survey.device(&port).and_then(|device| device.master.clone()));
        own.insert(port);
    }
    own
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::survey::{Device, EngineFacts, Held, Route};
    use super::super::vxlan::tests::network;
    use super::*;

    fn route(to: &str, device: &str) -> Route {
        Route { to: to.parse().unwrap(), device: Some(device.into()), gateway: None }
    }

    fn device(name: &str, address: &str) -> Device {
        Device { name: name.into(), addresses: vec![address.parse().unwrap()], ..Device::default() }
    }

    fn held(network: &str, subnet: &str, bridge: &str) -> Held {
        Held { network: network.into(), subnet: subnet.parse().unwrap(), bridge: Some(bridge.into()) }
    }

    /// A host as any is: the management network, the engine's own bridge, a default route.
    fn host() -> Survey {
        Survey {
            devices: vec![
                device("lo", "127.0.0.1/8"),
                device("eth0", "10.77.0.1/24"),
                device("docker0", "172.17.0.1/16"),
            ],
            routes: vec![route("0.0.0.0/0", "eth0"), route("10.77.0.0/24", "eth0"), route("172.17.0.0/16", "docker0")],
            engine: EngineFacts { networks: vec![held("bridge", "172.17.0.0/16", "docker0")], pools: Vec::new() },
            ..Survey::default()
        }
    }

    fn check(change: impl Fn(&mut Network, &mut Survey), site: &[Taken], expected: &[&str]) {
        let (mut network, mut h2) = (network(), host());
        change(&mut network, &mut h2);
        let surveys = [("h1".to_owned(), host()), ("h2".to_owned(), h2.clone()), ("h3".to_owned(), h2)];
        assert_eq!(clashes(&network, site, &surveys), expected);
    }

    #[test]
    fn whoever_has_addresses_of_it_is_named() {
        check(|_, _| (), &[], &[]);
        check(
            |_, host| host.routes.push(route("10.80.4.0/22", "eth2")),
            &[],
            &["10.80.0.0/16 overlaps route 10.80.4.0/22 dev eth2 on h[2-3]"],
        );
        check(
            |_, host| host.routes.push(Route { gateway: Some([10, 77, 0, 9].into()), ..route("10.0.0.0/8", "eth0") }),
            &[],
            &["10.80.0.0/16 overlaps route 10.0.0.0/8 via 10.77.0.9 dev eth0 on h[2-3]"],
        );
        check(
            |_, host| host.devices.push(device("eth3", "10.80.9.9/32")),
            &[],
            &["10.80.0.0/16 overlaps address 10.80.9.9/32 of eth3 on h[2-3]"],
        );
        check(
            |_, host| host.engine.pools.push("10.80.0.0/12".parse().unwrap()),
            &[],
            &["10.80.0.0/16 overlaps pool 10.80.0.0/12 of its engine on h[2-3]"],
        );
        check(
            |network, _| network.subnet = "172.17.128.0/24".parse().unwrap(),
            &[],
            &["172.17.128.0/24 overlaps network bridge 172.17.0.0/16 of its engine on h[1-3]"],
        );
        let bmc = Taken { range: "10.80.3.1/32".parse().unwrap(), what: "the BMC of n1".into() };
        check(|_, _| (), &[bmc], &["10.80.0.0/16 overlaps the BMC of n1"]);
    }

    #[test]
    fn an_address_and_its_route_are_one_finding() {
        let change = |_: &mut Network, host: &mut Survey| {
            host.devices.push(device("eth2", "10.80.4.7/22"));
            host.routes.push(route("10.80.4.0/22", "eth2"));
        };
        check(change, &[], &["10.80.0.0/16 overlaps route 10.80.4.0/22 dev eth2 on h[2-3]"]);
    }

    #[test]
    fn the_network_is_not_in_its_own_way() {
        let made = |_: &mut Network, host: &mut Survey| {
            host.engine.networks.push(held("blue", "10.80.0.0/16", "br-blue"));
            host.devices.push(device("br-blue", "10.80.0.1/16"));
            host.routes.push(route("10.80.0.0/16", "br-blue"));
        };
        check(made, &[], &[]);
        let flat = |network: &mut Network, host: &mut Survey| {
            *network = Network {
                driver: "macvlan".parse().unwrap(),
                uplink: Some("eth1".into()),
                vni: None,
                ..network.clone()
            };
            host.devices.push(device("eth1", "10.80.0.1/16"));
            host.routes.push(route("10.80.0.0/16", "eth1"));
        };
        check(flat, &[], &[]);
        let tunnelled = |network: &mut Network, host: &mut Survey| {
            flat(network, host);
            *network = Network { driver: "bridge".parse().unwrap(), vni: Some(7), ..network.clone() };
        };
        check(tunnelled, &[], &["10.80.0.0/16 overlaps route 10.80.0.0/16 dev eth1 on h[2-3]"]);
    }

    #[test]
    fn proposals_keep_clear_of_everything() {
        let mut survey = host();
        survey.routes.push(route("10.80.4.0/22", "eth2"));
        survey.engine.pools.push("10.82.0.0/15".parse().unwrap());
        let site = [Taken { range: "10.81.3.1/32".parse().unwrap(), what: String::new() }];
        let proposed = proposal(&network(), &site, &[("h1".into(), survey)]);
        assert_eq!(proposed, Some("10.84.0.0/16".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn a_proposal_does_not_clash(routes in prop::collection::vec((76u8..90, any::<u8>(), 10u8..=32), 0..30)) {
            let mut survey = host();
            for (octet, next, prefix) in routes {
                let address = IpNetwork::new([10, octet, next, 0].into(), prefix).unwrap();
                let to = IpNetwork::new(address.network(), prefix).unwrap();
                survey.routes.push(Route { to, device: Some("eth9".into()), gateway: None });
            }
            let surveys = [("h1".to_owned(), survey)];
            let network = network();
            if let Some(subnet) = proposal(&network, &[], &surveys) {
                let clashes = clashes(&Network { subnet, ..network }, &[], &surveys);
                prop_assert!(clashes.is_empty());
            }
        }
    }
}
