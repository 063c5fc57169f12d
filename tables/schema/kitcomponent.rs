//! The components of kits: what of a kit an image can hold.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "kitcomponent",
    help: "The components of kits: what of a kit an image can hold.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("kitcompname", "The name of the component."),
    text("description", "What it is for."),
    text("kitname", "The kit that it is part of."),
    text("kitreponame", "The repository of the kit that holds its packages."),
    text("basename", "Its name without version and release."),
    text("version", "The version."),
    text("release", "The release of the version."),
    list("serverroles", "The roles of servers it is for: mgtnode, servicenode, compute."),
    list("kitpkgdeps", "Packages that it needs."),
    text("prerequisite", "The package with what must be there and be run before it."),
    list("driverpacks", "Packages of drivers, by their whole file names."),
    list("kitcompdeps", "Components that it needs."),
    list("postbootscripts", "Scripts for nodes of an image that holds it, after each start."),
    list("genimage_postinstall", "Scripts to run at the end of making an image that holds it."),
    text("exlist", "A file that lists what to leave out of diskless images that hold it."),
    COMMENTS,
    DISABLE,
];
