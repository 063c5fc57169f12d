//! The database file behind a narrow interface; SQL is written here, in the journal, its undo and its pruning, and in
//! the memberships only.
//!
//! WAL with `synchronous=NORMAL`: a killed process loses nothing that was committed, a power cut may lose the last
//! commits but never tears one or corrupts the file.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params_from_iter,
};

use crate::row::Rows;
use crate::schema::{self, Table};
use crate::{Error, Result, Row, Select, urls};

/// How long a command waits for another one that holds the database.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Forward only: a migration is never changed once released. The database's `user_version` counts those it has had.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_xcat_tables.sql"),
    include_str!("migrations/0002_journal.sql"),
    include_str!("migrations/0003_groups_index.sql"),
    include_str!("migrations/0004_fabric.sql"),
    include_str!("migrations/0005_docker_hosts.sql"),
    include_str!("migrations/0006_ssh.sql"),
    include_str!("migrations/0007_xcat_objects.sql"),
    include_str!("migrations/0008_container_networks.sql"),
    include_str!("migrations/0009_journal_limit.sql"),
    include_str!("migrations/0010_memberships.sql"),
    include_str!("migrations/0011_registry.sql"),
    include_str!("migrations/0012_images.sql"),
    include_str!("migrations/0013_updates.sql"),
    include_str!("migrations/0014_nearest.sql"),
    include_str!("migrations/0015_lease.sql"),
    include_str!("migrations/0016_registry_image.sql"),
    include_str!("migrations/0017_downtime.sql"),
    include_str!("migrations/0018_diskless.sql"),
    include_str!("migrations/0019_circuits.sql"),
    include_str!("migrations/0020_discovery.sql"),
    include_str!("migrations/0021_lease_index.sql"),
    include_str!("migrations/0022_bootevents.sql"),
    include_str!("migrations/0023_modules.sql"),
];

/// From this many keys on a table is read through instead of looked up key by key.
const MANY_KEYS: usize = 500;

/// An open database. Not shared between threads.
pub(crate) struct Store {
    path: PathBuf,
    pub(crate) db: Connection,
    statements: RefCell<HashMap<&'static str, Arc<Statements>>>,
}

/// A row with SQLite's number of it, which gives the storage order.
pub(crate) struct Stored {
    pub(crate) rowid: i64,
    pub(crate) row: Row,
}

/// The SQL of a table, written once per connection.
struct Statements {
    select: String,
    insert: String,
    /// Changes the cells that are no key.
    update: String,
    /// Changes every cell: keys cost the update of an index.
    rekey: String,
    delete: String,
}

impl Store {
    /// Opens `xcrane.db` under that directory, making and migrating it where needed.
    pub(crate) fn open(home: &Path, patience: Duration) -> Result<Self> {
        let path = home.join("xcrane.db");
        if !path.exists() {
            create(home, &path)?;
        }
        let store = Self::connect(&path, patience)?;
        store.bring_up_to_date()?;
        Ok(store)
    }

    /// An empty database of today's form in memory, which reports errors in the name of `path`.
    pub(crate) fn in_memory(path: &Path) -> Result<Self> {
        let db = Connection::open_in_memory().map_err(|source| failed(path, source))?;
        let store = Self::with_connection(path, db);
        store.bring_up_to_date()?;
        Ok(store)
    }

    fn connect(path: &Path, patience: Duration) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(|source| failed(path, source))?;
        let store = Self::with_connection(path, db);
        store.run(|db| db.busy_timeout(patience))?;
        store.run(|db| db.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384"))?;
        Ok(store)
    }

    fn with_connection(path: &Path, db: Connection) -> Self {
        db.set_prepared_statement_cache_capacity(256);
        Self { path: path.to_owned(), db, statements: RefCell::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Asks SQLite something, naming the database where that fails.
    pub(crate) fn run<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        ask(&self.db).map_err(|source| failed(&self.path, source))
    }

    /// Runs a change in one transaction that holds the write lock from its start; an error or a panic undoes it all.
    pub(crate) fn write<T>(&self, change: impl FnOnce() -> Result<T>) -> Result<T> {
        self.try_write(change)
    }

    /// As [`Self::write`], for changes with errors of their own.
    pub(crate) fn try_write<T, E: From<Error>>(&self, change: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.transaction(TransactionBehavior::Immediate, change)
    }

    /// Runs reads that all see the same state, whatever others commit meanwhile.
    pub(crate) fn read<T>(&self, ask: impl FnOnce() -> Result<T>) -> Result<T> {
        if !self.db.is_autocommit() {
            return ask();
        }
        self.transaction(TransactionBehavior::Deferred, ask)
    }

    fn transaction<T, E: From<Error>>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        // Rolls back when dropped, which is what an early return or a panic does.
        let transaction =
            Transaction::new_unchecked(&self.db, behavior).map_err(|source| failed(&self.path, source))?;
        let answer = work()?;
        transaction.commit().map_err(|source| failed(&self.path, source))?;
        Ok(answer)
    }

