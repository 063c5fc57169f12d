//! How the container engine of a host is reached.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "dockerhost",
    help: "How the container engine of a host is reached.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The host or group of hosts."),
    text(
        "endpoint",
        "The address: unix:///path, ssh://[user@]host[:port] or tcp://host[:port]; default is ssh to the node itself, as table ssh says.",
    ),
    text("socket", "The engine's socket on the host for ssh; default is /var/run/docker.sock."),
    COMMENTS,
    DISABLE,
];
