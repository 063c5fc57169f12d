//! The commands that were run, and by whom.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "auditlog", help: "The commands that were run, and by whom.", scope: Scope::Other, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("recid", "A running number."),
    text("audittime", "When the command was run."),
    text("userid", "Who ran it."),
    text("clientname", "The host it was run on."),
    text("clienttype", "How it came in: cli, java, webui or other."),
    text("command", "The command."),
    text("noderange", "The nodes it was run for."),
    text("args", "Its arguments."),
    text("status", "'allowed' or 'denied'."),
    COMMENTS,
    DISABLE,
];
