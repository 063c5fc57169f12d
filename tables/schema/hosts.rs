//! The addresses and further host names of a node.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "hosts",
    help: "The addresses and further host names of a node.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text(
        "ip",
        "The address of the node; for a container the fixed address on its network; an expression in a group row gives each member its own.",
    ),
    list("hostnames", "Further names of the node, separated by commas or spaces."),
    list("otherinterfaces", "Further names and addresses, each as -suffix:ip or name:ip."),
    COMMENTS,
    DISABLE,
];
