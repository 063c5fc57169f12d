//! The journal: who changed what, when, with which command and why.
//!
//! An entry is one command, a change is one row of it with all its cells before and after. Both are written in the
//! transaction of the change itself, so the journal can be neither ahead of the tables nor behind them.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use crate::schema::Table;
use crate::store::Store;
use crate::{Error, Result, Row};

/// Who changes something, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub user: String,
    /// The command as typed.
    pub command: String,
    pub reason: Option<String>,
}

/// What one command changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counts up and is never used again.
    pub id: i64,
    pub time: SystemTime,
    pub origin: Origin,
    /// In the order they were made, one a row.
    pub changes: Vec<Change>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub table: String,
    /// The key cells in schema order; unset ones are empty.
    pub key: Vec<String>,
    /// The set cells by column; None where there was no such row.
    pub before: Option<BTreeMap<String, String>>,
    /// None where the row was removed.
    pub after: Option<BTreeMap<String, String>>,
}

/// Which entries are wanted; the default is all of them.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// These entries only, all of which must exist.
    pub ids: Option<&'a [i64]>,
    /// Entries that changed a row whose first key cell (a node, a group, a setting) is this.
    pub key: Option<&'a str>,
    pub since: Option<SystemTime>,
    pub until: Option<SystemTime>,
    /// Of those that are left, the newest so many.
    pub last: Option<usize>,
}

/// Row changes of a transaction, several of one row taken together.
#[derive(Default)]
pub(crate) struct Changes {
    rows: Vec<RowChange>,
    places: HashMap<(&'static str, Vec<String>), usize>,
}

struct RowChange {
    table: &'static Table,
    key: Vec<String>,
    before: Option<Row>,
    after: Option<Row>,
}

impl Changes {
    /// Notes that a row became another; `None` stands for no row. Both have the same key.
    pub(crate) fn note(&mut self, before: Option<Row>, after: Option<Row>) {
        let Some(row) = before.as_ref().or(after.as_ref()) else { return };
        let table = row.table();
        let key: Vec<String> = row.key().into_iter().map(str::to_owned).collect();
        if let Some(place) = self.places.get(&(table.name, key.clone())) {
            self.rows[*place].after = after;
            return;
        }
        self.places.insert((table.name, key.clone()), self.rows.len());
        self.rows.push(RowChange { table, key, before, after });
    }

    /// Writes the journal entry, unless nothing is different in the end. Returns its number.
    pub(crate) fn write(self, store: &Store, origin: &Origin) -> Result<Option<i64>> {
        let mut different = self.rows.iter().filter(|change| change.before != change.after).peekable();
        if different.peek().is_none() {
            return Ok(None);
        }
        let entry = "INSERT INTO journal (time, user, command, reason) VALUES (?, ?, ?, ?)";
        let change = r#"INSERT INTO journal_change (journal, "table", key, before, after) VALUES (?, ?, ?, ?, ?)"#;
        let fields = params![milliseconds(SystemTime::now()), origin.user, origin.command, origin.reason];
        let id = store.run(|db| {
            db.prepare_cached(entry)?.execute(fields)?;
            Ok(db.last_insert_rowid())
        })?;
        for RowChange { table, key, before, after } in different {
            let fields = params![id, table.name, json(key), before.as_ref().map(json), after.as_ref().map(json)];
            store.run(|db| db.prepare_cached(change)?.execute(fields))?;
        }
        Ok(Some(id))
    }
}

/// The entries that the filter lets through, oldest first.
pub(crate) fn read(store: &Store, filter: &Filter<'_>) -> Result<Vec<Entry>> {
    store.read(|| {
        let mut entries = heads(store, filter)?;
        if let Some(ids) = filter.ids {
            refuse_missing(ids, &entries)?;
        }
        if let Some(last) = filter.last {
            entries.drain(..entries.len().saturating_sub(last));
        }
        for entry in &mut entries {
            entry.changes = changes_of(store, entry.id)?;
        }
        Ok(entries)
    })
}

fn heads(store: &Store, filter: &Filter<'_>) -> Result<Vec<Entry>> {
    let mut sql = String::from("SELECT id, time, user, command, reason FROM journal WHERE TRUE");
    let mut values: Vec<Value> = Vec::new();
    for (time, clause) in [(filter.since, " AND time >= ?"), (filter.until, " AND time <= ?")] {
        if let Some(time) = time {
            sql.push_str(clause);
            values.push(milliseconds(time).into());
        }
    }
    if let Some(key) = filter.key {
        // Keys that begin with this cell, by a range that the index serves: '#' comes after '"'.
        sql.push_str(" AND id IN (SELECT journal FROM journal_change WHERE key >= ? AND key < ?)");
        let cell = json(key);
        values.push(format!("[{cell}").into());
        values.push(format!("[{}#", &cell[..cell.len() - 1]).into());
    }
    if let Some(ids) = filter.ids {
        sql.push_str(" AND id IN (SELECT value FROM json_each(?))");
        values.push(json(ids).into());
    }
    sql.push_str(" ORDER BY id");
    let read = |row: &rusqlite::Row<'_>| {
        let origin = Origin { user: row.get(2)?, command: row.get(3)?, reason: row.get(4)? };
        Ok(Entry { id: row.get(0)?, time: time_of(row.get(1)?), origin, changes: Vec::new() })
    };
    store.run(|db| db.prepare_cached(&sql)?.query_map(params_from_iter(values), read)?.collect())
}

