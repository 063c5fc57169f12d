//! Roots that are kept because others begin as they do: a directory for each, named after all that it was made of. Images tell which
//! they were made from last; what none tells goes.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::place::Place;
use super::program::{self, Program};
use crate::config;
use crate::context::Context;
use crate::failure::Failure;

const PAUSE: Duration = Duration::from_millis(500);

pub(crate) struct Stages {
    directory: PathBuf,
}

impl Stages {
    pub(crate) fn open() -> Result<Self, Failure> {
        let stages = Self { directory: config::home()?.join("stages") };
        fs::create_dir_all(stages.users()).map_err(|error| stages.failed("write", &error))?;
        Ok(stages)
    }

    pub(crate) fn place(&self, key: &str) -> PathBuf {
        self.directory.join(key)
    }

    /// The right to read or make one, once no other run has it.
    pub(crate) async fn take(&self, cx: &Context, key: &str) -> Result<Place, Failure> {
        let (start, limit) = (Instant::now(), cx.settings()?.transfer_limit);
        loop {
            match Place::take(&self.place(key)) {
                Err(failure) if start.elapsed() > limit => return Err(failure),
                Err(failure) if !failure.message.starts_with("another run is making ") => return Err(failure),
                Err(_) => tokio::time::sleep(PAUSE).await,
                Ok(place) => return Ok(place),
            }
        }
    }

    /// Writes down what an image was made from; what no image is made from any more goes.
    pub(crate) fn keep(&self, image: &str, keys: &[&str]) -> Result<(), Failure> {
        fs::write(self.users().join(image), keys.join("\n")).map_err(|error| self.failed("write", &error))?;
        self.sweep()
    }

    /// An image is no more.
    pub(crate) fn forget(&self, image: &str) -> Result<(), Failure> {
        match fs::remove_file(self.users().join(image)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed("write", &error)),
            _ => self.sweep(),
        }
    }

    fn sweep(&self) -> Result<(), Failure> {
        let failed = |error: io::Error| self.failed("read", &error);
        let mut used = HashSet::new();
        for entry in fs::read_dir(self.users()).map_err(failed)? {
            let text = fs::read_to_string(entry.map_err(failed)?.path()).map_err(failed)?;
            used.extend(text.lines().map(str::to_owned));
        }
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            // `.KEY.new` is what a killed run has left.
            let key = name.trim_start_matches('.').split('.').next().unwrap_or_default();
            let is_one = key.len() == 32 && !name.ends_with(".lock");
            if is_one && !used.contains(key) {
                // One that is at work is looked at by whoever comes next.
                Place::take(&self.place(key)).and_then(Place::discard).ok();
            }
        }
        Ok(())
    }

    /// A file for this process alone.
    pub(super) fn scratch(&self) -> PathBuf {
        self.directory.join(format!("index.{}", std::process::id()))
    }

    fn users(&self) -> PathBuf {
        self.directory.join("users")
    }

    fn failed(&self, doing: &str, error: &io::Error) -> Failure {
        Failure::refused(format!("cannot {doing} {}: {error}", self.directory.display()))
    }
}

/// A whole tree with all that its files have, sharing their blocks where the file system can.
pub(crate) async fn copy(cx: &Context, from: &Path, to: &Path) -> Result<(), Failure> {
    let words =
        ["-a".as_ref(), "--reflink=auto".as_ref(), "--no-target-directory".as_ref(), from.as_os_str(), to.as_os_str()];
    program::run(cx, Program::new("cp", "coreutils").args(words)).await.map(drop)
}
