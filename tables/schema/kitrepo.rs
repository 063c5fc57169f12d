//! The package repositories of kits, one for each operating system.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "kitrepo",
    help: "The package repositories of kits, one for each operating system.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("kitreponame", "The name of the repository."),
    text("kitname", "The kit that it is part of."),
    text("osbasename", "The distribution it is for, such as rocky."),
    text("osmajorversion", "The major version of the distribution."),
    text("osminorversion", "The minor version of the distribution; default is any."),
    text("osarch", "The architecture: x86_64, aarch64, ppc64le."),
    list("compat_osbasenames", "Further distributions that it does for."),
    text("kitrepodir", "The directory that holds it on the management node."),
    COMMENTS,
    DISABLE,
];
