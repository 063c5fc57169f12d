//! The ssh zones: nodes of one zone log in to each other.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "zone",
    help: "The ssh zones: nodes of one zone log in to each other.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("zonename", "The name of the zone."),
    text("sshkeydir", "The directory with the zone's ssh keys."),
    text(
        "sshbetweennodes",
        "'yes' (default) lets the zone's nodes log in to each other without a password, 'no' does not.",
    ),
    text("defaultzone", "'yes' makes it the zone of nodes that name none."),
    COMMENTS,
    DISABLE,
];
