//! The network of a BMC: what a change makes of it, and whether anybody would get anywhere by it. Pure.

use std::net::Ipv4Addr;

use crate::{ControllerNetwork, NetworkChange};

/// The network with the change in it.
pub(crate) fn changed(now: ControllerNetwork, change: &NetworkChange) -> ControllerNetwork {
    let fixed = now.fixed || change.address.is_some() || change.mask.is_some() || change.gateway.is_some();
    ControllerNetwork {
        address: change.address.unwrap_or(now.address),
        mask: change.mask.unwrap_or(now.mask),
        gateway: change.gateway.unwrap_or(now.gateway),
        fixed,
        vlan: change.vlan.unwrap_or(now.vlan),
    }
}

/// Why nobody would get anywhere by such a network.
pub(crate) fn fault(wanted: &ControllerNetwork) -> Option<String> {
    let [address, mask, gateway] = [wanted.address, wanted.mask, wanted.gateway].map(u32::from);
    if mask.leading_ones() + mask.trailing_zeros() != u32::BITS || mask == 0 {
        return Some(format!("{} is no netmask", wanted.mask));
    }
    if let Some(why) = no_host(wanted.address, mask) {
        return Some(format!("{} is {why}", wanted.address));
    }
    if wanted.gateway == wanted.address {
        return Some(format!("gateway {} is its own address", wanted.gateway));
    }
    if !wanted.gateway.is_unspecified() && address & mask != gateway & mask {
        return Some(format!("gateway {} is not in the network of {}/{}", wanted.gateway, wanted.address, wanted.mask));
    }
    None
}

/// Why no BMC can have an address.
fn no_host(address: Ipv4Addr, mask: u32) -> Option<&'static str> {
    let host = u32::from(address) & !mask;
    // A network of one address or two has none that stands for all.
    let has_ends = mask.trailing_zeros() > 1;
    match address {
        _ if address.is_unspecified() => Some("no address"),
        _ if address.is_loopback() => Some("a loopback address"),
        _ if address.is_multicast() => Some("a multicast address"),
        _ if address.is_broadcast() => Some("a broadcast address"),
        _ if has_ends && host == 0 => Some("the address of its whole network"),
        _ if has_ends && host == !mask => Some("the broadcast address of its network"),
        _ => None,
    }
}

/// Whether a network is what was asked for.
pub(crate) fn is_as_asked(network: &ControllerNetwork, change: &NetworkChange) -> bool {
    changed(*network, change) == *network
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str, mask: &str, gateway: &str) -> ControllerNetwork {
        let [address, mask, gateway] = [address, mask, gateway].map(|text| text.parse().unwrap());
        ControllerNetwork { address, mask, gateway, fixed: true, vlan: None }
    }

    #[test]
    fn a_change_that_was_made_is_recognised() {
        let now = network("10.0.1.7", "255.255.0.0", "0.0.0.0");
        let change = NetworkChange { address: Some(now.address), ..NetworkChange::default() };
        assert!(is_as_asked(&now, &change));
        assert!(!is_as_asked(&now, &NetworkChange { vlan: Some(Some(7)), ..change }));
        assert!(!is_as_asked(&ControllerNetwork { fixed: false, ..now }, &change));
    }

    #[test]
    fn addresses_that_cut_a_bmc_off_are_seen() {
        let check = |address: &str, mask: &str, gateway: &str, expected: Option<&str>| {
            assert_eq!(fault(&network(address, mask, gateway)).as_deref(), expected, "{address}/{mask}");
        };
        let mask = "255.255.255.0";
        check("0.0.0.0", mask, "0.0.0.0", Some("0.0.0.0 is no address"));
        check("127.0.0.1", mask, "0.0.0.0", Some("127.0.0.1 is a loopback address"));
        check("224.0.0.1", mask, "0.0.0.0", Some("224.0.0.1 is a multicast address"));
        check("255.255.255.255", mask, "0.0.0.0", Some("255.255.255.255 is a broadcast address"));
        check("10.0.0.0", mask, "0.0.0.0", Some("10.0.0.0 is the address of its whole network"));
        check("10.0.0.255", mask, "0.0.0.0", Some("10.0.0.255 is the broadcast address of its network"));
        check("10.0.0.255", "255.255.254.0", "0.0.0.0", None);
        check("10.0.0.0", "255.255.255.254", "10.0.0.1", None);
        check("10.0.0.0", "255.255.255.255", "0.0.0.0", None);
        check("10.0.0.7", mask, "10.0.0.7", Some("gateway 10.0.0.7 is its own address"));
    }

    #[test]
    fn networks_that_lead_nowhere_are_seen() {
        let check = |mask: &str, gateway: &str, expected: Option<&str>| {
            assert_eq!(fault(&network("10.0.0.7", mask, gateway)).as_deref(), expected);
        };
        check("255.255.255.0", "10.0.0.1", None);
        check("255.255.255.0", "0.0.0.0", None);
        check("255.0.255.0", "0.0.0.0", Some("255.0.255.0 is no netmask"));
        check("0.0.0.0", "0.0.0.0", Some("0.0.0.0 is no netmask"));
        check("255.255.255.0", "10.0.1.1", Some("gateway 10.0.1.1 is not in the network of 10.0.0.7/255.255.255.0"));
    }
}
