//! What was reported about nodes.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table =
    Table { name: "eventlog", help: "What was reported about nodes.", scope: Scope::Other, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("recid", "A running number."),
    text("eventtime", "When it happened."),
    text("eventtype", "'event' or 'rearm'."),
    text("monitor", "The service that reported it."),
    text("monnode", "The node that reported it."),
    text("node", "The node that it happened on."),
    text("application", "The application that reported it."),
    text("component", "The component that it happened to."),
    text("id", "What kind of event it is."),
    text("severity", "How bad it is: informational, warning or critical."),
    text("message", "What happened, in words."),
    text("rawdata", "The data that came with it."),
    COMMENTS,
    DISABLE,
];
