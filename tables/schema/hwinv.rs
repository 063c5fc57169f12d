//! What was found in the machine.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "hwinv", help: "What was found in the machine.", scope: Scope::Node, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("node", "The node."),
    text("cputype", "The model of the processors."),
    text("cpucount", "How many processors there are."),
    text("memory", "The memory in MB."),
    text("disksize", "The disks with their sizes in GB, such as sda:960GB."),
    COMMENTS,
    DISABLE,
];
