//! What is called when tables change.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list};

pub(crate) const TABLE: Table =
    Table { name: "notification", help: "What is called when tables change.", scope: Scope::Other, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("filename", "The command or module to call."),
    list("tables", "The tables to watch."),
    list("tableops", "The changes to tell of: a for added, d for deleted, u for updated rows."),
    COMMENTS,
    DISABLE,
];
