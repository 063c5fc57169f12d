//! Whether a client is the machine that it says it is.
//!
//! The node's own address in the tables proves it, because we gave it out; so does the kernel, which has just spoken with that
//! machine on the wire. Neither holds against somebody who forges packets on that wire, where all is lost anyway.

use std::net::IpAddr;

use tables::Node;

use crate::mac::Mac;

/// Whether who calls from that address is the node with that MAC address.
pub(super) fn is_at(node: &Node, mac: Mac, client: IpAddr) -> bool {
    let own = node.get("ip").and_then(|ip| ip.parse::<IpAddr>().ok());
    own == Some(client) || is_beside(mac, client)
}

/// Whether the kernel has found that MAC address at that address.
pub(super) fn is_beside(mac: Mac, client: IpAddr) -> bool {
    neighbour_at(client) == Some(mac)
}

/// The machine with that address with which the kernel has just spoken.
pub fn neighbour_at(client: IpAddr) -> Option<Mac> {
    // IPv4 only; there is no such file without it.
    let table = std::fs::read_to_string("/proc/net/arp").unwrap_or_default();
    neighbour(&table, client)
}

/// Who has an address, from the text of `/proc/net/arp`: address, kind, flags, MAC address, mask, interface.
fn neighbour(table: &str, client: IpAddr) -> Option<Mac> {
    let mut lines = table.lines().skip(1).map(str::split_whitespace);
    lines.find_map(|mut words| {
        let is_client = words.next()?.parse::<IpAddr>().ok()? == client;
        words.nth(2)?.parse().ok().filter(|_| is_client)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_its_neighbours() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     10.77.0.9        0x1         0x2         52:54:00:77:00:09     *        br0\n\
                     10.77.0.1        0x1         0x2         52:54:00:77:00:01     *        br0\n";
        let check = |client: &str, expected: Option<&str>| {
            let found = neighbour(table, client.parse().unwrap()).map(|mac| mac.to_string());
            assert_eq!(found.as_deref(), expected, "{client}");
        };
        check("10.77.0.1", Some("52:54:00:77:00:01"));
        check("10.77.0.2", None);
    }
}
