//! `tabedit`: a table in an editor.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use tables::Select;

use super::{Run, tabdump, tabrestore};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::own_file;

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
        let mut scratch = Scratch::make()?;
        let file = scratch.directory.join(format!("{}.csv", table.name));
        let refused =
            |what: &str, error: std::io::Error| Failure::refused(format!("cannot {what} {}: {error}", file.display()));
        own_file::write(&file, text.as_bytes()).map_err(|error| refused("write", error))?;
        // Ctrl-C is the editor's: we are there when it has ended, to take the text away.
        let keyboard = cx.keyboard();
        let ended = run_editor(&file);
        cx.give_back(keyboard);
        ended?;
        scratch.is_kept = true;
        let kept = |failure: Failure| failure.hint(format!("what you wrote is kept in {}", file.display()));
        let edited = std::fs::read_to_string(&file).map_err(|error| kept(refused("read", error)))?;
        if edited != text {
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
        scratch.remove()?;
        Ok(Outcome::Done)
    }
}

/// The directory of the text, which goes unless somebody's work is in it: tables hold passwords.
struct Scratch {
    directory: PathBuf,
    is_kept: bool,
}

impl Scratch {
    fn make() -> Result<Self, Failure> {
        let directory = std::env::temp_dir().join(format!("tabedit-{}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => Ok(Self { directory, is_kept: false }),
            Err(error) => Err(Failure::refused(format!("cannot make {}: {error}", directory.display()))),
        }
    }

    fn remove(mut self) -> Result<(), Failure> {
        self.is_kept = true;
        std::fs::remove_dir_all(&self.directory)
            .map_err(|error| Failure::refused(format!("cannot remove {}: {error}", self.directory.display())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.is_kept {
            std::fs::remove_dir_all(&self.directory).ok(); // what went wrong before is told
        }
    }
}

fn run_editor(file: &Path) -> Result<(), Failure> {
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
