//! The circuits that machines are fed from, and what they carry.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "circuit",
    help: "The circuits that machines are fed from, and what they carry.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("circuit", "The name of the circuit."),
    text("watts", "How many watts it carries; rpower switches no more machines on than that."),
    COMMENTS,
    DISABLE,
];
