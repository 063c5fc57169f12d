//! Long work that runs for a node.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "taskstate", help: "Long work that runs for a node.", scope: Scope::Node, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("node", "The node."),
    text("command", "The command that runs."),
    text("state", "How far it is."),
    text("pid", "The process that runs it."),
    text("reserve", "Not used; kept for xCAT's dumps."),
    COMMENTS,
    DISABLE,
];
