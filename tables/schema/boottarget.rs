//! What nodes of a profile boot when it is none of the usual images.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "boottarget",
    help: "What nodes of a profile boot when it is none of the usual images.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("bprofile", "The profile: nodes of it whose os is 'boottarget' boot this."),
    text("kernel", "The kernel, or whatever is to be loaded in its place, such as a memory test."),
    text("initrd", "The initial ramdisk."),
    text("kcmdline", "The kernel's command line."),
    COMMENTS,
    DISABLE,
];
