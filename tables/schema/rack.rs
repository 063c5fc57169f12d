//! The racks of the site.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "rack", help: "The racks of the site.", scope: Scope::Other, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("rackname", "The name of the rack."),
    text("displayname", "Another name for people."),
    text("num", "Its number."),
    text("height", "How many units it holds."),
    text("room", "The room it stands in."),
    COMMENTS,
    DISABLE,
];
