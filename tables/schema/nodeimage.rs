//! What nodes are pinned to: the tag of an image may move on, its nodes stay until somebody moves them.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "nodeimage",
    help: "The content of their images that nodes are pinned to; kept by mkvm and updatevm.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("image", "The image as provmethod named it when the node was pinned; once that changes, the pin is void."),
    text("digest", "The digest of the image's manifest that the node runs, also when it is made anew."),
    text("since", "When it was pinned, in UTC."),
    COMMENTS,
    DISABLE,
];
