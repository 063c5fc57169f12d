//! `tabprune`: old rows out of the logs.

use clap::{ArgGroup, Args};
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use tables::schema::Table;
use tables::{Row, Select};

use super::{Run, tabdump};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Remove old rows from auditlog or eventlog
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true), after_help = "Examples:
  tabprune auditlog -n 1000  remove the oldest thousand
  tabprune eventlog -d 30    remove what is older than thirty days
  tabprune eventlog -a -V    print what is removed, as CSV")]
pub(crate) struct Tabprune {
    /// auditlog or eventlog
    table: String,
    /// Remove all rows
    #[arg(short = 'a', group = "what")]
    all: bool,
    /// Remove the oldest N rows
    #[arg(short = 'n', value_name = "N", group = "what")]
    oldest: Option<usize>,
    /// Remove all rows before this record
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
        let table = tabdump::find(&self.table)?;
        if !matches!(table.name, "auditlog" | "eventlog") {
            return Err(Failure::refused(format!("table {} is no log; tabprune is for auditlog and eventlog", table.name)));
        }
        let removed = cx.tables()?.edit(&cx.origin(None), |edit| {
            let rows = self.chosen(edit.rows(table, Select::Stored)?, table);
            for row in &rows {
                edit.delete(table, Select::Where(&[("recid", row.key()[0])]))?;
            }
            Ok(rows)
        })?;
        if cx.verbose {
            cx.ui.write(tabdump::to_csv(table, &removed).as_bytes());
        }
        Ok(Outcome::Done)
    }
}

impl Tabprune {
    fn chosen(&self, mut rows: Vec<Row>, table: &Table) -> Vec<Row> {
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
            let column = if table.name == "auditlog" { "audittime" } else { "eventtime" };
            let limit = SignedDuration::from_hours(24 * i64::from(days));
            let now = Timestamp::now();
            rows.retain(|row| row.get(column).and_then(logged_at).is_some_and(|at| now.duration_since(at) > limit));
        }
        rows
    }
}

fn recid(row: &Row) -> u64 {
    row.key()[0].parse().unwrap_or(0)
}

/// xCAT writes the local time: `11-21-2026 04:48:27`, in old dumps `2026-11-21 04:48:27`.
fn logged_at(text: &str) -> Option<Timestamp> {
    let read = |format| civil::DateTime::strptime(format, text).ok();
    let time = read("%m-%d-%Y %H:%M:%S").or_else(|| read("%Y-%m-%d %H:%M:%S"))?;
    Some(time.to_zoned(TimeZone::system()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_time_are_read() {
        assert!(logged_at("11-21-2026 04:48:27").is_some());
        assert_eq!(logged_at("11-21-2026 04:48:27"), logged_at("2026-11-21 04:48:27"));
        assert_eq!(logged_at("yesterday"), None);
    }
}