    fn bring_up_to_date(&self) -> Result<()> {
        let known = MIGRATIONS.len() as i64;
        match self.version()? {
            found if found == known => Ok(()),
            found if found > known => Err(Error::TooNew { path: self.path.clone(), found, known }),
            _ => self.migrate(),
        }
    }

    fn version(&self) -> Result<i64> {
        self.run(|db| db.query_row("PRAGMA user_version", [], |row| row.get(0)))
    }

    fn migrate(&self) -> Result<()> {
        self.run(|db| db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())))?;
        self.write(|| {
            // Asked again now that no other process can be migrating.
            let done = usize::try_from(self.version()?).unwrap_or_default();
            for migration in MIGRATIONS.iter().skip(done) {
                self.run(|db| db.execute_batch(migration))?;
            }
            self.keep_memberships()?;
            self.run(|db| db.pragma_update(None, "user_version", MIGRATIONS.len() as i64))
        })
    }

    /// Whether each of the tables has any rows. Most have none, and to find that out for all is as fast as to read one.
    pub(crate) fn filled(&self, tables: &[&'static Table]) -> Result<Vec<bool>> {
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        let exists = tables.iter().map(|table| format!("EXISTS (SELECT 1 FROM {})", quoted(table.name)));
        let sql = format!("SELECT {}", exists.collect::<Vec<_>>().join(", "));
        self.run(|db| {
            db.prepare_cached(&sql)?.query_row([], |row| (0..tables.len()).map(|place| row.get(place)).collect())
        })
    }

    /// The chosen rows in storage order.
    pub(crate) fn rows(&self, table: &'static Table, select: Select<'_>) -> Result<Vec<Row>> {
        let mut rows = self.stored(table, select)?;
        if !matches!(select, Select::Stored) {
            rows.retain(|stored| !stored.row.is_disabled());
        }
        Ok(rows.into_iter().map(|stored| stored.row).collect())
    }

    /// The chosen rows in storage order, disabled ones too.
    pub(crate) fn stored(&self, table: &'static Table, select: Select<'_>) -> Result<Vec<Stored>> {
        match select {
            Select::All | Select::Stored => self.query(table, "ORDER BY rowid", &[]),
            Select::Where(cells) => self.stored_where(table, cells),
            Select::Keys(keys) if keys.len() >= MANY_KEYS => self.stored_among(table, keys),
            Select::Keys(keys) => self.stored_by_key(table, keys),
        }
    }

    fn stored_where(&self, table: &'static Table, cells: &[(&str, &str)]) -> Result<Vec<Stored>> {
        let mut clause = String::new();
        for (number, (column, value)) in cells.iter().enumerate() {
            let column = quoted(column_name(table, column)?);
            clause.push_str(if number == 0 { "WHERE " } else { " AND " });
            // The plain comparison is the one that an index serves.
            clause.push_str(&if value.is_empty() {
                format!("COALESCE({column}, '') = ?")
            } else {
                format!("{column} = ?")
            });
        }
        clause.push_str(" ORDER BY rowid");
        let values: Vec<&str> = cells.iter().map(|(_, value)| *value).collect();
        self.query(table, &clause, &values)
    }

    fn stored_by_key(&self, table: &'static Table, keys: &[&str]) -> Result<Vec<Stored>> {
        let clause = format!("WHERE {} = ?", quoted(first_key(table)));
        let mut found = Vec::new();
        for key in keys {
            found.append(&mut self.query(table, &clause, &[key])?);
        }
        found.sort_unstable_by_key(|stored| stored.rowid);
        found.dedup_by_key(|stored| stored.rowid);
        Ok(found)
    }

    fn stored_among(&self, table: &'static Table, keys: &[&str]) -> Result<Vec<Stored>> {
        let wanted: HashSet<&str> = keys.iter().copied().collect();
        let column = table.column(first_key(table));
        let mut found = self.query(table, "ORDER BY rowid", &[])?;
        found
            .retain(|stored| column.and_then(|column| stored.row.cell(column)).is_some_and(|key| wanted.contains(key)));
        Ok(found)
    }

    fn query(&self, table: &'static Table, clause: &str, values: &[&str]) -> Result<Vec<Stored>> {
        let sql = format!("{} {clause}", self.statements(table).select);
        let (mut rowids, mut rows) = (Vec::<i64>::new(), Rows::new(table));
        self.run(|db| {
            let mut statement = db.prepare_cached(&sql)?;
            let mut found = statement.query(params_from_iter(values))?;
            while let Some(row) = found.next()? {
                rowids.push(row.get(0)?);
                rows.add((1..=table.columns.len()).map(|column| text(row.get_ref_unwrap(column))));
            }
            Ok(())
        })?;
        Ok(rowids.into_iter().zip(rows.finish()).map(|(rowid, row)| Stored { rowid, row }).collect())
    }

    /// What the rows have in the first key column, which is all that is read of them.
    pub(crate) fn keys(&self, table: &'static Table) -> Result<Vec<String>> {
        let sql = format!("SELECT {} FROM {}", quoted(first_key(table)), quoted(table.name));
        self.run(|db| db.prepare_cached(&sql)?.query_map([], |row| row.get(0))?.collect())
    }

    /// Now, as xCAT writes it: local time, `11-21-2026 05:12:00`.
    pub(crate) fn local_time(&self) -> Result<String> {
        self.run(|db| db.query_row("SELECT strftime('%m-%d-%Y %H:%M:%S', 'now', 'localtime')", [], |row| row.get(0)))
    }

    /// Now in UTC, `2026-11-21T05:12:00Z`.
    pub(crate) fn universal_time(&self) -> Result<String> {
        self.run(|db| db.query_row("SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now')", [], |row| row.get(0)))
    }

    /// The number that the last added row has in a column, and the highest of all, for which every row is read; 0 where
    /// there is none.
    fn last_number(&self, table: &'static Table, column: &str) -> Result<i64> {
        self.number(&format!(
            "CAST({} AS INTEGER) FROM {} ORDER BY rowid DESC LIMIT 1",
            quoted(column),
            quoted(table.name)
        ))
    }

    fn highest_number(&self, table: &'static Table, column: &str) -> Result<i64> {
        self.number(&format!("max(CAST({} AS INTEGER)) FROM {}", quoted(column), quoted(table.name)))
    }

    fn number(&self, what: &str) -> Result<i64> {
        let found = self.run(|db| db.query_row(&format!("SELECT {what}"), [], |row| row.get(0)).optional())?;
        Ok(found.flatten().unwrap_or_default())
    }

    /// Adds a row, which must not be there.
    pub(crate) fn insert(&self, row: &Row) -> Result<()> {
        urls::check(row, None)?;
        let statements = self.statements(row.table());
        self.change(row, &statements.insert, None)
    }

    /// Adds a row of a log, whose first column counts its rows.
    pub(crate) fn append(&self, log: &'static Table, row: impl Fn(&str) -> Row) -> Result<()> {
        let counter = first_key(log);
        // The last row has the highest number, unless someone has restored rows in another order.
        match self.insert(&row(&(self.last_number(log, counter)? + 1).to_string())) {
            Err(Error::KeyTaken { .. }) => self.insert(&row(&(self.highest_number(log, counter)? + 1).to_string())),
            inserted => inserted,
        }
    }

    /// Gives the row of that number the cells of `new`.
    pub(crate) fn update(&self, old: &Stored, new: &Row) -> Result<()> {
        urls::check(new, Some(&old.row))?;
        let statements = self.statements(new.table());
        let sql = if old.row.key() == new.key() { &statements.update } else { &statements.rekey };
        self.change(new, sql, Some(old.rowid))
    }

    pub(crate) fn delete(&self, old: &Stored) -> Result<()> {
        let statements = self.statements(old.row.table());
        self.run(|db| db.prepare_cached(&statements.delete)?.execute([old.rowid]))?;
        Ok(())
    }

    fn change(&self, row: &Row, sql: &str, rowid: Option<i64>) -> Result<()> {
        let changed = self.db.prepare_cached(sql).and_then(|mut statement| {
            for (column, (definition, cell)) in row.table().columns.iter().zip(row.cells()).enumerate() {
                // Keys are never NULL, else SQLite would take two of them for different.
                let cell = if definition.key { Some(cell.unwrap_or_default()) } else { cell };
                statement.raw_bind_parameter(column + 1, cell)?;
            }
            if let Some(rowid) = rowid {
                statement.raw_bind_parameter(row.cells().len() + 1, rowid)?;
            }
            statement.raw_execute()
        });
        match changed {
            Ok(_) => Ok(()),
            Err(source) if source.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                Err(Error::KeyTaken { table: row.table().name.to_owned(), key: row.key().join(",") })
            }
            Err(source) => Err(failed(&self.path, source)),
        }
    }

    fn statements(&self, table: &'static Table) -> Arc<Statements> {
        self.statements.borrow_mut().entry(table.name).or_insert_with(|| Arc::new(Statements::new(table))).clone()
    }

    /// Copies every table of the database file into this one, as of one moment.
    pub(crate) fn copy_from(&self, path: &Path) -> Result<()> {
        self.run(|db| db.execute("ATTACH ?1 AS origin", [path.to_string_lossy()]))?;
        self.write(|| {
            for table in
                schema::ALL.iter().map(|table| quoted(table.name)).chain(["journal".into(), "journal_change".into()])
            {
                let copy = format!("INSERT INTO main.{table} SELECT * FROM origin.{table} ORDER BY rowid");
                self.run(|db| db.execute(&copy, []))?;
            }
            Ok(())
        })?;
        self.run(|db| db.execute_batch("DETACH origin"))
    }
}

