//! The last known definitions of virtual machines, used while they do not exist on a host.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "kvm_nodedata",
    help: "The last known definitions of virtual machines, used while they do not exist on a host.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] =
    &[key("node", "The node."), text("xml", "The definition of the domain as libvirt writes it."), COMMENTS, DISABLE];
