//! `deflog`: who changed the tables, when, how and why.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tables::journal::{Change, Entry, Filter};
use tables::schema::{self, Kind};

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Show who changed the tables, when, how and why
#[derive(Debug, Args)]
#[command(after_help = "Oldest first. A number is what defundo takes.

Examples:
  deflog -n 20               the last twenty changes
  deflog n1 -l               everything that was done to n1, cell by cell
  deflog --since 2026-11-01 --json")]
pub(crate) struct Deflog {
    /// Only changes of this node, group, image or setting
    name: Option<String>,
    /// Only the newest N
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,
    /// Only from this time on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only until this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Show every changed cell, old and new
    #[arg(short = 'l', long)]
    long: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Run for Deflog {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let time = |text: &Option<String>| text.as_deref().map(parse_time).transpose();
        let filter = Filter {
            key: self.name.as_deref(),
            since: time(&self.since)?,
            until: time(&self.until)?,
            last: self.last,
            ..Filter::default()
        };
        for mut entry in cx.tables()?.journal(&filter)? {
            let rows = entry.changes.len();
            if let Some(name) = &self.name {
                entry.changes.retain(|change| change.key.contains(name));
            }
            if self.json {
                cx.ui.line(&to_json(&entry).to_string());
                continue;
            }
            cx.ui.line(&headline(&entry, rows));
            if self.long {
                entry.changes.iter().flat_map(cells).for_each(|line| cx.ui.line(&format!("    {line}")));
            }
        }
        Ok(Outcome::Done)
    }
}

/// A point in time as people write it: `2026-11-21`, `2026-11-21 04:48`, with seconds, or with a zone as RFC 3339 has it.
pub(super) fn parse_time(text: &str) -> Result<SystemTime, Failure> {
    let zoned = || text.parse::<Timestamp>().ok();
    let local = || {
        let read = |format| jiff::civil::DateTime::strptime(format, text).ok();
        let time = read("%Y-%m-%d %H:%M:%S").or_else(|| read("%Y-%m-%d %H:%M")).or_else(|| text.parse().ok())?;
        Some(time.to_zoned(TimeZone::system()).ok()?.timestamp())
    };
    let time = zoned().or_else(local);
    time.map(SystemTime::from).ok_or_else(|| {
        Failure::usage(format!("'{text}' is not a time")).hint("write it as 2026-11-21 or '2026-11-21 04:48:27'")
    })
}

/// `rows` is how many the command changed in all, of which the entry may hold those asked for.
fn headline(entry: &Entry, rows: usize) -> String {
    let origin = &entry.origin;
    let reason = origin.reason.as_ref().map(|reason| format!("  ({reason})")).unwrap_or_default();
    let plural = if rows == 1 { "row" } else { "rows" };
    format!("{} {} {} {rows} {plural}: {}{reason}", entry.id, shown(entry.time), origin.user, origin.command)
}

fn shown(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or_default().to_zoned(TimeZone::system());
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `nodehm n1: mgt: ipmi -> docker`, one line a cell; passwords as stars. A row that says no more than its key was added
/// or removed.
fn cells(change: &Change) -> Vec<String> {
    let row = format!("{} {}", change.table, key(change).join(","));
    let none = BTreeMap::new();
    let (before, after) = (change.before.as_ref().unwrap_or(&none), change.after.as_ref().unwrap_or(&none));
    let cell = |cells: &BTreeMap<String, String>, column: &str| match cells.get(column) {
        None => "-".to_owned(),
        Some(_) if is_secret(&change.table, column) => "***".to_owned(),
        Some(value) => value.clone(),
    };
    let columns: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = columns.into_iter().filter(|column| before.get(*column) != after.get(*column));
    let lines: Vec<String> = changed
        .filter(|column| !is_key(&change.table, column))
        .map(|column| format!("{row}: {column}: {} -> {}", cell(before, column), cell(after, column)))
        .collect();
    match (lines.is_empty(), &change.after) {
        (false, _) => lines,
        (true, Some(_)) => vec![format!("{row}: added")],
        (true, None) => vec![format!("{row}: removed")],
    }
}

/// The key cells; a token is a key and a secret.
fn key(change: &Change) -> Vec<&str> {
    let columns = schema::find(&change.table).into_iter().flat_map(|table| table.keys()).map(|column| column.kind);
    let kinds = columns.map(Some).chain(std::iter::repeat(None));
    change.key.iter().zip(kinds).map(|(cell, kind)| if kind == Some(Kind::Secret) { "***" } else { cell }).collect()
}

fn is_key(table: &str, column: &str) -> bool {
    schema::find(table).is_some_and(|table| table.keys().any(|known| known.name == column))
}

fn is_secret(table: &str, column: &str) -> bool {
    let column = schema::find(table).and_then(|table| table.columns.iter().find(|known| known.name == column));
    column.is_some_and(|column| column.kind == Kind::Secret)
}

fn to_json(entry: &Entry) -> Value {
    let masked = |table: &str, cells: &Option<BTreeMap<String, String>>| -> Value {
        let Some(cells) = cells else { return Value::Null };
        let cell = |(column, value): (&String, &String)| {
            let value = if is_secret(table, column) { "***" } else { value };
            (column.clone(), Value::from(value))
        };
        Value::Object(cells.iter().map(cell).collect())
    };
    let changes: Vec<Value> = entry
        .changes
        .iter()
        .map(|change| {
            let (old, new) = (masked(&change.table, &change.before), masked(&change.table, &change.after));
            json!({ "table": change.table, "key": key(change), "old": old, "new": new })
        })
        .collect();
    json!({
        "id": entry.id,
        "time": Timestamp::try_from(entry.time).unwrap_or_default().to_string(),
        "user": entry.origin.user,
        "command": entry.origin.command,
        "reason": entry.origin.reason,
        "changes": changes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        for text in ["2026-11-21", "2026-11-21 04:48", "2026-11-21 04:48:27", "2026-11-21T04:48:27Z"] {
            assert!(parse_time(text).is_ok(), "{text}");
        }
        assert!(parse_time("yesterday").is_err());
    }

    #[test]
    fn passwords_are_not_shown() {
        let row = |password: &str| Some(BTreeMap::from([("password".to_owned(), password.to_owned())]));
        let change = Change { table: "ipmi".into(), key: vec!["n1".into()], before: row("old"), after: row("new") };
        assert_eq!(cells(&change), ["ipmi n1: password: *** -> ***"]);
    }
}
