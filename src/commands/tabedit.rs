//! `tabedit`: a table in an editor.

use std::process::Command;

use clap::Args;
use tables::Select;

use super::{Run, tabdump, tabrestore};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Edit a table in $TABEDITOR, $EDITOR or vi
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is written unless the text was changed. A text that cannot be restored is kept and named, and
a table that another command changed meanwhile is not overwritten.

Examples:
  tabedit site"
)]
pub(crate) struct Tabedit {
    /// The table
    table: String,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Tabedit {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let table = tabdump::find(&self.table)?;
        if table.is_log() {
            return Err(
                Failure::refused(format!("table {} is not for editing", table.name)).hint("prune it with tabprune")
            );
        }
        let before = cx.tables()?.rows(table, Select::Stored)?;
        let text = tables::csv::table(table, &before);
        let directory = std::env::temp_dir().join(format!("tabedit-{}", std::process::id()));
        let file = directory.join(format!("{}.csv", table.name));
        let refused = |error: std::io::Error| Failure::refused(format!("cannot write {}: {error}", file.display()));
        private_directory(&directory).map_err(refused)?;
        std::fs::write(&file, &text).map_err(refused)?;
        run_editor(&file)?;
        let edited = std::fs::read_to_string(&file).map_err(refused)?;
        if edited != text {
            let kept = |failure: Failure| failure.hint(format!("what you wrote is kept in {}", file.display()));
            let rows = tabrestore::rows(table, &file, &edited).map_err(kept)?;
            let written = cx.tables()?.edit(&cx.origin(self.reason), |edit| {
                if edit.rows(table, Select::Stored)? != before {
                    return Ok(false);
                }
                tabrestore::replace(edit, table, rows).map(|()| true)
            });
            if !written.map_err(|error| kept(error.into()))? {
                return Err(kept(Failure::refused(format!("table {} was changed meanwhile", table.name))));
            }
        }
        std::fs::remove_dir_all(&directory).map_err(refused)?;
        Ok(Outcome::Done)
    }
}

/// Tables hold passwords: nobody else may look.
fn private_directory(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

fn run_editor(file: &std::path::Path) -> Result<(), Failure> {
    let chosen =
        ["TABEDITOR", "EDITOR"].iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty());
    let editor = chosen.unwrap_or_else(|| "vi".into());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    match Command::new(program).args(words).arg(file).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::refused(format!("{editor} ended with {status}; nothing was changed"))),
        Err(error) => Err(Failure::refused(format!("cannot start {editor}: {error}")).hint("set EDITOR")),
    }
}