impl Statements {
    fn new(table: &'static Table) -> Self {
        let name = quoted(table.name);
        let last = table.columns.len() + 1;
        let columns: Vec<String> = table.columns.iter().map(|column| quoted(column.name)).collect();
        let places: Vec<String> = (1..last).map(|place| format!("?{place}")).collect();
        let sets = |keys: bool| {
            let columns = table.columns.iter().zip(&columns).zip(&places);
            let wanted = columns.filter(|((column, _), _)| keys || !column.key);
            wanted.map(|((_, column), place)| format!("{column} = {place}")).collect::<Vec<_>>().join(", ")
        };
        Self {
            select: format!("SELECT rowid, {} FROM {name}", columns.join(", ")),
            insert: format!("INSERT INTO {name} ({}) VALUES ({})", columns.join(", "), places.join(", ")),
            update: format!("UPDATE {name} SET {} WHERE rowid = ?{last}", sets(false)),
            rekey: format!("UPDATE {name} SET {} WHERE rowid = ?{last}", sets(true)),
            delete: format!("DELETE FROM {name} WHERE rowid = ?"),
        }
    }
}

/// Makes the database under a name of its own and links it into place, so that nobody ever meets half of one.
fn create(home: &Path, path: &Path) -> Result<()> {
    let fail = |doing| move |source| Error::File { doing, path: path.to_owned(), source };
    fs::create_dir_all(home).map_err(|source| Error::File { doing: "create", path: home.to_owned(), source })?;
    let draft = home.join(format!("xcrane.db.{}.{:?}", std::process::id(), std::thread::current().id()));
    let options = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).clone();
    options.open(&draft).map_err(fail("create database"))?;
    let made = Store::connect(&draft, PATIENCE).and_then(|store| store.bring_up_to_date());
    let placed = made.and_then(|()| match fs::hard_link(&draft, path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(fail("create database")(source)),
        _ => Ok(()),
    });
    fs::remove_file(&draft).map_err(|source| Error::File { doing: "remove", path: draft, source })?;
    placed
}

/// What a failure of SQLite means to the user.
fn failed(path: &Path, source: rusqlite::Error) -> Error {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Locked { path },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt { path, source },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            Error::Unwritable { path, source }
        }
        Some(ErrorCode::DiskFull) => Error::DiskFull { path, source },
        _ => Error::Database { path, source },
    }
}

pub(crate) fn text(value: ValueRef<'_>) -> Cow<'_, str> {
    match value {
        ValueRef::Null => Cow::Borrowed(""),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        },
        ValueRef::Integer(number) => Cow::Owned(number.to_string()),
        ValueRef::Real(number) => Cow::Owned(number.to_string()),
    }
}

/// The first key column, by which rows are looked up.
pub(crate) fn first_key(table: &Table) -> &'static str {
    table.keys().next().expect("the schema's tests see to it that every table has a key").name
}

fn column_name(table: &'static Table, name: &str) -> Result<&'static str> {
    let column = table.columns.iter().find(|column| column.name == name).map(|column| column.name);
    column.ok_or_else(|| Error::UnknownColumn { table: table.name.to_owned(), column: name.to_owned() })
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
