//! The pieces of a bundle before it is one: a directory beside the file that is to be. It outlives a killed run, whose pieces the next
//! one finds, and goes when the bundle is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::own_file;

/// Where pieces are kept, for one run at a time.
pub(crate) struct Parts {
    directory: PathBuf,
    _lock: File,
}

/// Refuses to write over a file, unless it is what a run had just finished when it was killed, whose pieces are still there.
pub(crate) fn refuse_other(target: &Path) -> Result<(), Failure> {
    let is_ours = std::path::absolute(target).is_ok_and(|target| beside(&target).is_dir());
    match fs::symlink_metadata(target) {
        Ok(found) if !found.is_dir() && !is_ours => Err(Failure::refused(format!("{} is there", target.display()))
            .hint("choose another name, or write over it with: --force")),
        _ => Ok(()),
    }
}

/// `.NAME.parts` beside NAME.
fn beside(target: &Path) -> PathBuf {
    target.with_file_name(format!(".{}.parts", target.file_name().unwrap_or_default().to_string_lossy()))
}

impl Parts {
    /// Those of the bundle that `target` shall be.
    pub(crate) fn of(target: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::refused(format!("cannot write beside {}: {error}", target.display()));
        if target.file_name().is_none() || target.is_dir() {
            return Err(Failure::refused(format!("{} is no name of a file", target.display())));
        }
        let absolute = std::path::absolute(target).map_err(failed)?;
        if let Some(above) = absolute.parent().filter(|above| !above.is_dir()) {
            let message = format!("cannot write {}: there is no directory {}", target.display(), above.display());
            return Err(Failure::refused(message).hint(format!("mkdir -p {}", above.display())));
        }
        let directory = beside(&absolute);
        fs::create_dir_all(directory.join("blobs")).map_err(failed)?;
        let lock = own_file::open(&directory.join("lock")).map_err(failed)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_place_of_the_lock_is_refused() {
        let place = tempfile::tempdir().expect("a directory");
        fs::create_dir(place.path().join(".site.bundle.parts")).expect("a directory");
        let elsewhere = place.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, place.path().join(".site.bundle.parts/lock")).expect("a link");
        let why = Parts::of(&place.path().join("site.bundle")).err().map(|failure| failure.message);
        assert!(why.is_some_and(|why| why.ends_with("it is a link, and none is followed there")));
        assert!(!elsewhere.exists());
    }

    #[test]
    fn what_is_there_is_written_over_only_by_the_run_that_wrote_it() {
        let place = tempfile::tempdir().expect("a directory");
        let target = place.path().join("site.bundle");
        let refused = |target: &Path| refuse_other(target).err().map(|failure| failure.message);
        assert_eq!(refused(&target), None);
        fs::write(&target, "somebody's").expect("a file");
        assert_eq!(refused(&target), Some(format!("{} is there", target.display())));
        fs::remove_file(&target).expect("it is there");
        std::os::unix::fs::symlink("/nowhere", &target).expect("a link");
        assert!(refused(&target).is_some(), "a link is a name that somebody has given");
        // Killed when the bundle had its name and its pieces were still there.
        let parts = Parts::of(&target).map_err(|failure| failure.message).expect("pieces");
        assert_eq!(refused(&target), None);
        parts.discard();
        let below = place.path().join("none/site.bundle");
        let failure = Parts::of(&below).err().expect("there is no such directory");
        let above = place.path().join("none");
        assert_eq!(
            (failure.message, failure.hints),
            (
                format!("cannot write {}: there is no directory {}", below.display(), above.display()),
                vec![format!("mkdir -p {}", above.display())]
            )
        );
        assert!(!above.exists());
    }
}
