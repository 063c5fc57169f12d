//! The operating system, architecture and image of a node.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "nodetype",
    help: "The operating system, architecture and image of a node.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("os", "The operating system, such as rocky9.4, sles15.5 or ubuntu24.04."),
    text("arch", "The architecture: x86_64, aarch64, ppc64le."),
    text("profile", "The name of the set of packages and templates to provision with, such as compute or service."),
    text(
        "provmethod",
        "What the node runs: an osimage for a server, image[:tag][@digest] for a container; image!command also gives the command.",
    ),
    list("supportedarchs", "The architectures that the node is able to run."),
    list(
        "nodetype",
        "What the node is: node, switch, pdu, ppc, and so on; decides which conditional attributes it has.",
    ),
    COMMENTS,
    DISABLE,
];
