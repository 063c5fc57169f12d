//! The registries from which hosts have their images.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text, url};

pub(crate) const TABLE: Table = Table {
    name: "registry",
    help: "The registries from which hosts have their images, for mkregistry.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("name", "The name of the registry; default is that of its node."),
    text("node", "The node that it runs on."),
    text(
        "address",
        "The name or address that stands in the names of its images; default is the ip of the node, else its name.",
    ),
    text("port", "The port that it listens on; default is 5000."),
    text("storage", "The directory that holds its own one, which has its name; default is /var/lib/xcrane/registry."),
    list(
        "auth",
        "The users whom it lets in, whose passwords are rows of table passwd with key 'registry'; hosts pull as the first. None lets in everyone.",
    ),
    text(
        "image",
        "The image on the node that its server runs from, where it is not the distribution's package; mkregistry --image loads it.",
    ),
    url(
        "upstream",
        "The URL of the registry that it mirrors: whose images it fetches and keeps; nothing can be pushed to it then.",
    ),
    COMMENTS,
    DISABLE,
];
