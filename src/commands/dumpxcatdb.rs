//! `dumpxCATdb`: every table as CSV, as xCAT dumps them.

use std::path::PathBuf;

use clap::Args;
use tables::{Select, csv, schema};

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::own_file;

/// Write every table as CSV into a directory
#[derive(Debug, Args)]
#[command(after_help = "Passwords are among what is written: the files can be read by their owner only, and so can the
directory where it is made.

Examples:
  dumpxCATdb -p /backup/tables")]
pub(crate) struct Dumpxcatdb {
    /// The directory; made when it is not there
    #[arg(short = 'p', long, value_name = "DIR")]
    path: PathBuf,
    /// Also the logs
    #[arg(short = 'a')]
    all: bool,
}

impl Run for Dumpxcatdb {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        use std::os::unix::fs::DirBuilderExt;
        let refused =
            |error: std::io::Error| Failure::refused(format!("cannot write in {}: {error}", self.path.display()));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(refused)?;
        for table in schema::ALL {
            if table.is_log() && !self.all {
                continue;
            }
            let rows = cx.tables()?.rows(table, Select::Stored)?;
            let file = self.path.join(format!("{}.csv", table.name));
            own_file::write(&file, csv::table(table, &rows).as_bytes()).map_err(refused)?;
            if cx.verbose {
                cx.ui.note(&format!("{}: {} rows", table.name, rows.len()));
            }
        }
        Ok(Outcome::Done)
    }
}
