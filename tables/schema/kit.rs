//! The kits: software that comes as a whole, with its components and repositories.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "kit",
    help: "The kits: software that comes as a whole, with its components and repositories.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("kitname", "The name of the kit."),
    text("basename", "Its name without version and release."),
    text("description", "What it is for."),
    text("version", "The version."),
    text("release", "The release of the version."),
    text("ostype", "The operating system it is for: Linux."),
    text("isinternal", "'1' for a kit that only the management itself uses."),
    text("kitdeployparams", "A file of parameters that images with one of its components are deployed with."),
    text("kitdir", "The directory that holds it on the management node."),
    COMMENTS,
    DISABLE,
];
