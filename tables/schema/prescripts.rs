//! The scripts that run on the server before and after a node's boot state is set.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "prescripts",
    help: "The scripts that run on the server before and after a node's boot state is set.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("begin", "Scripts to run before the change, as action1,action2:script1,script2, more by '|'."),
    text("end", "Scripts to run after the change, as action1,action2:script1,script2, more by '|'."),
    COMMENTS,
    DISABLE,
];
