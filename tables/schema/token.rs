//! The tokens of users who logged in through the web.

use super::{COMMENTS, Column, DISABLE, Scope, Table, secret_key, text};

pub(crate) const TABLE: Table = Table {
    name: "token",
    help: "The tokens of users who logged in through the web.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    secret_key("tokenid", "The token."),
    text("username", "The user it stands for."),
    text("expire", "When it ends, in seconds since 1970."),
    text("created", "When it was given, in seconds since 1970."),
    text("access", "When it was last used, in seconds since 1970."),
    COMMENTS,
    DISABLE,
];
