//! The storage domains of virtualisation clusters.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "virtsd",
    help: "The storage domains of virtualisation clusters.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The name of the storage domain."),
    text("sdtype", "What it holds: data, iso or export."),
    text("stype", "How it is reached: nfs, fcp, iscsi or localfs."),
    text("location", "Where it is, such as server:/path."),
    text("host", "The host that set it up."),
    text("cluster", "The cluster that uses it."),
    text("datacenter", "The datacenter that it is attached to."),
    COMMENTS,
    DISABLE,
];
