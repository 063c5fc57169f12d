//! Who may do what; the first rule that matches decides, none denies.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "policy",
    help: "Who may do what; the first rule that matches decides, none denies.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("priority", "The rule's place, a number: the lowest is looked at first."),
    text("name", "The user; '*' is any that is known, empty is anyone."),
    text("host", "The host that the request comes from; empty is any."),
    list("commands", "The commands; empty is any."),
    text("noderange", "The nodes; empty is any."),
    text("parameters", "A regular expression on the arguments; empty is any."),
    text("time", "Not used; kept for xCAT's dumps."),
    text("rule", "'allow', 'accept' or 'trusted' lets the request through, anything else denies it."),
    COMMENTS,
    DISABLE,
];
