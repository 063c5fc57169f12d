//! What becomes of the database when things go wrong: killed writers, two at once, damage, no space, no permission.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::journal::Filter;
use crate::schema::{self, Table};
use crate::store::{MIGRATIONS, Store};
use crate::tables::tests::{impatient, origin, scratch};
use crate::{Error, Select, Tables};

/// Tells the child of a test which database it works on.
const HOME: &str = "XCRANE_TEST_CHILD_HOME";

fn table(name: &str) -> &'static Table {
    schema::find(name).unwrap()
}

fn set_value(tables: &Tables, value: &str) -> crate::Result<usize> {
    tables.edit(&origin("chdef"), |edit| edit.set(table("site"), &["value"], &[("value", value)]))
}

fn message(result: crate::Result<impl Sized>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

/// This test program again, to run one of the functions below on that database.
fn child(program: &Path, function: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["--exact", &format!("faults::{function}"), "--nocapture"]).env(HOME, home).stdout(Stdio::piped());
    command
}

/// Runs in a child process: commits again and again, and says so each time.
#[test]
fn child_writes_until_killed() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let tables = Tables::open(Path::new(&home)).unwrap();
    loop {
        let number = tables.edit(&origin("chdef"), |edit| {
            let last = edit.row(table("hosts"), &["n0"])?.and_then(|row| row.get("hostnames")?.parse().ok());
            let next = last.unwrap_or(0) + 1;
            for node in 0..40 {
                edit.set(table("hosts"), &[&format!("n{node}")], &[("hostnames", &next.to_string())])?;
            }
            Ok(next)
        });
        println!("\ncommitted {}", number.unwrap());
    }
}

#[test]
fn a_killed_writer_loses_nothing_and_leaves_nothing_half_done() {
    let home = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let mut committed = 0;
    for round in 0..12 {
        let mut writer = child(&program, "child_writes_until_killed", home.path()).spawn().unwrap();
        let said = BufReader::new(writer.stdout.take().unwrap());
        let told = std::thread::spawn(move || {
            let numbers = said.lines().map_while(Result::ok);
            numbers.filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok()).last()
        });
        std::thread::sleep(Duration::from_millis(40 + 17 * round));
        writer.kill().unwrap();
        writer.wait().unwrap();
        committed = check_intact(home.path(), told.join().unwrap());
    }
    assert!(committed > 12, "the writers came to nothing");
}

/// Returns how many transactions there were.
fn check_intact(home: &Path, told: Option<u64>) -> u64 {
    let tables = Tables::open(home).unwrap();
    let rows = tables.rows(table("hosts"), Select::All).unwrap();
    let values: Vec<u64> = rows.iter().map(|row| row.get("hostnames").unwrap().parse().unwrap()).collect();
    assert!(values.windows(2).all(|pair| pair[0] == pair[1]), "a transaction was torn: {values:?}");
    let value = values.first().copied().unwrap_or(0);
    assert!(value >= told.unwrap_or(0), "told {told:?}, found {value}");
    assert_eq!(tables.journal(&Filter::default()).unwrap().len() as u64, value, "journal and tables differ");
    let store = Store::open(home, Duration::ZERO).unwrap();
    let verdict: String = store.run(|db| db.query_row("PRAGMA integrity_check", [], |row| row.get(0))).unwrap();
    assert_eq!(verdict, "ok");
    value
}

#[test]
fn two_editors_lose_no_update() {
    let tables = scratch();
    let count = || {
        let mine = Tables::open(tables.home.path()).unwrap();
        for _ in 0..25 {
            let add = |edit: &mut crate::Edit<'_>| {
                let row = edit.row(table("site"), &["count"])?;
                let count: u32 = row.and_then(|row| row.get("value")?.parse().ok()).unwrap_or(0);
                edit.set(table("site"), &["count"], &[("value", &(count + 1).to_string())])
            };
            mine.edit(&origin("count"), add).unwrap();
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(count))));
    assert_eq!(tables.site("count").unwrap().as_deref(), Some("100"));
    assert_eq!(tables.journal(&Filter::default()).unwrap().len(), 100);
}

#[test]
fn who_waits_too_long_for_another_command_is_told_so() {
    let tables = scratch();
    let path = tables.home.path().join("xcrane.db");
    let other = impatient(tables.home.path());
    let told = tables.edit(&origin("long"), |edit| {
        edit.set(table("site"), &["value"], &[("value", "long")])?;
        assert_eq!(other.site("value")?, None, "readers go on and see what is committed");
        Ok(message(set_value(&other, "other")))
    });
    assert_eq!(told.unwrap(), format!("database {} is locked by another command", path.display()));
    set_value(&other, "other").unwrap();
    assert_eq!(tables.site("value").unwrap().as_deref(), Some("other"));
}

#[test]
fn who_waits_for_a_short_command_gets_his_turn() {
    let tables = scratch();
    let (started, start) = mpsc::channel();
    let other = Tables::open(tables.home.path()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            start.recv().unwrap();
            set_value(&other, "second").unwrap();
        });
        tables
            .edit(&origin("first"), |edit| {
                started.send(()).unwrap();
                std::thread::sleep(Duration::from_millis(200));
                edit.set(table("site"), &["value"], &[("value", "first")])
            })
            .unwrap();
    });
    assert_eq!(tables.site("value").unwrap().as_deref(), Some("second"));
}

