//! Where a machine stands.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "nodepos", help: "Where a machine stands.", scope: Scope::Node, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("rack", "The rack."),
    text("u", "The unit of the rack, counted from below; the lowest if it takes several."),
    text("chassis", "The chassis that holds it."),
    text("slot", "The slot of the chassis."),
    text("room", "The room."),
    text("height", "How many units of the rack it takes."),
    COMMENTS,
    DISABLE,
];
