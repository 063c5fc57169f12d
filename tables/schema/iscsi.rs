//! The iSCSI disks that nodes boot from.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, secret, text};

pub(crate) const TABLE: Table =
    Table { name: "iscsi", help: "The iSCSI disks that nodes boot from.", scope: Scope::Node, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("server", "The server that has the target."),
    text("target", "The name of the target."),
    text("lun", "The unit of the target; default is 0."),
    text("iname", "The name of the node as initiator."),
    text("file", "The file or device that the server offers."),
    text("userid", "The user for the target."),
    secret("passwd", "The password for the target."),
    text("kernel", "The kernel to load."),
    text("kcmdline", "The kernel's command line."),
    text("initrd", "The initial ramdisk to load."),
    COMMENTS,
    DISABLE,
];
