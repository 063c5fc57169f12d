//! The scripts that run on a node once it is installed or booted.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list};

pub(crate) const TABLE: Table = Table {
    name: "postscripts",
    help: "The scripts that run on a node once it is installed or booted.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group; row xcatdefaults is for every node, row service for every service node."),
    list(
        "postscripts",
        "Scripts to run after the installation and at each diskless boot, in this order; arguments follow by space.",
    ),
    list(
        "postbootscripts",
        "Scripts to run after the first start of the installed system, in this order; arguments follow by space.",
    ),
    COMMENTS,
    DISABLE,
];
