//! The operating system images that nodes are installed with or boot.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "osimage",
    help: "The operating system images that nodes are installed with or boot.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("imagename", "The name of the image."),
    list("groups", "Groups of images that it belongs to."),
    text("profile", "The profile: compute, service, and so on."),
    text("imagetype", "The kind of operating system: linux, or container for an image of a registry."),
    text("description", "What the image is for."),
    text("provmethod", "How it is used: install, netboot or statelite."),
    text("rootfstype", "The root file system of a diskless image: ramdisk (default) or nfs."),
    text("nfsrootopts", "Mount options of an NFS root."),
    text("osdistroname", "The distribution (install media) that it was made from."),
    list("osupdatename", "Updates of the distribution that it was made with."),
    text("cfmdir", "The directory of the configuration file manager."),
    text("osname", "The family of the operating system: Linux."),
    text("osvers", "The operating system and its version, such as rocky9.4."),
    text("osarch", "The architecture: x86_64, aarch64, ppc64le."),
    list("synclists", "Files that list what to copy to nodes."),
    list("postscripts", "Scripts for nodes of this image, run after those of the node itself."),
    list("postbootscripts", "Scripts after the first start for nodes of this image."),
    text("serverrole", "The role of a server that is made from it."),
    text("isdeletable", "'yes' if the files may go with the definition."),
    list("kitcomponents", "Kit components that the image holds."),
    list("environvar", "Variables that scripts on the node are given, as name=value."),
    COMMENTS,
    DISABLE,
];
