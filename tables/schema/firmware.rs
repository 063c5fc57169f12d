//! The firmware settings of nodes.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "firmware", help: "The firmware settings of nodes.", scope: Scope::Node, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("cfgfile", "The file of settings that the node is given when it is discovered, or later."),
    COMMENTS,
    DISABLE,
];
