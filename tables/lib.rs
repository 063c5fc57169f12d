//! What xcrane knows: tables, noderanges, definitions, inheritance, journal. Knows no hardware.

mod addresses;
mod audit;
pub mod criterion;
pub mod csv;
pub mod definitions;
mod edit;
mod error;
pub mod expression;
#[cfg(test)]
mod faults;
mod inherit;
pub mod journal;
mod ledger;
pub mod lists;
mod memberships;
pub mod nics;
mod node;
pub mod noderange;
pub mod objects;
pub mod pattern;
pub mod prune;
mod resolve;
mod row;
pub mod schema;
pub mod stanza;
mod store;
pub mod suggest;
mod tables;
pub mod templates;
mod undo;
mod updates;
pub mod urls;
mod world;

pub use addresses::Shared;
pub use audit::Audited;
pub use edit::Edit;
pub use error::{Error, Result};
pub use inherit::{Given, Place, Value};
pub use journal::Origin;
pub use ledger::Ran;
pub use node::Node;
pub use resolve::Explained;
pub use row::{Row, Select};
pub use tables::Tables;
pub use updates::{Stage, Update};
