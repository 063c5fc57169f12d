//! The groups that have a definition of their own; membership itself stands in nodelist.groups.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "nodegroup",
    help: "The groups that have a definition of their own; membership itself stands in nodelist.groups.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("groupname", "The name of the group."),
    text(
        "grouptype",
        "'static' (default): members are written in nodelist.groups; 'dynamic': members are found by wherevals whenever the group is used.",
    ),
    list("members", "Names of the members; not used for a static group, whose members stand in nodelist.groups."),
    list("membergroups", "Other groups whose members belong to this group too."),
    text(
        "wherevals",
        "What a member of a dynamic group fulfils: attribute==value, !=, =~ or !~, joined by '::', all of them at once.",
    ),
    COMMENTS,
    DISABLE,
];
