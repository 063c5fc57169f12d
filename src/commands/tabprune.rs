//! `tabprune`: old rows out of the logs and old entries out of the journal.

use std::time::{Duration, SystemTime};

use clap::{ArgGroup, Args};
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use tables::Row;
use tables::prune::Old;

use super::{Run, tabdump};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Remove old rows from a log, or old entries from the journal
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true), after_help = "Examples:
  tabprune auditlog -n 1000  remove the oldest thousand
  tabprune eventlog -d 30    remove what is older than thirty days
  tabprune imageledger -d 365 the same of what nodes ran
  tabprune eventlog -a -V    print what is removed, as CSV
  tabprune journal -d 365    forget changes older than a year: deflog, defundo and lsdef --at reach back no further
  chdef -t site journaldays=365   the same, from now on and by itself; by default everything is kept")]
pub(crate) struct Tabprune {
    /// auditlog, bootevent, eventlog, imageledger or journal
    table: String,
    /// Remove all rows
    #[arg(short = 'a', group = "what")]
    all: bool,
    /// Remove the oldest N rows
    #[arg(short = 'n', value_name = "N", group = "what")]
    oldest: Option<usize>,
    /// Remove all rows before this record, or all entries before this one
    #[arg(short = 'i', value_name = "RECID", group = "what")]
    before: Option<u64>,
    /// Remove the oldest PERCENT of the rows
    #[arg(short = 'p', value_name = "PERCENT", group = "what", value_parser = clap::value_parser!(u64).range(0..=100))]
    percent: Option<u64>,
    /// Remove rows older than this many days
    #[arg(short = 'd', value_name = "DAYS", group = "what")]
    days: Option<u32>,
}

impl Run for Tabprune {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        if self.table == JOURNAL {
            let forgotten = cx.tables()?.prune_journal(self.old())?;
            if cx.verbose {
                cx.ui.line(&format!("{forgotten} entries have been forgotten."));
            }
            return Ok(Outcome::Done);
        }
        let table = tabdump::find(&self.table)?;
        if !table.is_log() {
            let why = format!(
                "table {} is no log; tabprune is for auditlog, bootevent, eventlog, imageledger and journal",
                table.name
            );
            return Err(Failure::refused(why));
        }
        let removed = cx.tables()?.prune_log(table, |rows| self.chosen(rows))?;
        if cx.verbose {
            cx.ui.write(tables::csv::table(table, &removed).as_bytes());
        }
        Ok(Outcome::Done)
    }
}

/// Not a table of the schema: only deflog shows it.
const JOURNAL: &str = "journal";

impl Tabprune {
    fn old(&self) -> Old {
        let ago = |days: u32| SystemTime::now().checked_sub(Duration::from_secs(u64::from(days) * 24 * 60 * 60));
        match (self.oldest, self.before, self.percent, self.days) {
            (Some(count), ..) => Old::Count(count),
            (_, Some(entry), ..) => Old::BeforeEntry(i64::try_from(entry).unwrap_or(i64::MAX)),
            (_, _, Some(percent), _) => Old::Percent(percent),
            (_, _, _, Some(days)) => Old::BeforeTime(ago(days).unwrap_or(SystemTime::UNIX_EPOCH)),
            _ => Old::All,
        }
    }

    fn chosen(&self, mut rows: Vec<Row>) -> Vec<Row> {
        rows.sort_by_key(recid);
        let oldest = match (self.oldest, self.percent) {
            (Some(count), _) => count,
            (_, Some(percent)) => rows.len() * usize::try_from(percent).unwrap_or(100) / 100,
            _ => rows.len(),
        };
        rows.truncate(oldest);
        if let Some(before) = self.before {
            rows.retain(|row| recid(row) < before);
        }
        if let Some(days) = self.days {
            let limit = SignedDuration::from_hours(24 * i64::from(days));
            let now = Timestamp::now();
            rows.retain(|row| row.cell(1).and_then(logged_at).is_some_and(|at| now.duration_since(at) > limit));
        }
        rows
    }
}

fn recid(row: &Row) -> u64 {
    row.key()[0].parse().unwrap_or(0)
}

/// xCAT writes the local time: `11-21-2026 04:48:27`, in old dumps `2026-11-21 04:48:27`; logs of ours are in UTC.
fn logged_at(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let read = |format| civil::DateTime::strptime(format, text).ok();
    let time = read("%m-%d-%Y %H:%M:%S").or_else(|| read("%Y-%m-%d %H:%M:%S"))?;
    Some(time.to_zoned(TimeZone::system()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_time_are_read() {
        assert!(logged_at("11-21-2026 04:48:27").is_some());
        assert_eq!(logged_at("11-21-2026 04:48:27"), logged_at("2026-11-21 04:48:27"));
        assert_eq!(logged_at("2026-11-21T04:48:27Z").map(Timestamp::as_second), Some(1_795_236_507));
        assert_eq!(logged_at("yesterday"), None);
    }
}
