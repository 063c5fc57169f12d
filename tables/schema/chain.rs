//! What a node does next after it was discovered.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "chain",
    help: "What a node does next after it was discovered.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("currstate", "What the node is doing now, such as boot or 'install rocky9-x86_64-compute'."),
    list("currchain", "What is left of the chain."),
    list(
        "chain",
        "What the node shall do, step by step: runcmd=…, runimage=…, osimage=…, shell, standby, boot or reboot.",
    ),
    text("ondiscover", "Not used; kept for xCAT's dumps."),
    COMMENTS,
    DISABLE,
];
