//! What was seen of machines that boot.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "bootevent",
    help: "What was seen of machines that boot; kept by xcrane serve and by commands that switch servers, shown by bootwhy.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("id", "A running number."),
    text("time", "When it was seen, in UTC."),
    text("node", "The node; unset for a machine that is none."),
    text("mac", "The MAC address of the machine, where it is known."),
    text("interface", "The interface of the server that it was seen on."),
    text("kind", "What happened, such as offer, ack, begun, sent, broken, script, status or power."),
    text(
        "subject",
        "To what: who asked for an address (firmware, ipxe, system), which file (loader, kernel, initrd, root), which status.",
    ),
    text("detail", "More of it, for people."),
    COMMENTS,
    DISABLE,
];
