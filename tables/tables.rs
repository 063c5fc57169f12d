//! The tables as the program uses them: ask for nodes, read rows, change rows, look back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::criterion::Criterion;
use crate::journal::{self, Entry, Filter, Origin};
use crate::noderange::{Expansion, Names, Unknown};
use crate::schema::{self, Table};
use crate::store::{self, Store};
use crate::{Edit, Error, Explained, Node, Result, Row, Select, Value, prune, resolve, undo, world};

/// The open database. May be shared between threads; they take turns.
pub struct Tables {
    store: Mutex<Store>,
    /// Whether this is how the tables were at some time in the past.
    past: bool,
}

impl Tables {
    /// Opens the database under that directory, making it on first use and migrating it where it is older.
    pub fn open(home: &Path) -> Result<Self> {
        Ok(Self { store: Mutex::new(Store::open(home, store::PATIENCE)?), past: false })
    }

    /// Waits no longer than this for other commands that hold the database, for a program that must not stand still.
    pub fn set_patience(&self, patience: Duration) -> Result<()> {
        self.store().run(|db| db.busy_timeout(patience))
    }

    /// A number that is another one when somebody else has changed anything, whatever it was; what is changed through
    /// these very `Tables` does not count. It costs next to nothing.
    pub fn version(&self) -> Result<i64> {
        self.store().run(|db| db.query_row("PRAGMA data_version", [], |row| row.get(0)))
    }

    /// The number of the newest entry of the journal: another one when somebody has decided anything. What is observed,
    /// such as a status or a lease, does not count.
    pub fn newest_decision(&self) -> Result<i64> {
        let newest = "SELECT coalesce(max(id), 0) FROM journal";
        self.store().run(|db| db.prepare_cached(newest)?.query_row([], |row| row.get(0)))
    }

    /// The nodes of a range in plain string order, without those that `site.excludenodes` names.
    ///
    /// A name that is neither node nor group refuses the whole range. No names is an answer: an empty group, say.
    pub fn expand(&self, range: &str) -> Result<Vec<String>> {
        Ok(expand(&self.store(), range)?.to_vec())
    }

    /// As [`Self::expand`], but unknown names are listed or taken for new nodes.
    pub fn expand_with(&self, range: &str, unknown: Unknown) -> Result<Expansion> {
        world::expand(&self.store(), range, unknown)
    }

    /// The nodes of a range with all their attributes; a range without nodes is refused.
    pub fn nodes(&self, range: &str) -> Result<Vec<Node>> {
        nodes(&self.store(), range)
    }

    /// The nodes of these names in this order with all their attributes; names that are no nodes are refused.
    pub fn resolve(&self, names: &[String]) -> Result<Vec<Node>> {
        resolve::nodes(&self.store(), &texts(names))
    }

    /// For each of the nodes its attributes by name, with every cell that supplies the value or would.
    pub fn explain(&self, names: &[String]) -> Result<Vec<Vec<Explained>>> {
        resolve::explain(&self.store(), &texts(names))
    }

