//! `xcrane man`: the man pages, from the same definitions as `--help`.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::Run;
use crate::cli;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Write a man page for every command into a directory
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where to write them, such as /usr/share/man/man1
    directory: PathBuf,
}

impl Run for Man {
    async fn run(self, _: &Context) -> Result<Outcome, Failure> {
        self.write(cli::tree(), "xcrane")?;
        for command in super::ALL {
            let name = if command.linked { command.name.to_owned() } else { format!("xcrane-{}", command.name) };
            self.write(command.parser(), &name)?;
        }
        Ok(Outcome::Done)
    }
}

impl Man {
    fn write(&self, command: clap::Command, name: &str) -> Result<(), Failure> {
        let path = self.directory.join(format!("{name}.1"));
        let refused = |error: std::io::Error| Failure::refused(format!("cannot write {}: {error}", path.display()));
        let mut page = Vec::new();
        clap_mangen::Man::new(command.name(name.to_owned()).disable_help_subcommand(true))
            .render(&mut page)
            .map_err(refused)?;
        fs::write(&path, page).map_err(refused)
    }
}
