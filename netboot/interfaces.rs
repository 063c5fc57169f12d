//! The networks that this machine is on: what `makenetworks` proposes.

use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

/// A network that an interface of this machine is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    pub interface: String,
    pub network: IpNetwork,
    /// The router of the default route through that interface.
    pub gateway: Option<Ipv4Addr>,
    /// The greatest packet in bytes.
    pub mtu: Option<u32>,
}

impl Network {
    /// xCAT's name for it: `10_0_0_0-255_255_0_0`, or the prefix itself for IPv6.
    pub fn name(&self) -> String {
        match self.network {
            IpNetwork::V4(network) => format!("{}-{}", network.network(), network.mask()).replace('.', "_"),
            IpNetwork::V6(network) => format!("{}/{}", network.network(), network.prefix()),
        }
    }

    /// The mask as table `networks` holds it.
    pub fn mask(&self) -> String {
        match self.network {
            IpNetwork::V4(network) => network.mask().to_string(),
            IpNetwork::V6(network) => format!("/{}", network.prefix()),
        }
    }
}

/// A network as table `networks` holds it: an address, and a mask such as `255.255.0.0`, `/16` or `16`.
pub fn parse(net: &str, mask: &str) -> Option<IpNetwork> {
    let net: IpAddr = net.split('/').next()?.parse().ok()?;
    let prefix = mask.trim_start_matches('/').parse::<u8>();
    let network = match prefix {
        Ok(prefix) => IpNetwork::new(net, prefix),
        Err(_) => IpNetwork::with_netmask(net, mask.parse().ok()?),
    };
    let network = network.ok()?;
    IpNetwork::new(network.network(), network.prefix()).ok()
}

/// The networks of every interface that is up, loopback and link-local ones left out, each once.
pub fn networks() -> std::io::Result<Vec<Network>> {
    // Without routes (IPv6 only, say) there is no such file, and no router to name.
    let routes = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let mut networks: Vec<Network> = getifaddrs()?.filter_map(|address| network(&address, &routes)).collect();
    networks.sort_by_key(|network| (network.network, network.interface.clone()));
    networks.dedup_by_key(|network| network.network);
    Ok(networks)
}

/// An address and the network that it is in; None for what has none of IP.
pub(crate) fn address(address: &InterfaceAddress) -> Option<IpNetwork> {
    let (ip, mask) = (ip(address.address.as_ref()?)?, ip(address.netmask.as_ref()?)?);
    IpNetwork::with_netmask(ip, mask).ok()
}

fn network(address: &InterfaceAddress, routes: &str) -> Option<Network> {
    if address.flags.contains(InterfaceFlags::IFF_LOOPBACK) || !address.flags.contains(InterfaceFlags::IFF_UP) {
        return None;
    }
    let network = self::address(address)?;
    let link_local = match network.ip() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    // A host route is no network.
    let single = network.prefix() == if network.is_ipv4() { 32 } else { 128 };
    let network = IpNetwork::new(network.network(), network.prefix()).ok()?;
    let interface = address.interface_name.clone();
    let gateway = gateway(routes, &interface).filter(|gateway| network.contains(IpAddr::V4(*gateway)));
    let mtu = std::fs::read_to_string(format!("/sys/class/net/{interface}/mtu")).ok();
    let mtu = mtu.and_then(|mtu| mtu.trim().parse().ok());
    (!link_local && !single).then_some(Network { interface, network, gateway, mtu })
}

/// The router of the default route through an interface, from the text of `/proc/net/route`, whose addresses are
/// hexadecimal in the byte order of the machine.
fn gateway(routes: &str, interface: &str) -> Option<Ipv4Addr> {
    let mut defaults = routes.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let route = defaults.find(|route| route.len() > 2 && route[0] == interface && route[1] == "00000000")?;
    let gateway = u32::from_str_radix(route[2], 16).ok().filter(|gateway| *gateway != 0)?;
    Some(Ipv4Addr::from(gateway.to_ne_bytes()))
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_masks_are_xcats() {
        let check = |network: &str, name: &str, mask: &str| {
            let network =
                Network { interface: "eth0".into(), network: network.parse().unwrap(), gateway: None, mtu: None };
            assert_eq!(parse(&network.network.ip().to_string(), &network.mask()), Some(network.network));
            assert_eq!((network.name().as_str(), network.mask().as_str()), (name, mask));
        };
        check("172.17.0.0/16", "172_17_0_0-255_255_0_0", "255.255.0.0");
        check("fd00::/64", "fd00::/64", "/64");
    }

    #[test]
    fn networks_are_read_in_three_spellings() {
        let check = |net: &str, mask: &str, expected: Option<&str>| {
            assert_eq!(parse(net, mask), expected.map(|network| network.parse().unwrap()), "{net} {mask}");
        };
        check("10.1.0.0", "255.255.0.0", Some("10.1.0.0/16"));
        check("10.1.2.3", "/16", Some("10.1.0.0/16"));
        check("fd00::/64", "64", Some("fd00::/64"));
        check("10.1.0.0", "255.0.255.0", None);
        check("here", "/8", None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_default_route_names_the_router() {
        let routes = "Iface Destination Gateway Flags\neth0 00000000 FE0010AC 0003\neth0 000010AC 00000000 0001\n";
        assert_eq!(gateway(routes, "eth0"), Some(Ipv4Addr::new(172, 16, 0, 254)));
        assert_eq!(gateway(routes, "eth1"), None);
        assert_eq!(gateway("", "eth0"), None);
    }

    #[test]
    fn no_loopback_among_our_networks() {
        assert!(networks().unwrap().iter().all(|network| !network.network.ip().is_loopback()));
    }
}
