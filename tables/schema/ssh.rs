//! How the sshd of a node is reached.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "ssh", help: "How the sshd of a node is reached.", scope: Scope::Node, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("port", "The port that its sshd listens on; default is 22."),
    text("user", "Who logs in unless a command says so; default is site attribute sshuser, else root."),
    COMMENTS,
    DISABLE,
];
