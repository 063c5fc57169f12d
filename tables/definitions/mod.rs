//! Objects as people define them: attributes set, added to and taken from, in whichever tables keep them.
//!
//! Works inside an [`Edit`], so that definitions are written whole or not at all. Whatever the number of objects, each
//! table is read once.

mod assign;
pub(crate) mod cells;
mod check;
mod groups;
mod known;
mod names;
mod plan;
mod read;
mod refusal;
mod remove;
mod rename;

use std::collections::HashSet;

use crate::objects::{NODE, ObjectType};
use crate::schema::{self, Column, Scope, Table};
use crate::{Edit, Result, Row, Select};

pub use crate::lists::words;
pub use assign::{Assigned, Job};
pub use check::check_value;
pub use names::{check_name, check_names};
pub use read::{Attributes, by_port};
pub use refusal::{Notice, Refusal};

/// A change of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub attribute: String,
    pub operator: Operator,
    pub value: String,
}

impl Assignment {
    /// The attribute becomes that value.
    pub fn set(attribute: impl Into<String>, value: impl Into<String>) -> Self {
        Self { attribute: attribute.into(), operator: Operator::Set, value: value.into() }
    }
}

/// How an attribute changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Becomes the value; an empty one clears it.
    Set,
    /// Gets the words of the value at its end, those that it lacks.
    Append,
    /// Gets the words of the value at its beginning, those that it lacks.
    Prepend,
    /// Loses the words of the value.
    Remove,
}

/// Whether an attribute of that name exists, whatever the conditions; site takes any name.
pub fn check_attribute(object: &'static ObjectType, attribute: &str) -> Result<(), Refusal> {
    if object.only_object.is_some() || object.named(attribute).next().is_some() {
        return Ok(());
    }
    let meant = object.suggest(attribute).map(str::to_owned);
    Err(Refusal::UnknownAttribute { attribute: attribute.into(), object: object.name, meant })
}

impl Edit<'_> {
    /// Whether there is such an object. A group is there when nodes are in it, too.
    pub fn is_defined(&self, object: &ObjectType, name: &str) -> Result<bool> {
        Ok(!self.defined(object, &[name])?.is_empty())
    }

    /// Those of the names that objects have, also objects whose rows are disabled: their names are taken.
    pub fn defined<'n>(&self, object: &ObjectType, names: &[&'n str]) -> Result<HashSet<&'n str>> {
        let key = object.key.column.name;
        let rows = match (object.only_object, names) {
            (Some(only), _) => return Ok(names.iter().copied().filter(|name| *name == only).collect()),
            (None, [name]) => self.store().stored(object.key.table, Select::Where(&[(key, name)]))?,
            (None, _) => self.store().stored(object.key.table, Select::Stored)?,
        };
        let mut known: HashSet<&str> = rows.iter().filter_map(|stored| stored.row.get(key)).collect();
        let nodes = if object.name == "group" { self.rows(nodelist(), Select::All)? } else { Vec::new() };
        known.extend(nodes.iter().flat_map(|row| words(row.get("groups").unwrap_or_default())));
        Ok(names.iter().copied().filter(|name| known.contains(name)).collect())
    }

    /// Sets the same attributes of many nodes; one that cannot be set refuses all.
    pub fn assign_nodes(&mut self, names: &[String], changes: &[Assignment]) -> Result<Vec<Notice>> {
        let jobs: Vec<Job<'_>> = names.iter().map(|name| Job { name, changes }).collect();
        let assigned = self.assign_all(&NODE, &jobs)?;
        match assigned.refusals.into_iter().next() {
            Some(refusal) => Err(refusal.into()),
            None => Ok(assigned.notices),
        }
    }
}

/// What separates the words of a list in a column.
pub fn separator(column: &Column) -> char {
    column.kind.separator().unwrap_or(',')
}

/// The column that says whose row it is.
fn owner_column(object: &ObjectType, table: &Table) -> &'static str {
    if table.name == object.key.table.name { object.key.column.name } else { table.columns[0].name }
}

/// The tables beside the one that names the objects.
fn other_tables(object: &'static ObjectType) -> impl Iterator<Item = &'static Table> {
    let mut tables: Vec<&'static Table> = object.attributes().map(|attribute| attribute.table).collect();
    tables.sort_by_key(|table| table.name);
    tables.dedup_by_key(|table| table.name);
    tables.into_iter().filter(|table| table.name != object.key.table.name)
}

fn node_tables() -> impl Iterator<Item = &'static Table> {
    schema::ALL.iter().filter(|table| table.scope == Scope::Node).copied()
}

fn nodelist() -> &'static Table {
    schema::find("nodelist").expect("table nodelist is in the schema")
}

/// The name that a row of a node-keyed table is about.
fn owner(row: &Row) -> &str {
    row.cell(0).unwrap_or_default()
}
