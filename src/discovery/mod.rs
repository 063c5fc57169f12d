//! Which node a machine is that nobody knows: what it says, what the tables say, and what becomes of both.

mod index;
mod kind;
mod manual;
mod matching;
mod record;
mod registrar;
mod sequence;

use tables::schema::{self, Table};

pub(crate) use kind::{Chosen, Kind};
pub(crate) use manual::define;
pub(crate) use registrar::Registrar;
pub(crate) use sequence::{Sequence, free};

pub(crate) fn table(name: &str) -> &'static Table {
    schema::find(name).expect("the tables of machines are in the schema")
}
