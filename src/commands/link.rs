//! `xcrane link`: a link for every command, so that fingers need not type `xcrane`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Make a link for every command in a directory
#[derive(Debug, Args)]
#[command(
    after_help = "Links that point to this program are made again; anything else of that name is left alone and named.

Examples:
  xcrane link ~/bin
  xcrane link --target xcrane /tmp/stage/usr/bin"
)]
pub(crate) struct Link {
    /// Where to make them
    directory: PathBuf,
    /// What the links point to [default: this program]
    #[arg(long, value_name = "PATH")]
    target: Option<PathBuf>,
}

impl Run for Link {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let target = match &self.target {
            Some(target) => target.clone(),
            None => {
                std::env::current_exe().map_err(|error| Failure::refused(format!("cannot find myself: {error}")))?
            }
        };
        if !self.directory.is_dir() {
            return Err(Failure::refused(format!("{} is not a directory", self.directory.display())));
        }
        let mut outcome = Outcome::Done;
        for command in super::ALL.iter().filter(|command| command.linked) {
            let link = self.directory.join(command.name);
            if let Err(why) = place(&link, &target) {
                cx.ui.error(&format!("cannot make {}: {why}", link.display()));
                outcome = Outcome::SomeFailed;
            }
        }
        Ok(outcome)
    }
}

fn place(link: &Path, target: &Path) -> Result<(), String> {
    match fs::read_link(link) {
        Ok(now) if now == target => return Ok(()),
        // A link of an older installation: same program name, other place.
        Ok(now) if now.file_name() == target.file_name() => fs::remove_file(link).map_err(|error| error.to_string())?,
        Ok(now) => return Err(format!("it is a link to {}", now.display())),
        Err(_) if link.symlink_metadata().is_ok() => return Err("a file of that name is in the way".into()),
        Err(_) => {}
    }
    symlink(target, link).map_err(|error| error.to_string())
}
