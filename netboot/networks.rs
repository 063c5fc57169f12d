//! Which addresses of a network, as table networks has it, may be given to a node.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use tables::Row;

use crate::interfaces;

/// A network and what its addresses are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    pub name: String,
    subnet: IpNetwork,
    /// Those for nodes; any where there are none.
    fixed: Ranges,
    /// Those that DHCP gives to whom it likes.
    dynamic: Ranges,
}

/// Ranges of addresses, and how they were written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ranges {
    text: String,
    pub(crate) ends: Vec<(IpAddr, IpAddr)>,
}

impl Network {
    /// The network of a row; None if the row has no name or makes no sense.
    pub fn read(row: &Row) -> Option<Self> {
        let ranges = |column: &str| row.get(column).map(Ranges::parse).unwrap_or_default();
        Some(Self {
            name: row.get("netname")?.to_owned(),
            subnet: interfaces::parse(row.get("net")?, row.get("mask")?)?,
            fixed: ranges("staticrange"),
            dynamic: ranges("dynamicrange"),
        })
    }

    /// Why a node cannot have this address, after "ADDRESS"; None if it can. Of addresses of another family nothing is known.
    pub fn refuses(&self, address: IpAddr) -> Option<String> {
        let Self { name, subnet, fixed, dynamic } = self;
        if address.is_ipv4() != subnet.is_ipv4() {
            return None;
        }
        if !subnet.contains(address) {
            return Some(format!("is not in network {name}, which is {subnet}"));
        }
        let ends = [subnet.network(), subnet.broadcast()];
        if subnet.is_ipv4() && subnet.prefix() < 31 && ends.contains(&address) {
            return Some(format!("is of network {name} ({subnet}) itself"));
        }
        if !fixed.ends.is_empty() && !fixed.contain(address) {
            return Some(format!("is not among those for nodes in network {name}: {} (staticrange)", fixed.text));
        }
        dynamic
            .contain(address)
            .then(|| format!("is among those that DHCP gives out in network {name}: {} (dynamicrange)", dynamic.text))
    }
}

impl Ranges {
    /// `first-last` or a subnet, several by commas; what is neither is no range.
    pub(crate) fn parse(text: &str) -> Self {
        Self { text: text.to_owned(), ends: Self::items(text).filter_map(Self::range).collect() }
    }

    /// The parts of a cell.
    pub(crate) fn items(text: &str) -> impl Iterator<Item = &str> {
        text.split([',', ';']).map(str::trim).filter(|item| !item.is_empty())
    }

    /// The first and the last address of a part.
    pub(crate) fn range(item: &str) -> Option<(IpAddr, IpAddr)> {
        match item.split_once('-') {
            Some((first, last)) => Some((first.trim().parse().ok()?, last.trim().parse().ok()?)),
            None => item.parse::<IpNetwork>().ok().map(|subnet| (subnet.network(), subnet.broadcast())),
        }
    }

    fn contain(&self, address: IpAddr) -> bool {
        self.ends.iter().any(|(first, last)| (first..=last).contains(&&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_a_node_can_have() {
        let check = |fixed: &str, dynamic: &str, address: &str, expected: &str| {
            let [fixed, dynamic] = [fixed, dynamic].map(Ranges::parse);
            let subnet = "10.1.0.0/16".parse().unwrap();
            let network = Network { name: "c".into(), subnet, fixed, dynamic };
            let refused = network.refuses(address.parse().unwrap()).unwrap_or_default();
            assert_eq!(refused, expected, "{address}");
        };
        check("", "", "10.1.2.3", "");
        check("", "", "10.2.2.3", "is not in network c, which is 10.1.0.0/16");
        check("", "", "10.1.0.0", "is of network c (10.1.0.0/16) itself");
        check("", "", "10.1.255.255", "is of network c (10.1.0.0/16) itself");
        check("", "", "fd00::1", "");
        let fixed = "10.1.1.1-10.1.1.9,10.1.2.0/24";
        check(fixed, "", "10.1.1.9", "");
        check(fixed, "", "10.1.2.200", "");
        check(
            fixed,
            "",
            "10.1.1.10",
            "is not among those for nodes in network c: 10.1.1.1-10.1.1.9,10.1.2.0/24 (staticrange)",
        );
        let dynamic = "10.1.9.1-10.1.9.99";
        check(
            "",
            dynamic,
            "10.1.9.50",
            "is among those that DHCP gives out in network c: 10.1.9.1-10.1.9.99 (dynamicrange)",
        );
        check("", dynamic, "10.1.9.100", "");
    }
}
