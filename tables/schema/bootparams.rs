//! What a node boots next; written when its boot state is set.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "bootparams",
    help: "What a node boots next; written when its boot state is set.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("kernel", "The kernel to load."),
    text("initrd", "The initial ramdisk to load."),
    text("kcmdline", "The kernel's command line as the image asks for it."),
    text("addkcmdline", "More for the kernel's command line, placed after kcmdline."),
    text("dhcpstatements", "DHCP statements that replace the built-in ones for the node."),
    text("adddhcpstatements", "DHCP statements on top of the built-in ones for the node."),
    COMMENTS,
    DISABLE,
];
