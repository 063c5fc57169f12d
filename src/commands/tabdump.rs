//! `tabdump`: a table as CSV, as it is stored.

use std::path::{Path, PathBuf};

use clap::Args;
use tables::criterion::Criterion;
use tables::schema::{self, Table};
use tables::{Select, csv};

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::own_file;

/// Print a table as CSV, or list the tables
#[derive(Debug, Args)]
#[command(after_help = "Values are shown as stored: not inherited, not evaluated; passwords too.

Examples:
  tabdump                    the names of all tables
  tabdump nodelist
  tabdump -d nodehm          what its columns mean
  tabdump -w 'groups=~%rack1%' nodelist   =~ is SQL's LIKE here")]
pub(crate) struct Tabdump {
    /// The table
    table: Option<String>,
    /// Describe the tables, or the columns of TABLE
    #[arg(short = 'd')]
    describe: bool,
    /// Write to a file, which only its owner can read
    #[arg(short = 'f', value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only the newest N rows (auditlog, bootevent, eventlog, imageledger)
    #[arg(short = 'n', value_name = "N")]
    newest: Option<usize>,
    /// Only rows that fulfil this; == != < <= > >= =~ !~, the last two as SQL's LIKE
    #[arg(short = 'w', value_name = "COLUMN<OP>VALUE", action = clap::ArgAction::Append)]
    wanted: Vec<String>,
}

impl Run for Tabdump {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let table = self.table.as_deref().map(find).transpose()?;
        let text = match table {
            None if self.describe => describe_all(),
            None => schema::ALL.iter().map(|table| format!("{}\n", table.name)).collect(),
            Some(table) if self.describe => describe(table),
            Some(table) => self.dump(cx, table)?,
        };
        match &self.file {
            None => cx.ui.write(text.as_bytes()),
            Some(path) => write(path, text.as_bytes())
                .map_err(|error| Failure::refused(format!("cannot write {}: {error}", path.display())))?,
        }
        Ok(Outcome::Done)
    }
}

impl Tabdump {
    fn dump(&self, cx: &Context, table: &'static Table) -> Result<String, Failure> {
        let is_log = table.is_log();
        if self.newest.is_some() && !is_log {
            return Err(Failure::usage("-n goes with auditlog, eventlog and imageledger only"));
        }
        let wanted = criteria(table, &self.wanted)?;
        // A condition is a question about what counts; a plain dump shows what is there.
        let select = if wanted.is_empty() { Select::Stored } else { Select::All };
        let mut rows = cx.tables()?.rows(table, select)?;
        rows.retain(|row| wanted.iter().all(|criterion| criterion.matches(row.get(&criterion.key))));
        if let Some(newest) = self.newest {
            rows.drain(..rows.len().saturating_sub(newest));
        }
        if rows.is_empty() && table.name == "auditlog" {
            return Ok("Nothing to display from auditlog.\n".into());
        }
        Ok(csv::table(table, &rows))
    }
}

/// Tables hold passwords. What is no file, as a pipe, is written to as it is.
fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => std::fs::write(path, text),
        _ => own_file::write(path, text),
    }
}

/// The table of that name, or xCAT's words that there is none.
pub(super) fn find(name: &str) -> Result<&'static Table, Failure> {
    schema::find(name)
        .ok_or_else(|| Failure::refused(format!("No such table: {name}")).hint("tabdump lists the tables"))
}

fn criteria(table: &Table, wanted: &[String]) -> Result<Vec<Criterion>, Failure> {
    let read = |text: &String| {
        let criterion = Criterion::parse_like(text).map_err(|error| Failure::usage(error.to_string()))?;
        match table.column(&criterion.key) {
            Some(_) => Ok(criterion),
            None => Err(Failure::usage(format!("table {} has no column '{}'", table.name, criterion.key))),
        }
    };
    wanted.iter().map(read).collect()
}

fn describe_all() -> String {
    schema::ALL.iter().map(|table| format!("{}:\t{}\n", table.name, table.help)).collect()
}

fn describe(table: &Table) -> String {
    table.columns.iter().map(|column| format!("{}:\t{}\n", column.name, column.help)).collect()
}
