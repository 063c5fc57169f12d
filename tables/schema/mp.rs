//! The blades and the management module of their chassis.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "mp",
    help: "The blades and the management module of their chassis.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("mpa", "The management module."),
    text("id", "The slot, as first-last if it takes several."),
    text("nodetype", "What it is: blade, mm, cmm and so on."),
    COMMENTS,
    DISABLE,
];
