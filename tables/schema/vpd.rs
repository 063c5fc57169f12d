//! What is printed on the machine.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "vpd", help: "What is printed on the machine.", scope: Scope::Node, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("node", "The node."),
    text("serial", "The serial number."),
    text("mtm", "The machine type and model."),
    text("side", "The side of a double unit: A or B, with the port."),
    text("asset", "The inventory number of the site."),
    text("uuid", "The machine's UUID as its firmware gives it."),
    COMMENTS,
    DISABLE,
];
