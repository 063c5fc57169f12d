//! What modules have been applied, and what is known of them.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "module",
    help: "What modules have been applied, and what is known of them.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("module", "The name of the module."),
    text("version", "The version that was applied."),
    text("status", "'applied', or 'partial' while a plan is not carried out to its end."),
    text("serial", "How often the state has changed; a plan is for one of these numbers."),
    text("state", "What is known of it, as JSON: what 'xcrane module state' shows."),
    COMMENTS,
    DISABLE,
];
