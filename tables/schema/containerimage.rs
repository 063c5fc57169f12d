//! What a container image of table osimage is.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "containerimage",
    help: "What a container image is: its content, and where it came from.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key(
        "imagename",
        "The image, as in table osimage and in provmethod of nodes, such as 10.0.0.1:5000/apps/solver:2.1.",
    ),
    text("digest", "The digest of its manifest, as sha256:…; the same for the same content everywhere."),
    text("size", "Bytes that it takes in its registry."),
    text("source", "Where it came from: 'pull', 'capture NODE', 'build HOST', 'load FILE' or 'push HOST'."),
    text("parent", "The digest of the image that it was made from."),
    text("created", "When it was made known here, in UTC."),
    text("createdby", "Who did that."),
    text("message", "What the one who made it had to say of it."),
    COMMENTS,
    DISABLE,
];
