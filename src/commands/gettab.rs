//! `gettab`: cells of one row, as they are stored.

use clap::Args;
use tables::Select;

use super::{Run, chtab, tabdump};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Print cells of a table's row, as stored
#[derive(Debug, Args)]
#[command(after_help = "One cell is printed bare, several as table.column: value; an unset one not at all.

Examples:
  gettab key=domain site.value
  gettab node=n1 nodehm.mgt nodehm.cons")]
pub(crate) struct Gettab {
    /// Which row: COLUMN=VALUE, several by comma
    #[arg(value_name = "KEY=VALUE")]
    key: String,
    /// The cells
    #[arg(value_name = "TABLE.COLUMN", required = true)]
    cells: Vec<String>,
    /// Print table.column also before a single cell
    #[arg(short = 'H')]
    header: bool,
}

impl Run for Gettab {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let key = chtab::keys(&self.key)?;
        let header = self.header || self.cells.len() > 1;
        for cell in &self.cells {
            let form = || Failure::usage(format!("'{cell}' is not of the form table.column"));
            let (table, column) = cell.split_once('.').ok_or_else(form)?;
            let table = tabdump::find(table)?;
            chtab::known_columns(table, &key)?;
            chtab::known_columns(table, &[(column, "")])?;
            let rows = cx.tables()?.rows(table, Select::Where(&key))?;
            let Some(value) = rows.iter().find_map(|row| row.get(column)) else { continue };
            if header {
                cx.ui.line(&format!("{cell}: {value}"));
            } else {
                cx.ui.line(value);
            }
        }
        Ok(Outcome::Done)
    }
}
