//! Updates of distributions.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "osdistroupdate", help: "Updates of distributions.", scope: Scope::Other, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("osupdatename", "The name of the update."),
    text("osdistroname", "The distribution (osdistro) that it updates."),
    text("dirpath", "The directory that holds it."),
    text("downloadtime", "When it was fetched."),
    COMMENTS,
    DISABLE,
];
