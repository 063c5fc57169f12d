//! The disks of a node that need a word.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "storage", help: "The disks of a node that need a word.", scope: Scope::Node, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("osvolume", "Where the operating system goes, such as wwn=0x5000c500 or localdisk, best first."),
    text("size", "The size of the volume in GB."),
    text("state", "The state of the volume: free, used or allocated."),
    text("storagepool", "The pool that the volume belongs to."),
    text("hypervisor", "The host that provides the volume."),
    text("fcprange", "The range of fibre channel devices."),
    text("volumetag", "A mark by which volumes are chosen."),
    text("type", "What the disk is: local or shared."),
    text("controller", "The controller of the storage."),
    COMMENTS,
    DISABLE,
];
