//! The monitoring services of the site.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "monitoring", help: "The monitoring services of the site.", scope: Scope::Other, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("name", "The name of the service."),
    text("nodestatmon", "'Y' lets the service report the state of nodes."),
    COMMENTS,
    DISABLE,
];
