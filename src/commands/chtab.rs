//! `chtab`: cells of one row.

use clap::Args;
use tables::schema::Table;
use tables::{Edit, Select};

use super::{Run, tabdump};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Set or remove cells of a table's row
#[derive(Debug, Args)]
#[command(after_help = "The row is made when there is none. Silent on success.

Examples:
  chtab key=domain site.value=cluster.org
  chtab node=n1 nodehm.mgt=ipmi nodehm.cons=ipmi
  chtab -d node=n1 nodehm")]
pub(crate) struct Chtab {
    /// Which row: COLUMN=VALUE, several by comma
    #[arg(value_name = "KEY=VALUE")]
    key: String,
    /// TABLE.COLUMN=VALUE to set; with -d the tables
    #[arg(value_name = "TABLE.COLUMN=VALUE", required = true)]
    changes: Vec<String>,
    /// Remove the row from the tables
    #[arg(short = 'd')]
    delete: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Chtab {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let key = keys(&self.key)?;
        let changes = self.changes.iter().map(|text| change(text, self.delete)).collect::<Result<Vec<_>, _>>()?;
        for (table, ..) in &changes {
            known_columns(table, &key)?;
        }
        cx.tables()?.edit(&cx.origin(self.reason.clone()), |edit| self.apply(edit, &key, &changes))?;
        Ok(Outcome::Done)
    }
}

/// A table, and the column and value to set there.
type Change<'a> = (&'static Table, &'a str, &'a str);

impl Chtab {
    fn apply(&self, edit: &mut Edit<'_>, key: &[(&str, &str)], changes: &[Change<'_>]) -> tables::Result<()> {
        for (table, column, value) in changes {
            if self.delete {
                edit.delete(table, Select::Where(key))?;
            } else {
                edit.set_where(table, key, &[(column, value)])?;
            }
        }
        Ok(())
    }
}

/// `a=1,b=2`.
pub(super) fn keys(text: &str) -> Result<Vec<(&str, &str)>, Failure> {
    let pair = |pair: &'_ str| -> Result<(usize, usize), Failure> {
        let split = pair.find('=').filter(|split| *split > 0);
        split
            .map(|split| (split, split + 1))
            .ok_or_else(|| Failure::usage(format!("'{pair}' is not of the form column=value")))
    };
    text.split(',').map(|part| pair(part).map(|(end, start)| (&part[..end], &part[start..]))).collect()
}

pub(super) fn known_columns(table: &Table, key: &[(&str, &str)]) -> Result<(), Failure> {
    match key.iter().find(|(column, _)| table.column(column).is_none()) {
        Some((column, _)) => Err(Failure::refused(format!("table {} has no column '{column}'", table.name))),
        None => Ok(()),
    }
}

fn change(text: &str, delete: bool) -> Result<Change<'_>, Failure> {
    if delete {
        return Ok((tabdump::find(text)?, "", ""));
    }
    let form = || Failure::usage(format!("'{text}' is not of the form table.column=value"));
    let (place, value) = text.split_once('=').ok_or_else(form)?;
    let (table, column) = place.split_once('.').ok_or_else(form)?;
    let table = tabdump::find(table)?;
    known_columns(table, &[(column, "")])?;
    Ok((table, column, value))
}
