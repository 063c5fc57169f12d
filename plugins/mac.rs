//! MAC addresses for ports of guests that have none in the tables.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use sha2::{Digest, Sha256};

use crate::Port;

/// A MAC address for a port, locally administered and none of `taken`: made from its IPv4 address as container engines make
/// one (those that take none from us give just this), else from the names of node and port. The same whenever and wherever
/// it is asked for, as long as the same ones are taken.
pub fn derived_mac(node: &str, port: &Port, taken: &HashSet<String>) -> String {
    let of_addresses = port.addresses.iter().filter_map(|address| match address {
        IpAddr::V4(address) => Some(of_address(*address)),
        IpAddr::V6(_) => None,
    });
    let of_names = (0_u64..).map(|turn| of_names(node, &port.name, turn));
    let mut candidates = of_addresses.chain(of_names);
    candidates.find(|mac| !taken.contains(mac)).expect("there are more addresses than nodes")
}

/// What an engine makes of an IPv4 address, unless it is told another.
pub(crate) fn of_address(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn of_names(node: &str, port: &str, turn: u64) -> String {
    let digest = Sha256::digest(format!("{node} {port} {turn}"));
    digest[..5].iter().fold("02".to_owned(), |mac, octet| format!("{mac}:{octet:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(name: &str, addresses: &[&str]) -> Port {
        let addresses = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        Port { name: name.into(), network: "cluster".into(), addresses, mac: None }
    }

    #[test]
    fn from_the_address_else_from_the_names() {
        let none = HashSet::new();
        assert_eq!(derived_mac("n1", &port("eth0", &["fd00::1", "10.100.0.255"]), &none), "02:42:0a:64:00:ff");
        let of_names = derived_mac("n1", &port("eth0", &[]), &none);
        // Written into tables everywhere: it must never be another.
        assert_eq!(of_names, "02:6d:1b:35:57:6e");
        assert_eq!(derived_mac("n1", &port("eth0", &["fd00::1"]), &none), of_names);
        assert_ne!(derived_mac("n2", &port("eth0", &[]), &none), of_names);
        assert_ne!(derived_mac("n1", &port("eth1", &[]), &none), of_names);
    }

    #[test]
    fn one_that_is_taken_is_not_given_again() {
        let mut taken = HashSet::new();
        for _ in 0..4 {
            let mac = derived_mac("n1", &port("eth0", &["10.100.0.1"]), &taken);
            assert!(taken.insert(mac), "{taken:?}");
        }
        assert!(taken.contains("02:42:0a:64:00:01"));
    }
}
