//! Which node ran what, where and when.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "imageledger",
    help: "Which node was given which image, where and when; kept by mkvm, rmvm and updatevm.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("id", "A running number."),
    text("time", "When it happened, in UTC."),
    text("node", "The node."),
    text("host", "The host that carried it."),
    text("image", "The image as the node's definition named it."),
    text("digest", "The digest of the image's manifest, where it is known."),
    text("what", "What happened: created, re-created, updated, rolled-back or removed."),
    text("why", "Why, where somebody said so or something failed."),
    text("who", "Who did it."),
    text("downtime", "For how many seconds the node was down meanwhile, where it ran before and after."),
    COMMENTS,
    DISABLE,
];
