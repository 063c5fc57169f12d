//! Changing rows: everything between the start of an edit and its end happens together or not at all.

use crate::criterion::Criterion;
use crate::definitions::cells;
use crate::journal::{self, Changes, key_cells};
use crate::noderange::{Expansion, Names, Unknown};
use crate::schema::{Scope, Table};
use crate::store::{Store, Stored};
use crate::{Error, Node, Result, Row, Select, Value, resolve, tables, world};

/// A change under way. Its reads see what it has changed so far.
pub struct Edit<'t> {
    store: &'t Store,
    changes: Changes,
}

impl<'t> Edit<'t> {
    pub(crate) fn new(store: &'t Store) -> Self {
        Self { store, changes: Changes::default() }
    }

    pub(crate) fn store(&self) -> &'t Store {
        self.store
    }

    pub(crate) fn finish(self, origin: &journal::Origin) -> Result<Option<i64>> {
        self.store.keep_memberships()?;
        self.changes.write(self.store, origin)
    }

    /// As [`crate::Tables::expand`].
    pub fn expand(&self, range: &str) -> Result<Vec<String>> {
        Ok(tables::expand(self.store, range)?.to_vec())
    }

    /// As [`crate::Tables::expand_with`].
    pub fn expand_with(&self, range: &str, unknown: Unknown) -> Result<Expansion> {
        world::expand(self.store, range, unknown)
    }

    /// As [`crate::Tables::nodes`].
    pub fn nodes(&self, range: &str) -> Result<Vec<Node>> {
        tables::nodes(self.store, range)
    }

    /// As [`crate::Tables::resolve`].
    pub fn resolve(&self, names: &[String]) -> Result<Vec<Node>> {
        resolve::nodes(self.store, &names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// As [`crate::Tables::cells`].
    pub fn cells(&self, names: &[String], columns: &[(&'static Table, &str)]) -> Result<Vec<Vec<Value>>> {
        resolve::cells(self.store, &names.iter().map(String::as_str).collect::<Vec<_>>(), columns)
    }

    /// As [`crate::Tables::select`].
    pub fn select(&self, criteria: &[Criterion]) -> Result<Names> {
        world::select(self.store, criteria)
    }

    /// As [`crate::Tables::site`].
    pub fn site(&self, key: &str) -> Result<Option<String>> {
        tables::site(self.store, key)
    }

    /// As [`crate::Tables::keeps_statuses`].
    pub fn keeps_statuses(&self) -> Result<bool> {
        tables::keeps_statuses(self.store)
    }

    /// The chosen rows in storage order, as [`crate::Tables::rows`].
    pub fn rows(&self, table: &'static Table, select: Select<'_>) -> Result<Vec<Row>> {
        self.store.rows(table, select)
    }

    /// The row with exactly these key cells, even a disabled one.
    pub fn row(&self, table: &'static Table, key: &[&str]) -> Result<Option<Row>> {
        let found = self.store.stored(table, Select::Where(&key_cells(table, key)))?;
        Ok(found.into_iter().next().map(|stored| stored.row))
    }

    /// Sets cells of the rows that begin with this key, or of a new row where there is none.
    ///
    /// `key` may be shorter than the table's, then all rows of the node are changed. Cells are `(column, value)`, an
    /// empty value clears, key columns may be among them (the row keeps its place). No row is made only to clear
    /// something in it, and a node's row that says nothing any more goes (but for nodelist, where being there is
    /// the message). Returns how many rows are different now.
    pub fn set(&mut self, table: &'static Table, key: &[&str], cells: &[(&str, &str)]) -> Result<usize> {
        self.set_where(table, &key_cells(table, key), cells)
    }

    /// As [`Self::set`], of the rows that hold the values `chosen`; a new row gets those too.
    pub fn set_where(
        &mut self,
        table: &'static Table,
        chosen: &[(&str, &str)],
        cells: &[(&str, &str)],
    ) -> Result<usize> {
        let rows = self.store.stored(table, Select::Where(chosen))?;
        self.set_rows(table, chosen, rows, cells)
    }

    /// As [`Self::set_where`], where the rows that hold the values `chosen` were read before.
    pub(crate) fn set_rows(
        &mut self,
        table: &'static Table,
        chosen: &[(&str, &str)],
        rows: Vec<Stored>,
        cells: &[(&str, &str)],
    ) -> Result<usize> {
        let cells = positions(table, cells)?;
        if rows.is_empty() {
            let clears_only = !cells.is_empty() && cells.iter().all(|(_, value)| value.is_empty());
            let row = Row::new::<&str>(table, []).with(&positions(table, chosen)?).with(&cells);
            return if clears_only { Ok(0) } else { self.write(None, Some(row)) };
        }
        let mut changed = 0;
        for old in rows {
            let new = old.row.with(&cells);
            changed += self.write(Some(old), Some(new))?;
        }
        Ok(changed)
    }

    /// Adds a row as it is; refuses when its key is taken.
    pub fn insert(&mut self, row: Row) -> Result<()> {
        cells::check(&row, None)?;
        self.insert_unread(row)
    }

    /// The same of a row of another program's tables, whatever its cells say; what cannot mean anything is told.
    pub fn take(&mut self, row: Row) -> Result<Option<Error>> {
        let told = cells::check(&row, None).err();
        self.insert_unread(row).map(|()| told)
    }

    fn insert_unread(&mut self, row: Row) -> Result<()> {
        self.store.insert(&row)?;
        self.changes.note(None, Some(row));
        Ok(())
    }

    /// Removes the chosen rows, disabled ones too. Returns how many there were.
    pub fn delete(&mut self, table: &'static Table, select: Select<'_>) -> Result<usize> {
        let rows = self.store.stored(table, select)?;
        let count = rows.len();
        for old in rows {
            self.change(Some(old), None)?;
        }
        Ok(count)
    }

    fn write(&mut self, old: Option<Stored>, new: Option<Row>) -> Result<usize> {
        if let Some(new) = &new {
            cells::check(new, old.as_ref().map(|old| &old.row))?;
        }
        self.change(old, new)
    }

    /// Makes the row of that key be `row`, which was there before; None removes it.
    pub(crate) fn put(&mut self, table: &'static Table, key: &[&str], row: Option<Row>) -> Result<()> {
        let old = self.store.stored(table, Select::Where(&key_cells(table, key)))?.into_iter().next();
        self.change(old, row)?;
        Ok(())
    }

    fn change(&mut self, old: Option<Stored>, new: Option<Row>) -> Result<usize> {
        let new = new.filter(says_something);
        match (&old, &new) {
            (None, None) => return Ok(0),
            (Some(old), Some(new)) if old.row == *new => return Ok(0),
            (Some(old), Some(new)) => self.store.update(old, new)?,
            (Some(old), None) => self.store.delete(old)?,
            (None, Some(new)) => self.store.insert(new)?,
        }
        self.note(old.map(|old| old.row), new);
        Ok(1)
    }

    /// To the journal a row with another key is another row.
    fn note(&mut self, old: Option<Row>, new: Option<Row>) {
        match (old, new) {
            (Some(old), Some(new)) if old.key() != new.key() => {
                self.changes.note(Some(old), None);
                self.changes.note(None, Some(new));
            }
            (old, new) => self.changes.note(old, new),
        }
    }
}

/// Whether a row is worth keeping: a node's row that holds only the node's name is not.
fn says_something(row: &Row) -> bool {
    let table = row.table();
    let first_key = table.columns.iter().position(|column| column.key);
    table.scope != Scope::Node
        || table.name == "nodelist"
        || row.cells().enumerate().any(|(position, cell)| cell.is_some() && Some(position) != first_key)
}

fn positions<'a>(table: &'static Table, cells: &[(&str, &'a str)]) -> Result<Vec<(usize, &'a str)>> {
    let position = |(column, value): &(&str, &'a str)| match table.column(column) {
        Some(position) => Ok((position, *value)),
        None => Err(Error::UnknownColumn { table: table.name.to_owned(), column: (*column).to_owned() }),
    };
    cells.iter().map(position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;
    use crate::tables::tests::{Scratch, origin, scratch};

    fn table(name: &str) -> &'static Table {
        schema::find(name).unwrap()
    }

    fn dump(tables: &Scratch, name: &str) -> Vec<String> {
        let rows = tables.rows(table(name), Select::Stored).unwrap();
        rows.iter().map(|row| serde_json::to_string(row).unwrap()).collect()
    }

    fn edit<T>(tables: &Scratch, change: impl FnOnce(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        tables.edit(&origin("test"), change)
    }

    #[test]
    fn set_makes_changes_and_clears() {
        let tables = scratch();
        let mut counts = Vec::new();
        edit(&tables, |edit| {
            counts.push(edit.set(table("nodehm"), &["n1"], &[("mgt", "ipmi"), ("cons", "ipmi")])?);
            counts.push(edit.set(table("nodehm"), &["n1"], &[("mgt", "docker"), ("cons", "")])?);
            counts.push(edit.set(table("nodehm"), &["n1"], &[("mgt", "docker")])?);
            counts.push(edit.set(table("nodehm"), &["n2"], &[("mgt", "")])?);
            Ok(())
        })
        .unwrap();
        assert_eq!(counts, [1, 1, 0, 0]);
        assert_eq!(dump(&tables, "nodehm"), [r#"{"node":"n1","mgt":"docker"}"#]);
    }

    #[test]
    fn a_row_that_says_nothing_goes_unless_it_says_that_the_node_exists() {
        let tables = scratch();
        edit(&tables, |edit| {
            edit.set(table("nodelist"), &["n1"], &[("groups", "all")])?;
            edit.set(table("nodelist"), &["n1"], &[("groups", "")])?;
            edit.set(table("vm"), &["n1"], &[("host", "h1")])?;
            edit.set(table("vm"), &["n1"], &[("host", "")])?;
            edit.set(table("site"), &["domain"], &[("value", "x")])?;
            edit.set(table("site"), &["domain"], &[("value", "")])?;
            edit.set(table("switch"), &["n1"], &[("switch", "sw1"), ("port", "3")])
        })
        .unwrap();
        assert_eq!(dump(&tables, "nodelist"), [r#"{"node":"n1"}"#]);
        assert_eq!(dump(&tables, "vm"), [""; 0]);
        assert_eq!(dump(&tables, "site"), [r#"{"key":"domain"}"#]);
        assert_eq!(dump(&tables, "switch"), [r#"{"node":"n1","switch":"sw1","port":"3"}"#]);
    }

    #[test]
    fn a_short_key_changes_every_row_of_the_node() {
        let tables = scratch();
        let changed = edit(&tables, |edit| {
            edit.set(table("switch"), &["n1", "sw1", "1"], &[("vlan", "5")])?;
            edit.set(table("switch"), &["n1", "sw2", "9"], &[])?;
            edit.set(table("switch"), &["n2", "sw2", "8"], &[])?;
            edit.set(table("switch"), &["n1"], &[("vlan", "7")])
        });
        assert_eq!(changed.unwrap(), 2);
        let rows = tables.rows(table("switch"), Select::Where(&[("vlan", "7")])).unwrap();
        assert_eq!(rows.iter().map(Row::key).collect::<Vec<_>>(), [["n1", "sw1", "1"], ["n1", "sw2", "9"]]);
    }

    #[test]
    fn key_cells_can_be_set_but_not_to_a_key_in_use() {
        let tables = scratch();
        edit(&tables, |edit| {
            edit.set(table("networks"), &["10.0.0.0", "255.0.0.0"], &[("netname", "a")])?;
            edit.set(table("networks"), &["11.0.0.0", "255.0.0.0"], &[("netname", "b")])?;
            edit.set_where(table("networks"), &[("netname", "a")], &[("net", "12.0.0.0")])
        })
        .unwrap();
        let order = [("12.0.0.0", "a"), ("11.0.0.0", "b")];
        let rows = tables.rows(table("networks"), Select::All).unwrap();
        let found: Vec<_> = rows.iter().map(|row| (row.get("net").unwrap(), row.get("netname").unwrap())).collect();
        assert_eq!(found, order);
        let clash =
            edit(&tables, |edit| edit.set_where(table("networks"), &[("netname", "a")], &[("net", "11.0.0.0")]));
        assert_eq!(clash.unwrap_err().to_string(), "table 'networks' already has a row 11.0.0.0,255.0.0.0");
        let twice = edit(&tables, |edit| edit.insert(rows[0].clone()));
        assert!(matches!(twice, Err(Error::KeyTaken { .. })));
    }

    #[test]
    fn delete_takes_disabled_rows_and_many_keys() {
        let tables = scratch();
        let names: Vec<String> = (0..1500).map(|number| format!("n{number:04}")).collect();
        edit(&tables, |edit| {
            for name in &names {
                edit.set(table("hosts"), &[name], &[("ip", "10.0.0.1")])?;
            }
            edit.set(table("hosts"), &["n0001"], &[("disable", "yes")])
        })
        .unwrap();
        assert_eq!(tables.rows(table("hosts"), Select::All).unwrap().len(), 1499);
        assert_eq!(tables.rows(table("hosts"), Select::Keys(&["n0001", "n0003", "n0002"])).unwrap().len(), 2);
        let gone: Vec<&str> = names[..1400].iter().map(String::as_str).collect();
        assert_eq!(edit(&tables, |edit| edit.delete(table("hosts"), Select::Keys(&gone))).unwrap(), 1400);
        assert_eq!(edit(&tables, |edit| edit.delete(table("hosts"), Select::Keys(&["n1400", "nope"]))).unwrap(), 1);
        assert_eq!(dump(&tables, "hosts").len(), 99);
    }

    #[test]
    fn cells_that_can_never_mean_anything_are_refused_whoever_writes_them() {
        let tables = scratch();
        let refused =
            |change: &dyn Fn(&mut Edit<'_>) -> Result<()>| edit(&tables, |edit| change(edit)).unwrap_err().to_string();
        let mac = |edit: &mut Edit<'_>| edit.set(table("mac"), &["n1"], &[("mac", "52:54")]).map(drop);
        let why = "table mac, row n1: 'mac=52:54' cannot be: '52:54' is neither a MAC address nor an expression";
        assert_eq!(refused(&mac), why);
        assert_eq!(refused(&|edit| edit.insert(Row::new(table("mac"), ["n1", "", "52:54"]))), why);
        let network = |edit: &mut Edit<'_>| {
            edit.set_where(table("networks"), &[("net", "10.0.0.0"), ("mask", "255.0.255.0")], &[]).map(drop)
        };
        assert!(
            refused(&network).starts_with("table networks, row 10.0.0.0,255.0.255.0: 'mask=255.0.255.0' cannot be: ")
        );
        let days = |edit: &mut Edit<'_>| edit.set(table("site"), &["journaldays"], &[("value", "soon")]).map(drop);
        assert!(refused(&days).contains("'value=soon' cannot be: it is not a number of days"));
        // What is there already stands in nobody's way, and is found again after an undo.
        let taken = edit(&tables, |edit| edit.take(Row::new(table("mac"), ["n1", "", "52:54"]))).unwrap();
        assert_eq!(taken.map(|told| told.to_string()).as_deref(), Some(why));
        edit(&tables, |edit| edit.set(table("mac"), &["n1"], &[("interface", "eth0")])).unwrap();
        edit(&tables, |edit| edit.set(table("mac"), &["n1"], &[("mac", "|52:54:00:00:00:($1)|")])).unwrap();
        let undone = crate::journal::Filter { ids: Some(&[3]), ..Default::default() };
        tables.undo(&undone, &origin("defundo")).unwrap();
        assert_eq!(dump(&tables, "mac"), [r#"{"node":"n1","interface":"eth0","mac":"52:54"}"#]);
    }

    #[test]
    fn unknown_columns_are_refused() {
        let tables = scratch();
        let set = edit(&tables, |edit| edit.set(table("vm"), &["n1"], &[("bogus", "1")]));
        assert_eq!(set.unwrap_err().to_string(), "table 'vm' has no column 'bogus'");
        let chosen = tables.rows(table("vm"), Select::Where(&[("bogus", "1")]));
        assert!(matches!(chosen, Err(Error::UnknownColumn { .. })));
    }

    #[test]
    fn reads_in_an_edit_see_it_and_an_error_or_a_panic_leaves_nothing() {
        let tables = scratch();
        let refused = edit(&tables, |edit| {
            edit.set(table("nodelist"), &["n1"], &[])?;
            assert!(edit.row(table("nodelist"), &["n1"])?.is_some());
            assert_eq!(edit.rows(table("nodelist"), Select::All)?.len(), 1);
            Err::<(), _>(Error::EmptyRange { range: "x".into() })
        });
        assert!(refused.is_err());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            edit(&tables, |edit| {
                edit.set(table("nodelist"), &["n2"], &[])?;
                panic!("on purpose");
                #[expect(unreachable_code, reason = "gives the closure its type")]
                Ok(())
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(dump(&tables, "nodelist"), [""; 0]);
        assert_eq!(tables.journal(&Default::default()).unwrap(), []);
    }
}
