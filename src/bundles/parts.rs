//! The pieces of a bundle before it is one: a directory beside the file that is to be. It outlives a killed run, whose pieces the next
//! one finds, and goes when the bundle is whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Where pieces are kept, for one run at a time.
pub(crate) struct Parts {
    directory: PathBuf,
    _lock: File,
}

impl Parts {
    /// Those of the bundle that `target` shall be.
    pub(crate) fn of(target: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::refused(format!("cannot write beside {}: {error}", target.display()));
        let name = target
            .file_name()
            .filter(|_| !target.is_dir())
            .ok_or_else(|| Failure::refused(format!("{} is no name of a file", target.display())))?;
        let absolute = std::path::absolute(target).map_err(failed)?;
        let directory = absolute.with_file_name(format!(".{}.parts", name.to_string_lossy()));
        fs::create_dir_all(directory.join("blobs")).map_err(failed)?;
        let lock = directory.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(lock).map_err(failed)?;
        if lock.try_lock().is_err() {
            return Err(Failure::refused(format!("another run is making {}", target.display())));
        }
        Ok(Self { directory, _lock: lock })
    }

    /// The place of what has this digest.
    pub(crate) fn blob(&self, sha256: &str) -> PathBuf {
        self.directory.join("blobs").join(sha256)
    }

    /// A directory for what has no digest yet.
    pub(crate) fn work(&self, name: &str) -> Result<PathBuf, Failure> {
        let place = self.directory.join(name);
        fs::create_dir_all(&place)
            .map_err(|error| Failure::refused(format!("cannot make {}: {error}", place.display())))?;
        Ok(place)
    }

    /// The bundle is whole.
    pub(crate) fn discard(self) {
        // What cannot go takes room and does no harm.
        fs::remove_dir_all(&self.directory).ok();
    }
}
