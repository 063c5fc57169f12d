//! What a command has set for nodes that it then did not touch is taken back: a node that runs on must not wipe its disk some day
//! because a command has failed.

use std::collections::{BTreeMap, BTreeSet};

use netboot::script::State;
use tables::noderange::fold;
use tables::schema::Table;
use tables::{Edit, Node, Row, Select};

use super::{Wanted, table};
use crate::context::Context;
use crate::failure::Failure;

/// The tables that say what nodes boot.
const TABLES: [&str; 3] = ["chain", "bootparams", "nodetype"];

/// What was written of nodes, and what stood there before.
pub(super) struct Armed(BTreeMap<String, Vec<Cell>>);

struct Cell {
    table: &'static Table,
    column: &'static str,
    before: String,
    now: String,
}

impl Armed {
    /// Writes what the nodes are to do.
    pub(super) fn write(edit: &mut Edit<'_>, wanted: &Wanted<'_>, nodes: &[Node]) -> Result<Self, Failure> {
        let names: Vec<&str> = nodes.iter().map(Node::name).collect();
        let before = rows(edit, &names)?;
        wanted.write(edit, nodes)?;
        let mut armed: BTreeMap<String, Vec<Cell>> = BTreeMap::new();
        for ((name, row), before) in rows(edit, &names)?.into_iter().zip(before) {
            armed.entry(name.to_owned()).or_default().extend(changed(&before.1, &row));
        }
        Ok(Self(armed))
    }

    /// Takes back what was written of those of `left` that are `untouched`, unless it has changed since or the node has said
    /// something; what stays is told.
    pub(super) fn disarm(
        &self,
        cx: &Context,
        wanted: &Wanted<'_>,
        left: &[Node],
        untouched: &BTreeSet<String>,
    ) -> Result<(), Failure> {
        let left: Vec<(&Node, &[Cell])> = left
            .iter()
            .filter_map(|node| Some((node, self.0.get(node.name())?.as_slice())))
            .filter(|(_, cells)| !cells.is_empty())
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        let mut stays: BTreeMap<String, Vec<String>> = BTreeMap::new();
        cx.tables()?.try_edit(&cx.origin(Some("it was not booted".into())), |edit| {
            for (node, cells) in &left {
                if !is_as_written(edit, node.name(), cells)? {
                    continue;
                }
                let row = edit.row(table("nodelist"), &[node.name()])?;
                let is_silent = row.as_ref().and_then(|row| row.get("status")) == node.get("status");
                if untouched.contains(node.name()) && is_silent {
                    for cell in *cells {
                        edit.set(cell.table, &[node.name()], &[(cell.column, &cell.before)])?;
                    }
                } else if wanted.state(node) != State::Boot {
                    stays.entry(wanted.state(node).to_string()).or_default().push(node.name().to_owned());
                }
            }
            Ok::<_, Failure>(())
        })?;
        let hints: Vec<String> = stays
            .iter()
            .map(|(state, names)| {
                let (verb, range) = (if names.len() == 1 { "is" } else { "are" }, fold(names));
                format!("{range} {verb} still set to {state}; take it back with: nodeset {range} boot")
            })
            .collect();
        cx.ui.hints(&hints);
        Ok(())
    }
}

/// The row of each node in each table.
fn rows<'n>(edit: &Edit<'_>, names: &[&'n str]) -> Result<Vec<(&'n str, Row)>, Failure> {
    let mut rows = Vec::with_capacity(TABLES.len() * names.len());
    for name in TABLES {
        let table = table(name);
        let found = edit.rows(table, Select::Keys(names))?;
        let mut found: BTreeMap<String, Row> =
            found.into_iter().map(|row| (row.get("node").unwrap_or_default().to_owned(), row)).collect();
        let row = |name: &&'n str| (*name, found.remove(*name).unwrap_or_else(|| Row::new(table, [*name])));
        rows.extend(names.iter().map(row));
    }
    Ok(rows)
}

fn changed(before: &Row, now: &Row) -> Vec<Cell> {
    let columns = now.table().columns.iter().zip(before.cells().zip(now.cells()));
    let differing = columns.filter(|(_, (before, now))| before != now);
    let text = |cell: Option<&str>| cell.unwrap_or_default().to_owned();
    differing
        .map(|(column, (before, after))| Cell {
            table: now.table(),
            column: column.name,
            before: text(before),
            now: text(after),
        })
        .collect()
}

fn is_as_written(edit: &Edit<'_>, name: &str, cells: &[Cell]) -> Result<bool, Failure> {
    for cell in cells {
        let row = edit.row(cell.table, &[name])?;
        if row.as_ref().and_then(|row| row.get(cell.column)).unwrap_or_default() != cell.now {
            return Ok(false);
        }
    }
    Ok(true)
}
