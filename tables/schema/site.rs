//! Settings of the whole site, one a row.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "site", help: "Settings of the whole site, one a row.", scope: Scope::Other, columns: COLUMNS };

const COLUMNS: &[Column] = &[key("key", "The name of the setting."), text("value", "Its value."), COMMENTS, DISABLE];
