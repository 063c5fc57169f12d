//! What a packed diskless image is.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "disklessimage",
    help: "What packimage has made of a diskless image.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("imagename", "The image, as in table osimage."),
    text("release", "The version of its kernel."),
    text("kerneldigest", "SHA-256 of the kernel."),
    text("initrddigest", "SHA-256 of the initial RAM disk."),
    text("rootdigest", "SHA-256 of the root; the same for the same content."),
    text("rootsize", "Bytes that a node fetches and keeps in memory as its root."),
    text("packed", "When it was packed, in UTC."),
    text("packedby", "Who did that."),
    COMMENTS,
    DISABLE,
];
