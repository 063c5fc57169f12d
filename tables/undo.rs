//! Going back by the journal: undo, and the tables as they were.

use std::time::SystemTime;

use crate::journal::{Change, Filter, changes_of, key_cells, milliseconds, read, row_of};
use crate::schema;
use crate::store::Store;
use crate::{Edit, Error, Result, Row, Select, prune};

/// Columns of nodelist that tell what a node does.
const STATUS: [&str; 6] = ["status", "statustime", "appstatus", "appstatustime", "updatestatus", "updatestatustime"];

/// Takes back what the entries changed, newest first; refuses all of it where a cell looks different by now.
pub(crate) fn undo(edit: &mut Edit<'_>, filter: &Filter<'_>) -> Result<Vec<i64>> {
    let entries = read(edit.store(), filter)?;
    let mut changed = Vec::new();
    for change in entries.iter().rev().flat_map(|entry| entry.changes.iter().rev()) {
        // A table or column that a later schema dropped has nothing to go back to.
        let Some(table) = schema::find(&change.table) else { continue };
        let key: Vec<&str> = change.key.iter().map(String::as_str).collect();
        let now = edit.row(table, &key)?;
        match undone(now, row_of(table, change.before.as_ref()), row_of(table, change.after.as_ref())) {
            Some(row) => edit.put(table, &key, row)?,
            None => changed.push(format!("{} {}", table.name, key.join(","))),
        }
    }
    changed.dedup();
    if !changed.is_empty() {
        return Err(Error::ChangedSince { rows: changed });
    }
    Ok(entries.iter().map(|entry| entry.id).collect())
}

/// The row as it is `now` without the change from `before` to `after`; None where one of the cells that the change
/// set is different by now. What a node does is no part of its definition and hinders nothing.
fn undone(now: Option<Row>, before: Option<Row>, after: Option<Row>) -> Option<Option<Row>> {
    match (now, before, after) {
        (Some(now), Some(before), Some(after)) => {
            let different = |position: &usize| before.cell(*position) != after.cell(*position);
            let positions: Vec<usize> = (0..now.cells().len()).filter(different).collect();
            let untouched = positions.iter().all(|position| now.cell(*position) == after.cell(*position));
            let cells: Vec<_> = positions.iter().map(|at| (*at, before.cell(*at).unwrap_or_default())).collect();
            untouched.then(|| Some(now.with(&cells)))
        }
        (now, before, after) => (now.map(without_status) == after.map(without_status)).then_some(before),
    }
}

/// The row without what the journal does not hold.
fn without_status(row: Row) -> Row {
    if row.table().name != "nodelist" {
        return row;
    }
    let columns = STATUS.iter().filter_map(|column| row.table().column(column));
    row.with(&columns.map(|position| (position, "")).collect::<Vec<_>>())
}

/// The tables as they were at that time: a copy in memory with the later entries taken back.
pub(crate) fn as_of(store: &Store, time: SystemTime) -> Result<Store> {
    prune::check_remembered(store, time)?;
    let past = Store::in_memory(store.path())?;
    past.copy_from(store.path())?;
    let later = "SELECT id FROM journal WHERE time > ? ORDER BY id DESC";
    let query =
        |db: &rusqlite::Connection| db.prepare(later)?.query_map([milliseconds(time)], |row| row.get(0))?.collect();
    let later: Vec<i64> = past.run(query)?;
    past.write(|| {
        for id in later {
            for change in changes_of(&past, id)?.iter().rev() {
                take_back(&past, change)?;
            }
            past.run(|db| db.execute("DELETE FROM journal_change WHERE journal = ?", [id]))?;
            past.run(|db| db.execute("DELETE FROM journal WHERE id = ?", [id]))?;
        }
        Ok(())
    })?;
    Ok(past)
}

fn take_back(past: &Store, change: &Change) -> Result<()> {
    let Some(table) = schema::find(&change.table) else { return Ok(()) };
    let key: Vec<&str> = change.key.iter().map(String::as_str).collect();
    let before = row_of(table, change.before.as_ref());
    let now = past.stored(table, Select::Where(&key_cells(table, &key)))?;
    match (now.first(), before) {
        (Some(old), Some(row)) => past.update(old, &row),
        (Some(old), None) => past.delete(old),
        (None, Some(row)) => past.insert(&row),
        (None, None) => Ok(()),
    }
}
