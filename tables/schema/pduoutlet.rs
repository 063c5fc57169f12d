//! The power outlets that nodes are plugged into.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list};

pub(crate) const TABLE: Table = Table {
    name: "pduoutlet",
    help: "The power outlets that nodes are plugged into.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] =
    &[key("node", "The node or group."), list("pdu", "The outlets, each as pdu:number."), COMMENTS, DISABLE];
