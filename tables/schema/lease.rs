//! Addresses that DHCP has given to machines that have none of their own.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "lease",
    help: "Addresses that DHCP has given to machines that have none of their own; kept by xcrane serve.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("ip", "The address."),
    text("mac", "The MAC address of the machine that has it."),
    text("until", "When the machine must have asked for it again, in seconds since 1970 began (UTC)."),
    text("client", "What the machine says it is, such as PXEClient."),
    COMMENTS,
    DISABLE,
];
