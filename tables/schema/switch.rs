//! The switch ports that nodes are plugged into.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "switch",
    help: "The switch ports that nodes are plugged into.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    key("switch", "The switch."),
    key("port", "The port of the switch, as a number or by its name."),
    text("vlan", "The VLAN that the port is set to."),
    text("interface", "The node's own port at the other end; empty for the primary one."),
    COMMENTS,
    DISABLE,
];
