//! `restorexCATdb`: every table from a dump, xCAT's or ours.

use std::path::{Path, PathBuf};

use clap::Args;
use tables::schema::{self, Table};
use tables::{Edit, Row, Select};

use super::{Run, tabrestore};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Replace tables by a directory of CSV files, such as an xCAT site's dump
#[derive(Debug, Args)]
#[command(
    after_help = "All files are read before anything is written, and written in one transaction. Tables and columns that
xcrane does not have are left out and named; --strict refuses them. A cell that nothing can be made of, such as a MAC
address that is none, is restored as it stands and named; --strict refuses that too.

Examples:
  dumpxCATdb -p /tmp/dump    on the xCAT management node
  restorexCATdb -p /tmp/dump here"
)]
pub(crate) struct Restorexcatdb {
    /// The directory
    #[arg(short = 'p', long, value_name = "DIR")]
    path: PathBuf,
    /// Also the logs
    #[arg(short = 'a')]
    all: bool,
    /// Refuse the dump when something of it has no place
    #[arg(long)]
    strict: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

/// A table of the dump and what it is to hold.
type Restored = (&'static Table, Vec<Row>);

impl Run for Restorexcatdb {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let mut unmapped = Vec::new();
        let mut restored: Vec<Restored> = Vec::new();
        for file in files(&self.path)? {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if schema::LOGS.contains(&name.as_str()) && !self.all {
                continue;
            }
            match schema::find(&name) {
                Some(table) => restored.push((table, read(table, &file, &mut unmapped)?)),
                None => unmapped.push(format!("{name}: no such table here")),
            }
        }
        unmapped.iter().for_each(|what| cx.ui.warning(&format!("not restored: {what}")));
        if self.strict && !unmapped.is_empty() {
            return Err(Failure::refused("nothing was restored: not all of the dump has a place"));
        }
        let rows: usize = restored.iter().map(|(_, rows)| rows.len()).sum();
        let count = restored.len();
        let strict = self.strict;
        let told = cx.tables()?.edit(&cx.origin(self.reason), |edit| {
            let told = restored.into_iter().map(|(table, rows)| match strict {
                true => tabrestore::replace(edit, table, rows).map(|()| Vec::new()),
                false => take(edit, table, rows),
            });
            Ok(told.collect::<tables::Result<Vec<_>>>()?.concat())
        })?;
        told.iter().for_each(|what| cx.ui.warning(&format!("restored as it stands: {what}")));
        cx.ui.line(&format!("Restored {rows} rows of {count} tables."));
        Ok(Outcome::Done)
    }
}

/// Makes `rows` all that the table holds, whatever their cells say, and tells of the bad ones: a site does not stay where it was for
/// one of those.
fn take(edit: &mut Edit<'_>, table: &'static Table, rows: Vec<Row>) -> tables::Result<Vec<String>> {
    edit.delete(table, Select::Stored)?;
    let mut told = Vec::new();
    for row in rows {
        told.extend(edit.take(row)?.map(|error| error.to_string()));
    }
    Ok(told)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let refused = |error: std::io::Error| Failure::refused(format!("cannot read {}: {error}", directory.display()));
    let entries = std::fs::read_dir(directory).map_err(refused)?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(refused)?.path();
        if path.extension().is_some_and(|extension| extension == "csv") {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Failure::refused(format!("no .csv files in {}", directory.display())));
    }
    files.sort();
    Ok(files)
}

/// The rows of a file; columns that we do not have are named in `unmapped` where some row fills them.
fn read(table: &'static Table, file: &Path, unmapped: &mut Vec<String>) -> Result<Vec<Row>, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::refused(format!("cannot read {}: {error}", file.display())))?;
    let (rows, unknown) = tabrestore::fitting_rows(table, file, &text)?;
    let lost = unknown.into_iter().filter(|(_, lost)| *lost > 0);
    unmapped.extend(lost.map(|(column, lost)| format!("{}.{column}: no such column here ({lost} values)", table.name)));
    Ok(rows)
}