#[test]
fn several_first_commands_make_one_database() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().join("made/on/first/use");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| set_value(&Tables::open(&home).unwrap(), "x").unwrap());
        }
    });
    let files: Vec<_> = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["xcrane.db"]);
    assert_eq!(fs::metadata(home.join("xcrane.db")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_no_database_or_damaged_is_called_so() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("xcrane.db");
    let corrupt = format!("database {} is corrupt or not a database of xcrane", path.display());
    fs::write(&path, "this is no database, but it is long enough to be taken for one\n".repeat(200)).unwrap();
    assert_eq!(message(Tables::open(home.path())), corrupt);
    fs::remove_file(&path).unwrap();
    let tables = Tables::open(home.path()).unwrap();
    let nodes: Vec<String> = (0..2000).map(|number| format!("n{number}")).collect();
    let fill = |edit: &mut crate::Edit<'_>| {
        nodes.iter().try_for_each(|node| edit.set(table("hosts"), &[node], &[("hostnames", "10.0.0.1")]).map(drop))
    };
    tables.edit(&origin("mkdef"), fill).unwrap();
    drop(tables);
    let mut bytes = fs::read(&path).unwrap();
    // The first page lists the tables; what they hold follows.
    bytes[4096..].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    let read = Tables::open(home.path()).and_then(|tables| tables.rows(table("hosts"), Select::All));
    assert_eq!(message(read), corrupt);
}

#[test]
fn a_newer_database_is_left_alone() {
    let tables = scratch();
    let store = Store::open(tables.home.path(), Duration::ZERO).unwrap();
    let known: i64 = store.run(|db| db.query_row("PRAGMA user_version", [], |row| row.get(0))).unwrap();
    store.run(|db| db.pragma_update(None, "user_version", 99)).unwrap();
    assert!(
        matches!(Tables::open(tables.home.path()), Err(Error::TooNew { found: 99, known: says, .. }) if says == known)
    );
}

#[test]
fn an_older_database_of_any_age_becomes_as_a_fresh_one() {
    let fresh = scratch();
    let fresh = shape(&Store::open(fresh.home.path(), Duration::ZERO).unwrap());
    for age in 1..MIGRATIONS.len() {
        let home = tempfile::tempdir().unwrap();
        let old = rusqlite::Connection::open(home.path().join("xcrane.db")).unwrap();
        MIGRATIONS[..age].iter().for_each(|migration| old.execute_batch(migration).unwrap());
        old.pragma_update(None, "user_version", age as i64).unwrap();
        old.execute("INSERT INTO site (key, value) VALUES ('value', 'kept')", []).unwrap();
        drop(old);
        let migrated = Tables::open(home.path()).unwrap();
        assert_eq!(migrated.site("value").unwrap().as_deref(), Some("kept"));
        assert_eq!(shape(&Store::open(home.path(), Duration::ZERO).unwrap()), fresh, "after {age} migrations");
    }
}

fn shape(store: &Store) -> Vec<String> {
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY name";
    store.run(|db| db.prepare(sql)?.query_map([], |row| row.get(0))?.collect()).unwrap()
}

#[test]
fn no_space_is_told_and_what_was_there_stays() {
    let tables = scratch();
    set_value(&tables, "kept").unwrap();
    tables.with_store(|store| {
        let pages: i64 = store.run(|db| db.query_row("PRAGMA page_count", [], |row| row.get(0))).unwrap();
        store.run(|db| db.query_row(&format!("PRAGMA max_page_count = {}", pages + 2), [], |_| Ok(()))).unwrap();
    });
    let path = tables.home.path().join("xcrane.db");
    let full = message(set_value(&tables, &"x".repeat(1 << 20)));
    assert_eq!(full, format!("no space left for database {}", path.display()));
    assert_eq!(tables.site("value").unwrap().as_deref(), Some("kept"));
    set_value(&tables, "small").unwrap();
}

#[test]
fn a_home_that_cannot_be_made_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(message(Tables::open(&file.join("home"))), format!("cannot create {}", file.join("home").display()));
}

/// Runs in a child process without privileges: tries to read, then to write, and says what came of it.
#[test]
fn child_without_permission() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let outcome = Tables::open(Path::new(&home)).and_then(|tables| set_value(&tables, "x"));
    println!("\nsaid {}", message(outcome));
}

#[test]
fn a_read_only_file_or_directory_is_told() {
    let home = tempfile::tempdir().unwrap();
    drop(Tables::open(home.path()).unwrap());
    let path = home.path().join("xcrane.db");
    // A user without privileges may not reach the program where it was built.
    let program = home.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let refused = format!("database {} cannot be opened for writing", path.display());
    for (directory, file) in [(0o755, 0o644), (0o755, 0o600), (0o777, 0o444)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(file)).unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(directory)).unwrap();
        assert_eq!(said_without_permission(&program, home.path()), refused, "{directory:o} {file:o}");
    }
}

fn said_without_permission(program: &Path, home: &Path) -> String {
    let mut command = child(program, "child_without_permission", home);
    if nix::unistd::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("said ")).unwrap_or_default().to_owned()
}
