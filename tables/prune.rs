//! Forgetting: the journal and the logs must not grow for ever.
//!
//! None of it is journalled, or the journal would hold for ever what a log is to forget.

use std::time::{Duration, SystemTime};

use rusqlite::{OptionalExtension, params};

use crate::journal::{milliseconds, time_of};
use crate::schema::Table;
use crate::store::Store;
use crate::{Edit, Error, Result, Row, Select, Tables, tables};

/// The setting that limits the age of the journal, in days.
const DAYS: &str = "journaldays";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Which entries of the journal are old.
#[derive(Debug, Clone, Copy)]
pub enum Old {
    All,
    /// So many, the oldest.
    Count(usize),
    /// So many of a hundred, the oldest.
    Percent(u64),
    /// Those before the entry of that number.
    BeforeEntry(i64),
    BeforeTime(SystemTime),
}

impl Tables {
    /// Forgets old entries of the journal; returns how many there were.
    pub fn prune_journal(&self, old: Old) -> Result<usize> {
        let store = self.changeable()?;
        store.write(|| forget(&store, old))
    }

    /// Removes those rows of a log that `chosen` picks out of all; returns them.
    pub fn prune_log(&self, log: &'static Table, chosen: impl FnOnce(Vec<Row>) -> Vec<Row>) -> Result<Vec<Row>> {
        let store = self.changeable()?;
        store.write(|| {
            let mut edit = Edit::new(&store);
            let rows = chosen(edit.rows(log, Select::Stored)?);
            for row in &rows {
                let key: Vec<_> = log.keys().map(|column| column.name).zip(row.key()).collect();
                edit.delete(log, Select::Where(&key))?;
            }
            Ok(rows)
        })
    }
}

/// Forgets what is older than the site wants to keep; by default everything is kept.
pub(crate) fn by_age(store: &Store) -> Result<()> {
    let days = tables::site(store, DAYS)?.and_then(|text| text.parse::<u32>().ok()).filter(|days| *days > 0);
    let oldest = days.and_then(|days| SystemTime::now().checked_sub(DAY * days));
    oldest.map_or(Ok(()), |oldest| forget(store, Old::BeforeTime(oldest)).map(drop))
}

/// Forgets what was seen of a node, or of strangers, but the last rows.
pub(crate) fn boot_events_of(store: &Store, node: &str, keep: usize) -> Result<()> {
    let sql = "DELETE FROM bootevent WHERE COALESCE(\"node\", '') = ?1 AND rowid <= \
               (SELECT rowid FROM bootevent WHERE COALESCE(\"node\", '') = ?1 ORDER BY rowid DESC LIMIT 1 OFFSET ?2)";
    let keep = i64::try_from(keep).unwrap_or(i64::MAX);
    store.run(|db| db.prepare_cached(sql)?.execute(params![node, keep])).map(drop)
}

/// Forgets what was seen of machines before that time.
pub(crate) fn boot_events_before(store: &Store, time: &str) -> Result<()> {
    store.run(|db| db.execute("DELETE FROM bootevent WHERE time < ?", [time])).map(drop)
}

/// Why a setting of the site makes no sense, where it is about this.
pub(crate) fn fault_of_setting(key: &str, value: &str) -> Option<String> {
    let good = value.parse::<u32>().is_ok_and(|days| days > 0);
    (key == DAYS && !good).then(|| "it is not a number of days".into())
}

/// Refuses a time of which the journal cannot tell any more.
pub(crate) fn check_remembered(store: &Store, time: SystemTime) -> Result<()> {
    let sql = "SELECT time FROM journal_forgotten";
    let forgotten = store.run(|db| db.query_row(sql, [], |row| row.get(0)).optional())?.map(time_of);
    match forgotten.filter(|forgotten| time < *forgotten) {
        None => Ok(()),
        Some(_) => Err(Error::Forgotten),
    }
}

fn forget(store: &Store, old: Old) -> Result<usize> {
    let Some(last) = last_of(store, old)? else { return Ok(0) };
    let time: Option<i64> =
        store.run(|db| db.query_row("SELECT max(time) FROM journal WHERE id <= ?", [last], |row| row.get(0)))?;
    let Some(time) = time else { return Ok(0) };
    let remember = "INSERT INTO journal_forgotten (one, time) VALUES (1, ?) \
                    ON CONFLICT (one) DO UPDATE SET time = max(time, excluded.time)";
    store.run(|db| db.execute(remember, params![time]))?;
    store.run(|db| db.execute("DELETE FROM journal_change WHERE journal <= ?", [last]))?;
    store.run(|db| db.execute("DELETE FROM journal WHERE id <= ?", [last]))
}

