//! Every node there is, its groups and its status.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "nodelist",
    help: "Every node there is, with the groups it belongs to and its last known status.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The name of the node."),
    list("groups", "The groups the node belongs to; the first group that sets an attribute supplies its default."),
    text("status", "The last known state of the node, such as 'booted' or 'powering-on'."),
    text("statustime", "When the status was set, as MM-DD-YYYY HH:MM:SS."),
    text("appstatus", "The last known state of the applications on the node."),
    text("appstatustime", "When appstatus was set."),
    text("primarysn", "Not used; kept for xCAT's dumps."),
    text("hidden", "'1' leaves the node out of lists unless they are asked for hidden nodes."),
    text("updatestatus", "How the last update ended: synced, out-of-sync, syncing or failed."),
    text("updatestatustime", "When updatestatus was set."),
    text("zonename", "The ssh zone of the node."),
    COMMENTS,
    DISABLE,
];
