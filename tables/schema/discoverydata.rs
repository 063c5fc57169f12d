//! Machines that nobody has defined, as they have described themselves.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "discoverydata",
    help: "Machines that nobody had defined, as they have described themselves; kept by xcrane serve.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("uuid", "The machine's UUID; one made of its MAC address where its firmware gives none."),
    text("node", "The node that it is, if that is known."),
    text(
        "method",
        "How that was found: mac, serial, uuid, bmc, switch, sequential or manual; undef where it was not, conflict where it cannot be.",
    ),
    text("discoverytime", "When that was, as MM-DD-YYYY HH:MM:SS."),
    text("arch", "The architecture, such as x86_64."),
    text("cpucount", "How many processors there are."),
    text("cputype", "The model of the processors."),
    text("memory", "The memory in MB."),
    text("mtm", "The model, as its firmware says it."),
    text("serial", "The serial number."),
    text("nicdriver", "The drivers of its cards, such as eth0!igb,eth1!igb."),
    text("nicipv4", "Not used; kept for xCAT's dumps."),
    text(
        "nichwaddr",
        "The MAC addresses of its cards, such as eth0!52:54:00:00:00:01; the one that it has booted by is first.",
    ),
    text("nicpci", "Not used; kept for xCAT's dumps."),
    text("nicloc", "Not used; kept for xCAT's dumps."),
    text("niconboard", "Not used; kept for xCAT's dumps."),
    text("nicfirm", "Not used; kept for xCAT's dumps."),
    text("switchname", "The switch that it is plugged into, if it has heard of that."),
    text("switchaddr", "Not used; kept for xCAT's dumps."),
    text("switchdesc", "Not used; kept for xCAT's dumps."),
    text("switchport", "The port of that switch."),
    text("otherdata", "Its disks and its BMC, and why it is no node."),
    COMMENTS,
    DISABLE,
];
