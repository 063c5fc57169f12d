//! The hosts of virtual machines and containers.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "hypervisor",
    help: "The hosts of virtual machines and containers.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("type", "The kind of host: docker, kvm, esx, rhevh, pkvm."),
    text("mgr", "The manager of the host's cluster."),
    text("interface", "How the host's management ports are set up."),
    list("netmap", "The ports behind named networks, as name=port&port, more by comma."),
    text("defaultnet", "The network of a guest that names none."),
    text("cluster", "The cluster of the host."),
    text("datacenter", "The datacenter of the host."),
    text("preferdirect", "'yes' talks to the host itself even where a manager is given."),
    COMMENTS,
    DISABLE,
];