    /// For each of the nodes the inherited values of these columns of node-keyed tables, in the order asked for.
    pub fn cells(&self, names: &[String], columns: &[(&'static Table, &str)]) -> Result<Vec<Vec<Value>>> {
        resolve::cells(&self.store(), &texts(names), columns)
    }

    /// The nodes that meet all criteria. Keys are attributes of nodes or `table.column`.
    pub fn select(&self, criteria: &[Criterion]) -> Result<Names> {
        let store = self.store();
        store.read(|| world::select(&store, criteria))
    }

    /// The names of all nodes, or only those of nodes that are not `hidden`.
    pub fn node_names(&self, hidden: bool) -> Result<Names> {
        let store = self.store();
        store.read(|| {
            let names = store.node_names()?;
            Ok(if hidden { names } else { names.without(&store.hidden_names()?) })
        })
    }

    /// The names that attribute `vmhost` of any node has.
    pub fn guest_hosts(&self) -> Result<BTreeSet<String>> {
        let store = self.store();
        store.read(|| {
            let names = store.node_names()?.to_vec();
            let hosts = resolve::cells(&store, &texts(&names), &[(table("vm"), "host")])?;
            Ok(hosts.into_iter().flatten().filter_map(|host| host.text).collect())
        })
    }

    /// The nodes that are guests, and the nodes that carry them or of whose engine anything is said.
    pub fn guests_and_hosts(&self) -> Result<(Vec<String>, Vec<String>)> {
        let store = self.store();
        store.read(|| {
            let names = store.node_names()?.to_vec();
            let of_engine = table("dockerhost").columns.iter().filter(|column| !column.key);
            let of_engine = of_engine.filter(|column| !matches!(column.name, "comments" | "disable"));
            let columns: Vec<_> = [(table("vm"), "host")]
                .into_iter()
                .chain(of_engine.map(|column| (table("dockerhost"), column.name)))
                .collect();
            let cells = resolve::cells(&store, &texts(&names), &columns)?;
            let mut guests = Vec::new();
            let mut hosts = BTreeSet::new();
            for (name, cells) in names.iter().zip(cells) {
                let mut cells = cells.into_iter().map(|cell| cell.text);
                match cells.next().flatten() {
                    Some(host) => {
                        guests.push(name.clone());
                        hosts.insert(host);
                    }
                    None if cells.flatten().next().is_some() => drop(hosts.insert(name.clone())),
                    None => {}
                }
            }
            let known: BTreeSet<&String> = names.iter().collect();
            Ok((guests, hosts.into_iter().filter(|host| known.contains(host)).collect()))
        })
    }

    /// At most so many names of nodes and groups that begin so, sorted.
    pub fn names_starting(&self, beginning: &str, most: usize) -> Result<Vec<String>> {
        let store = self.store();
        let mut names = BTreeSet::new();
        for all in [store.node_names()?, store.group_names()?] {
            all.each(|name| {
                if name.starts_with(beginning) {
                    names.insert(name.to_owned());
                }
            });
        }
        Ok(names.into_iter().take(most).collect())
    }

    /// The value of a setting of table site.
    pub fn site(&self, key: &str) -> Result<Option<String>> {
        site(&self.store(), key)
    }

    /// Whether `nodelist.status` is written: the site wants that unless `site.nodestatus` is n, no or 0.
    pub fn keeps_statuses(&self) -> Result<bool> {
        keeps_statuses(&self.store())
    }

    /// The chosen rows in storage order.
    pub fn rows(&self, table: &'static Table, select: Select<'_>) -> Result<Vec<Row>> {
        self.store().rows(table, select)
    }

    /// Changes rows in one transaction, written to the journal with its origin; an error or a panic changes nothing.
    ///
    /// Other commands wait meanwhile, so the closure must not wait for anything. What it wants to read it reads
    /// through the [`Edit`]: asking these `Tables` from inside would wait for itself.
    pub fn edit<T>(&self, origin: &Origin, change: impl FnOnce(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        self.try_edit(origin, change)
    }

    /// As [`Self::edit`], for changes that may be refused for reasons of the caller's own.
    pub fn try_edit<T, E: From<Error>>(
        &self,
        origin: &Origin,
        change: impl FnOnce(&mut Edit<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let store = self.changeable()?;
        store.try_write(|| {
            let mut edit = Edit::new(&store);
            let answer = change(&mut edit)?;
            if edit.finish(origin)?.is_some() {
                prune::by_age(&store)?;
            }
            Ok(answer)
        })
    }

    /// Writes `nodelist.status` and when it was; nodes that are no more are passed over.
    ///
    /// A status is what a node does, not how it is defined: the journal does not hold it.
    pub fn record_statuses(&self, statuses: &BTreeMap<String, &'static str>) -> Result<()> {
        self.record("status", "statustime", statuses)
    }

    /// Writes `nodelist.updatestatus` in the same way.
    pub fn record_update_statuses(&self, statuses: &BTreeMap<String, &'static str>) -> Result<()> {
        self.record("updatestatus", "updatestatustime", statuses)
    }

    fn record(&self, column: &str, time: &str, statuses: &BTreeMap<String, &'static str>) -> Result<()> {
        let store = self.changeable()?;
        store.write(|| {
            let now = store.local_time()?;
            let mut edit = Edit::new(&store);
            for (node, status) in statuses {
                if edit.row(table("nodelist"), &[node])?.is_some() {
                    edit.set(table("nodelist"), &[node], &[(column, status), (time, &now)])?;
                }
            }
            Ok(())
        })
    }

    /// Writes a status where it is that one now, so that what has changed it since stays.
    pub fn replace_status(&self, node: &str, from: &str, to: &str) -> Result<()> {
        let store = self.changeable()?;
        store.write(|| {
            let now = store.local_time()?;
            let mut edit = Edit::new(&store);
            let row = edit.row(table("nodelist"), &[node])?;
            if row.is_some_and(|row| row.get("status") == Some(from)) {
                edit.set(table("nodelist"), &[node], &[("status", to), ("statustime", &now)])?;
            }
            Ok(())
        })
    }

    /// The entries of the journal that the filter lets through, oldest first.
    pub fn journal(&self, filter: &Filter<'_>) -> Result<Vec<Entry>> {
        journal::read(&self.store(), filter)
    }

    /// Takes back what those entries changed, as a new entry; refuses, naming the rows, where one has changed since.
    ///
    /// Returns the numbers of the entries taken back, oldest first.
    pub fn undo(&self, filter: &Filter<'_>, origin: &Origin) -> Result<Vec<i64>> {
        self.edit(origin, |edit| undo::undo(edit, filter))
    }

    /// The tables as they were at that time, to read only.
    pub fn at(&self, time: SystemTime) -> Result<Self> {
        let past = undo::as_of(&self.store(), time)?;
        Ok(Self { store: Mutex::new(past), past: true })
    }

    /// The store, unless it holds the past.
    pub(crate) fn changeable(&self) -> Result<MutexGuard<'_, Store>> {
        if self.past { Err(Error::Past) } else { Ok(self.store()) }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        // A panic in an edit has rolled its transaction back: the store is as good as before.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn expand(store: &Store, range: &str) -> Result<Names> {
    Ok(world::expand(store, range, Unknown::Refuse)?.names)
}

pub(crate) fn nodes(store: &Store, range: &str) -> Result<Vec<Node>> {
    store.read(|| {
        let names = expand(store, range)?.to_vec();
        if names.is_empty() {
            return Err(Error::EmptyRange { range: range.to_owned() });
        }
        resolve::nodes(store, &texts(&names))
    })
}

fn texts(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn table(name: &str) -> &'static Table {
    schema::find(name).expect("the schema has the tables that say what a node is")
}

pub(crate) fn keeps_statuses(store: &Store) -> Result<bool> {
    Ok(!matches!(site(store, "nodestatus")?.as_deref(), Some("n" | "no" | "0")))
}

pub(crate) fn site(store: &Store, key: &str) -> Result<Option<String>> {
    let rows = store.rows(table("site"), Select::Keys(&[key]))?;
    Ok(rows.first().and_then(|row| row.get("value")).map(str::to_owned))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::ops::Deref;

    use super::*;
    use crate::noderange;

    /// Tables in a directory that goes with them.
    pub(crate) struct Scratch {
        tables: Tables,
        pub(crate) home: tempfile::TempDir,
    }

    impl Deref for Scratch {
        type Target = Tables;

        fn deref(&self) -> &Tables {
            &self.tables
        }
    }

    pub(crate) fn scratch() -> Scratch {
        let home = tempfile::tempdir().unwrap();
        Scratch { tables: Tables::open(home.path()).unwrap(), home }
    }

    /// The same tables through another connection that hardly waits.
    pub(crate) fn impatient(home: &Path) -> Tables {
        let store = Store::open(home, std::time::Duration::from_millis(50)).unwrap();
        Tables { store: Mutex::new(store), past: false }
    }

    impl Tables {
        pub(crate) fn with_store(&self, work: impl FnOnce(&Store)) {
            work(&self.store());
        }
    }

    pub(crate) fn origin(command: &str) -> Origin {
        Origin { user: "root".into(), command: command.into(), reason: None }
    }

    /// Tables with rows such as `nodelist n[1-3] groups=a|b; switch n1,sw1,7 vlan=5`: a `|` within a value stands for
    /// a comma unless the value begins with one or has a port's, and cells are separated by commas.
    pub(crate) fn filled(rows: &str) -> Scratch {
        let tables = scratch();
        let fill = |edit: &mut Edit<'_>| rows.split(';').try_for_each(|row| fill(edit, row.trim()));
        tables.edit(&origin("test"), fill).unwrap();
        tables
    }

    fn fill(edit: &mut Edit<'_>, row: &str) -> Result<()> {
        let mut parts = row.splitn(3, ' ');
        let [name, key] = [(); 2].map(|()| parts.next().unwrap());
        let (first, rest) = key.split_once(',').unwrap_or((key, ""));
        let cells = cells(parts.next().unwrap_or_default().trim());
        let cells: Vec<(&str, &str)> = cells.iter().map(|(column, value)| (*column, value.as_str())).collect();
        let options = noderange::Options { unknown: Unknown::Accept, ..noderange::Options::default() };
        for first in noderange::expand(first, &noderange::Index::default(), &options).unwrap().names.to_vec() {
            let key: Vec<&str> =
                [first.as_str()].into_iter().chain(rest.split(',').filter(|key| !key.is_empty())).collect();
            edit.set(table(name), &key, &cells)?;
        }
        Ok(())
    }

    fn cells(text: &str) -> Vec<(&str, String)> {
        let mut cells: Vec<(&str, String)> = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            match (part.split_once('=').filter(|(column, _)| column.chars().all(char::is_alphabetic)), cells.last_mut())
            {
                (Some((column, value)), _) => cells.push((column, value.to_owned())),
                (None, Some((_, value))) => *value += &format!(",{part}"),
                (None, None) => panic!("no column in {text}"),
            }
        }
        for (_, value) in cells.iter_mut().filter(|(_, value)| !value.starts_with('|') && !value.contains("!|")) {
            *value = value.replace('|', ",");
        }
        cells
    }

    #[test]
    fn site_reads_settings() {
        let tables = scratch();
        let site = schema::find("site").unwrap();
        tables.edit(&origin("chdef"), |edit| edit.set(site, &["domain"], &[("value", "cluster.org")])).unwrap();
        assert_eq!(tables.site("domain").unwrap().as_deref(), Some("cluster.org"));
        assert_eq!(tables.site("master").unwrap(), None);
    }
}
