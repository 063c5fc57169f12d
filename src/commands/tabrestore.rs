//! `tabrestore`: a table from a CSV file.

use std::path::{Path, PathBuf};

use clap::Args;
use tables::schema::{self, Table};
use tables::{Edit, Row, Select, csv};

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Replace a table by the rows of a CSV file
#[derive(Debug, Args)]
#[command(
    after_help = "The file's name without .csv is the table's. All rows are replaced in one transaction, or none.
A cell that nothing can be made of, such as a MAC address that is none, is refused as by chdef, with its row.
Exit codes, as xCAT's: 1 bad file, 3 no such file, 4 no such table.

Examples:
  tabrestore /backup/nodelist.csv
  tabrestore -a new-rows/mac.csv"
)]
pub(crate) struct Tabrestore {
    /// The file, named TABLE.csv
    file: PathBuf,
    /// Add and update rows, keep the others
    #[arg(short = 'a')]
    append: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Tabrestore {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let name = name.strip_suffix(".csv").unwrap_or(&name);
        let table = schema::find(name).ok_or_else(|| coded(4, format!("Unable to open {name}")))?;
        let text = std::fs::read_to_string(&self.file)
            .map_err(|error| coded(3, format!("cannot read {}: {error}", self.file.display())))?;
        let rows = rows(table, &self.file, &text)?;
        let append = self.append;
        cx.tables()?
            .edit(&cx.origin(self.reason), |edit| if append { add(edit, rows) } else { replace(edit, table, rows) })?;
        Ok(Outcome::Done)
    }
}

fn coded(code: u8, message: String) -> Failure {
    Failure { outcome: Outcome::Code(code), ..Failure::refused(message) }
}

/// The rows of a CSV file; its header decides the columns, all of which must exist.
pub(super) fn rows(table: &'static Table, file: &Path, text: &str) -> Result<Vec<Row>, Failure> {
    let (rows, unknown) = fitting_rows(table, file, text)?;
    match unknown.first() {
        None => Ok(rows),
        Some((column, _)) => Err(Failure::refused(format!(
            "The header line indicates that column '{column}' should exist, which is not defined in the schema for '{}'",
            table.name
        ))),
    }
}

/// A column without a place, and how many values stood in it.
pub(super) type Lost = (String, usize);

/// The rows of a CSV file, and the columns that the table does not have with the number of values lost there.
pub(super) fn fitting_rows(table: &'static Table, file: &Path, text: &str) -> Result<(Vec<Row>, Vec<Lost>), Failure> {
    let at = |error: csv::CsvError| Failure::refused(format!("{}: {error}", file.display()));
    let reader = csv::Reader::new(text).map_err(at)?;
    let positions: Vec<Option<usize>> = reader.columns.iter().map(|column| table.column(column)).collect();
    let columns: Vec<String> = reader.columns.iter().map(|column| column.to_string()).collect();
    let mut lost = vec![0; positions.len()];
    let mut rows = Vec::new();
    for record in reader {
        let record = record.map_err(at)?;
        let mut cells = vec![""; table.columns.len()];
        for (index, cell) in record.cells.iter().enumerate() {
            match positions[index] {
                Some(position) => cells[position] = cell,
                None => lost[index] += usize::from(!cell.is_empty()),
            }
        }
        rows.push(Row::new(table, cells));
    }
    let unknown = columns.into_iter().zip(lost).zip(&positions).filter(|(_, position)| position.is_none());
    Ok((rows, unknown.map(|(column, _)| column).collect()))
}

/// Makes `rows` all that the table holds.
pub(super) fn replace(edit: &mut Edit<'_>, table: &'static Table, rows: Vec<Row>) -> tables::Result<()> {
    edit.delete(table, Select::Stored)?;
    rows.into_iter().try_for_each(|row| edit.insert(row))
}

fn add(edit: &mut Edit<'_>, rows: Vec<Row>) -> tables::Result<()> {
    for row in rows {
        let table = row.table();
        let cells = table.columns.iter().zip(row.cells());
        let cells: Vec<(&str, &str)> = cells.filter_map(|(column, cell)| Some((column.name, cell?))).collect();
        edit.set(table, &row.key(), &cells)?;
    }
    Ok(())
}
