//! Images as objects, what nodes are pinned to and what they ran, who uses what, our registries asked, pushes, what a
//! removal takes.

pub(crate) mod archives;
pub(crate) mod diskless;
pub(crate) mod hosts;
pub(crate) mod ledger;
pub(crate) mod objects;
pub(crate) mod pins;
pub(crate) mod push;
pub(crate) mod registries;
pub(crate) mod removal;
pub(crate) mod uses;
