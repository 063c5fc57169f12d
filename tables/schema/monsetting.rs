//! Settings of the monitoring services.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "monsetting", help: "Settings of the monitoring services.", scope: Scope::Other, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("name", "The name of the service."),
    key("key", "The name of the setting."),
    text("value", "Its value."),
    COMMENTS,
    DISABLE,
];
