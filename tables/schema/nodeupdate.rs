//! Updates of nodes' images that were begun: what it takes to finish them or to go back, also after a crash.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, text};

pub(crate) const TABLE: Table = Table {
    name: "nodeupdate",
    help: "Updates of nodes' images that are not finished; kept by updatevm.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node."),
    text("image", "The image that the node is to have, as provmethod will name it."),
    text("digest", "The digest of that image's manifest."),
    text("fromimage", "What provmethod was before, inherited or not."),
    text("fromdigest", "The digest that the node ran then; unset where no registry knew it."),
    text("ownimage", "The node's own provmethod before; unset where it inherited one."),
    text("power", "Whether the node ran before: on or off."),
    text("state", "How far it is: begun, made (it has the new image) or good (that was found good)."),
    text("since", "When it got that far, in UTC."),
    COMMENTS,
    DISABLE,
];
