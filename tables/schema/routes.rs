//! The static routes that nodes set up, named by noderes.routenames.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "routes",
    help: "The static routes that nodes set up, named by noderes.routenames.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("routename", "The name of the route."),
    text("net", "The destination's address."),
    text("mask", "The destination's mask."),
    text("gateway", "The next router, as name or address."),
    text("ifname", "The port to send through, where that is needed."),
    COMMENTS,
    DISABLE,
];
