//! The MAC addresses of a node.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "mac", help: "The MAC addresses of a node.", scope: Scope::Node, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("interface", "The network port that has the address, such as eth0."),
    text(
        "mac",
        "The MAC address; several as mac1!host1|mac2!host2 in the order of the ports, where host *NOIP* means no DHCP binding.",
    ),
    COMMENTS,
    DISABLE,
];
