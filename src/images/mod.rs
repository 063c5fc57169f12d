//! Images of registries, as tables know them: objects, what nodes are pinned to, and which node ran what.

pub(crate) mod hosts;
pub(crate) mod ledger;
pub(crate) mod objects;
pub(crate) mod pins;
pub(crate) mod push;
pub(crate) mod registries;
pub(crate) mod removal;
pub(crate) mod uses;
