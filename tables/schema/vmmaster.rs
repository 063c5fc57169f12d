//! The images that virtual machines are cloned from.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "vmmaster",
    help: "The images that virtual machines are cloned from.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("name", "The name of the master."),
    text("os", "The operating system of the master."),
    text("arch", "The architecture of the master."),
    text("profile", "The profile of the master."),
    text("storage", "The place of the master's disks."),
    text("storagemodel", "The model of the disk controller that clones get."),
    list("nics", "The network ports that clones get."),
    text("vintage", "When the master was made."),
    text("originator", "Who made the master."),
    text("virttype", "The virtualisation that the master is for, such as kvm."),
    text("specializeparameters", "What makes a clone differ from its master."),
    COMMENTS,
    DISABLE,
];
