//! Where networks stand at present: a host that leaves a network has to be found again.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "fabrichost",
    help: "Where networks were made, and how; kept by mknet and rmnet.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("netname", "The name of the network, which may no longer be defined."),
    key("node", "The host."),
    text("made", "The network as it was made there, in JSON."),
    COMMENTS,
    DISABLE,
];
