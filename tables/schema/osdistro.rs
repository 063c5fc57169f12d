//! The distributions (install media) that images can be made from.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "osdistro",
    help: "The distributions (install media) that images can be made from.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("osdistroname", "The name, such as rocky9.4-x86_64."),
    text("basename", "The distribution, such as rocky."),
    text("majorversion", "Its major version."),
    text("minorversion", "Its minor version."),
    text("arch", "The architecture: x86_64, aarch64, ppc64le."),
    text("type", "The kind of operating system: Linux."),
    list("dirpaths", "The directories that hold it, one for each medium."),
    COMMENTS,
    DISABLE,
];