/// The newest of the old entries; it and all before it go.
fn last_of(store: &Store, old: Old) -> Result<Option<i64>> {
    let ask = |sql: &str, value: i64| store.run(|db| db.prepare_cached(sql)?.query_row([value], |row| row.get(0)));
    let nth = |count: i64| match count {
        0 => Ok(None),
        _ => ask("SELECT max(id) FROM (SELECT id FROM journal ORDER BY id LIMIT ?)", count),
    };
    match old {
        Old::All => nth(i64::MAX),
        Old::Count(count) => nth(i64::try_from(count).unwrap_or(i64::MAX)),
        Old::Percent(percent) => {
            let percent = i64::try_from(percent.min(100)).unwrap_or(100);
            nth(ask("SELECT count(*) * ? / 100 FROM journal", percent)?.unwrap_or(0))
        }
        Old::BeforeEntry(id) => ask("SELECT max(id) FROM journal WHERE id < ?", id),
        Old::BeforeTime(time) => ask("SELECT max(id) FROM journal WHERE time < ?", milliseconds(time)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Filter;
    use crate::schema;
    use crate::tables::tests::{Scratch, origin, scratch};

    fn set(tables: &Scratch, setting: &str, value: &str) {
        let site = schema::find("site").unwrap();
        tables.edit(&origin("chdef"), |edit| edit.set(site, &[setting], &[("value", value)])).unwrap();
    }

    /// A journal of ten entries, the first five of a month ago.
    fn journal() -> Scratch {
        let tables = scratch();
        (1..=10).for_each(|number| set(&tables, "master", &number.to_string()));
        let month = i64::try_from((DAY * 30).as_millis()).unwrap();
        tables.with_store(|store| {
            let sql = "UPDATE journal SET time = time - ? WHERE id <= 5";
            store.run(|db| db.execute(sql, [month])).unwrap();
        });
        tables
    }

    fn entries(tables: &Scratch) -> Vec<i64> {
        tables.journal(&Filter::default()).unwrap().iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn old_entries_go() {
        let ago = |days| SystemTime::now() - DAY * days;
        for (old, left) in [
            (Old::All, 11),
            (Old::Count(0), 1),
            (Old::Count(3), 4),
            (Old::Count(99), 11),
            (Old::Percent(50), 6),
            (Old::BeforeEntry(9), 9),
            (Old::BeforeEntry(-1), 1),
            (Old::BeforeTime(ago(1)), 6),
            (Old::BeforeTime(ago(60)), 1),
        ] {
            let tables = journal();
            assert_eq!(tables.prune_journal(old).unwrap(), left - 1, "{old:?}");
            let left: Vec<i64> = (i64::try_from(left).unwrap()..=10).collect();
            assert_eq!(entries(&tables), left, "{old:?}");
            tables.with_store(|store| {
                let orphans = "SELECT count(*) FROM journal_change WHERE journal NOT IN (SELECT id FROM journal)";
                let orphans: i64 = store.run(|db| db.query_row(orphans, [], |row| row.get(0))).unwrap();
                assert_eq!(orphans, 0, "{old:?}");
            });
        }
    }

    #[test]
    fn the_site_may_limit_its_age() {
        let tables = journal();
        set(&tables, "journaldays", "60");
        assert_eq!(entries(&tables).len(), 11);
        set(&tables, "journaldays", "7");
        assert_eq!(entries(&tables), [6, 7, 8, 9, 10, 11, 12]);
        // Not by a row's writer, whose doing must not fail for this.
        let site = schema::find("site").unwrap();
        let soon = |edit: &mut Edit<'_>| {
            edit.delete(site, Select::Keys(&["journaldays"]))?;
            edit.take(Row::new(site, ["journaldays", "soon"]))
        };
        tables.edit(&origin("restorexCATdb"), soon).unwrap();
        assert_eq!(entries(&tables).len(), 8);
        assert!(fault_of_setting("journaldays", "soon").is_some() && fault_of_setting("journaldays", "7").is_none());
    }

    #[test]
    fn what_was_forgotten_cannot_be_asked_for() {
        let tables = journal();
        let before = SystemTime::now() - DAY * 31;
        assert!(tables.at(before).is_ok());
        tables.prune_journal(Old::Count(2)).unwrap();
        assert!(matches!(tables.at(before), Err(Error::Forgotten)));
        assert_eq!(tables.at(SystemTime::now() - DAY).unwrap().site("master").unwrap().as_deref(), Some("5"));
        assert!(matches!(
            tables.undo(&Filter { ids: Some(&[2]), ..Filter::default() }, &origin("defundo")),
            Err(Error::NoSuchEntry { .. })
        ));
    }
}