fn refuse_missing(ids: &[i64], entries: &[Entry]) -> Result<()> {
    let missing: Vec<i64> =
        ids.iter().copied().filter(|id| entries.binary_search_by_key(id, |entry| entry.id).is_err()).collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::NoSuchEntry { ids: missing }) }
}

pub(crate) fn changes_of(store: &Store, entry: i64) -> Result<Vec<Change>> {
    let sql = r#"SELECT "table", key, before, after FROM journal_change WHERE journal = ? ORDER BY id"#;
    store.run(|db| db.prepare_cached(sql)?.query_map([entry], change)?.collect())
}

fn change(row: &rusqlite::Row<'_>) -> rusqlite::Result<Change> {
    Ok(Change {
        table: row.get(0)?,
        key: parsed(1, Some(row.get(1)?))?.unwrap_or_default(),
        before: parsed(2, row.get(2)?)?,
        after: parsed(3, row.get(3)?)?,
    })
}

/// The key columns with the values of a key, in schema order.
pub(crate) fn key_cells<'a>(table: &'static Table, key: &[&'a str]) -> Vec<(&'static str, &'a str)> {
    table.keys().map(|column| column.name).zip(key.iter().copied()).collect()
}

pub(crate) fn row_of(table: &'static Table, cells: Option<&BTreeMap<String, String>>) -> Option<Row> {
    let cells = cells?;
    Some(Row::new(table, table.columns.iter().map(|column| cells.get(column.name).map_or("", String::as_str))))
}

pub(crate) fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn time_of(milliseconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(milliseconds.unsigned_abs())
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("text and lists of it are always JSON")
}

