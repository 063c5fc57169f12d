//! The passwords that nodes, BMCs and services are reached with.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, secret, text};

pub(crate) const TABLE: Table = Table {
    name: "passwd",
    help: "The passwords that nodes, BMCs and services are reached with.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("key", "What it is for: system, ipmi, openbmc, redfish, omapi, switch, registry and so on."),
    key("username", "The user."),
    secret("password", "The password, or its hash where the key is system."),
    text("cryptmethod", "How a plain password is hashed: sha512 (default), sha256 or md5."),
    text("authdomain", "The domain that the user belongs to."),
    COMMENTS,
    DISABLE,
];
