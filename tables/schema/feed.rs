//! What machines draw, and from where.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table =
    Table { name: "feed", help: "What machines draw, and from where.", scope: Scope::Node, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    list("circuits", "The circuits that feed it. Of several each must bear all of it, as the others may fail."),
    text("watts", "How many watts it draws at most when it is on."),
    COMMENTS,
    DISABLE,
];