fn parsed<T: serde::de::DeserializeOwned>(column: usize, text: Option<String>) -> rusqlite::Result<Option<T>> {
    let parse = |text: String| {
        serde_json::from_str(&text).map_err(|source| {
            rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, source.into())
        })
    };
    text.map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::tables::tests::{Scratch, origin, scratch};
    use crate::{Edit, Select, schema};

    fn set(tables: &Scratch, command: &str, node: &str, groups: &str) {
        let nodelist = schema::find("nodelist").unwrap();
        tables.edit(&origin(command), |edit| edit.set(nodelist, &[node], &[("groups", groups)])).unwrap();
    }

    fn groups(tables: &crate::Tables) -> Vec<String> {
        let rows = tables.rows(schema::find("nodelist").unwrap(), Select::All).unwrap();
        rows.iter().map(|row| format!("{}={}", row.key()[0], row.get("groups").unwrap_or_default())).collect()
    }

    fn commands(tables: &Scratch, filter: &Filter<'_>) -> Vec<String> {
        tables.journal(filter).unwrap().into_iter().map(|entry| entry.origin.command).collect()
    }

    fn cells(cells: &[(&str, &str)]) -> BTreeMap<String, String> {
        cells.iter().map(|(column, value)| ((*column).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_entry_holds_who_why_and_each_row_before_and_after() {
        let tables = scratch();
        let nodelist = schema::find("nodelist").unwrap();
        let why = Origin { user: "alice".into(), command: "chdef n1 groups=b".into(), reason: Some("moved".into()) };
        set(&tables, "mkdef n1", "n1", "a");
        tables
            .edit(&why, |edit| {
                edit.set(nodelist, &["n1"], &[("groups", "x")])?;
                edit.set(nodelist, &["n1"], &[("groups", "b")])?;
                edit.set(nodelist, &["n2"], &[])?;
                edit.delete(nodelist, Select::Keys(&["n2"]))
            })
            .unwrap();
        let entries = tables.journal(&Filter::default()).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1].origin, why);
        assert!(entries[1].time.elapsed().unwrap() < Duration::from_secs(600));
        let change = Change {
            table: "nodelist".into(),
            key: vec!["n1".into()],
            before: Some(cells(&[("node", "n1"), ("groups", "a")])),
            after: Some(cells(&[("node", "n1"), ("groups", "b")])),
        };
        assert_eq!(entries[1].changes, [change]);
    }

    #[test]
    fn what_changes_nothing_is_not_journalled() {
        let tables = scratch();
        set(&tables, "mkdef", "n1", "a");
        set(&tables, "chdef", "n1", "a");
        assert_eq!(commands(&tables, &Filter::default()), ["mkdef"]);
    }

    #[test]
    fn a_new_key_is_another_row() {
        let tables = scratch();
        let nodelist = schema::find("nodelist").unwrap();
        set(&tables, "mkdef", "n1", "a");
        tables.edit(&origin("chdef -n"), |edit| edit.set(nodelist, &["n1"], &[("node", "n9")])).unwrap();
        let entry = tables.journal(&Filter { last: Some(1), ..Filter::default() }).unwrap().remove(0);
        let keys: Vec<_> =
            entry.changes.iter().map(|change| (change.key[0].as_str(), change.after.is_some())).collect();
        assert_eq!(keys, [("n1", false), ("n9", true)]);
        tables.undo(&Filter { last: Some(1), ..Filter::default() }, &origin("defundo")).unwrap();
        assert_eq!(groups(&tables), ["n1=a"]);
    }

    #[test]
    fn filters_choose_entries() {
        let tables = scratch();
        set(&tables, "one", "n1", "a");
        set(&tables, "two", "n2", "a");
        set(&tables, "three", "n1", "b");
        let later = Some(SystemTime::now() + Duration::from_secs(600));
        let check = |filter: Filter<'_>, expected: &[&str]| assert_eq!(commands(&tables, &filter), expected);
        check(Filter { last: Some(2), ..Filter::default() }, &["two", "three"]);
        set(&tables, "four", "n10", "a");
        set(&tables, "five", "n\"", "a");
        check(Filter { key: Some("n1"), ..Filter::default() }, &["one", "three"]);
        check(Filter { key: Some("n\""), ..Filter::default() }, &["five"]);
        check(Filter { ids: Some(&[2]), ..Filter::default() }, &["two"]);
        check(Filter { since: later, ..Filter::default() }, &[]);
        check(Filter { until: later, last: Some(1), key: Some("n2"), ..Filter::default() }, &["two"]);
        let missing = tables.journal(&Filter { ids: Some(&[2, 7, 8]), ..Filter::default() });
        assert_eq!(missing.unwrap_err().to_string(), "the journal has no entry 7,8");
    }

    #[test]
    fn undo_takes_back_several_entries_and_is_itself_undone() {
        let tables = scratch();
        set(&tables, "mkdef", "n1", "a");
        set(&tables, "chdef", "n1", "b");
        set(&tables, "chdef", "n1", "c");
        set(&tables, "mkdef", "n2", "c");
        assert_eq!(
            tables.undo(&Filter { ids: Some(&[2, 3]), ..Filter::default() }, &origin("defundo")).unwrap(),
            [2, 3]
        );
        assert_eq!(groups(&tables), ["n1=a", "n2=c"]);
        tables.undo(&Filter { last: Some(1), ..Filter::default() }, &origin("defundo")).unwrap();
        assert_eq!(groups(&tables), ["n1=c", "n2=c"]);
        assert_eq!(commands(&tables, &Filter { last: Some(2), ..Filter::default() }), ["defundo", "defundo"]);
    }

    #[test]
    fn undo_refuses_rows_that_changed_since_and_then_changes_nothing() {
        let tables = scratch();
        set(&tables, "mkdef", "n1", "a");
        set(&tables, "mkdef", "n2", "a");
        set(&tables, "chdef", "n2", "b");
        let refused = tables.undo(&Filter { ids: Some(&[1, 2]), ..Filter::default() }, &origin("defundo"));
        assert_eq!(refused.unwrap_err().to_string(), "changed since: nodelist n2");
        assert_eq!(groups(&tables), ["n1=a", "n2=b"]);
    }

    #[test]
    fn undo_minds_cells_of_the_change_only() {
        let tables = scratch();
        let nodelist = schema::find("nodelist").unwrap();
        let comment = |text| {
            tables.edit(&origin("chdef"), |edit| edit.set(nodelist, &["n1"], &[("comments", text)])).unwrap();
        };
        let undo = |id: i64| tables.undo(&Filter { ids: Some(&[id]), ..Filter::default() }, &origin("defundo"));
        set(&tables, "mkdef", "n1", "a");
        set(&tables, "chdef", "n1", "b");
        tables.record_statuses(&BTreeMap::from([("n1".into(), "booted"), ("gone".into(), "booted")])).unwrap();
        comment("kept");
        undo(2).unwrap();
        assert_eq!(groups(&tables), ["n1=a"]);
        assert!(matches!(undo(1), Err(Error::ChangedSince { .. })));
        comment("");
        let row = tables.rows(nodelist, Select::All).unwrap().remove(0);
        assert_eq!(row.get("status"), Some("booted"));
        assert_eq!(row.get("statustime").map(str::len), Some("11-21-2026 05:12:00".len()));
        undo(1).unwrap();
        assert_eq!(groups(&tables), [""; 0]);
    }

    #[test]
    fn the_past_is_as_it_was_and_cannot_be_changed() {
        let tables = scratch();
        let mut moments = vec![(SystemTime::now(), groups(&tables))];
        for (node, value) in [("n1", "a"), ("n2", "a"), ("n1", "b"), ("n3", "c")] {
            std::thread::sleep(Duration::from_millis(3));
            set(&tables, "chdef", node, value);
            moments.push((SystemTime::now(), groups(&tables)));
        }
        std::thread::sleep(Duration::from_millis(3));
        let nodelist = schema::find("nodelist").unwrap();
        tables.edit(&origin("rmdef"), |edit| edit.delete(nodelist, Select::All)).unwrap();
        for (time, expected) in &moments {
            let past = tables.at(*time).unwrap();
            assert_eq!(groups(&past).len(), expected.len());
            assert!(groups(&past).iter().all(|row| expected.contains(row)), "{expected:?}");
        }
        let past = tables.at(moments[2].0).unwrap();
        assert_eq!(past.journal(&Filter::default()).unwrap().len(), 2);
        assert!(matches!(past.edit(&origin("x"), |_| Ok(())), Err(Error::Past)));
        assert_eq!(groups(&tables), [""; 0]);
    }
    /// A command: nodes with their new groups, or None to remove them.
    type Step = Vec<(u8, Option<u8>)>;

    fn take(tables: &Scratch, step: &Step) {
        let nodelist = schema::find("nodelist").unwrap();
        let change = |edit: &mut Edit<'_>| {
            for (node, group) in step {
                let node = format!("n{node}");
                match group {
                    Some(group) => edit.set(nodelist, &[&node], &[("groups", &format!("g{group}"))])?,
                    None => edit.delete(nodelist, Select::Keys(&[&node]))?,
                };
            }
            Ok(())
        };
        tables.edit(&origin("step"), change).unwrap();
    }

    fn sorted(mut rows: Vec<String>) -> Vec<String> {
        rows.sort();
        rows
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn undoing_the_last_entries_leads_back(
            steps in vec(vec((0..4_u8, option::of(0..3_u8)), 1..4), 1..8),
            back in 0..8_usize,
        ) {
            let tables = scratch();
            let mut states = vec![groups(&tables)];
            for step in &steps {
                let before = tables.journal(&Filter::default()).unwrap().len();
                take(&tables, step);
                if tables.journal(&Filter::default()).unwrap().len() > before {
                    states.push(groups(&tables));
                }
            }
            let back = back.min(states.len() - 1);
            tables.undo(&Filter { last: Some(back), ..Filter::default() }, &origin("defundo")).unwrap();
            prop_assert_eq!(sorted(groups(&tables)), sorted(states[states.len() - 1 - back].clone()));
        }
    }
}
