//! What several tests need and takes minutes to make: the first of them makes it, of the program as it is now.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use crate::error::{Error, Result, at, ok};
use crate::lab::Lab;
use crate::root::cache_directory;

impl Lab {
    /// Puts a file of this name into `$HOME`: `make` does so, unless a test of the same program with the same packages has done it before.
    /// Others that want it wait meanwhile.
    pub fn once(&self, name: &str, make: impl FnOnce()) {
        ok(self.share(name, make));
    }

    fn share(&self, name: &str, make: impl FnOnce()) -> Result<()> {
        let shelf = cache_directory().join("shared");
        fs::create_dir_all(&shelf).map_err(at(&shelf))?;
        let lock = shelf.join(format!("{name}.lock"));
        let file = File::create(&lock).map_err(at(&lock))?;
        let _turn = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| Error::File { path: lock.clone(), source: errno.into() })?;
        let (here, kept) = (self.home().join(name), shelf.join(format!("{name}-{:016x}", self.fingerprint()?)));
        if kept.exists() {
            return copy(&kept, &here);
        }
        make();
        // What was made by an older program is nobody's any more.
        for entry in fs::read_dir(&shelf).map_err(at(&shelf))? {
            let path = entry.map_err(at(&shelf))?.path();
            let is_old = path.file_name().is_some_and(|found| found.to_string_lossy().starts_with(&format!("{name}-")));
            if is_old {
                fs::remove_file(&path).map_err(at(&path))?;
            }
        }
        let new = shelf.join(format!("{name}-new"));
        copy(&here, &new)?;
        fs::rename(&new, &kept).map_err(at(&kept))
    }

    /// A program that was built anew is another one.
    fn fingerprint(&self) -> Result<u64> {
        let program = self.program();
        let known = fs::metadata(program).map_err(at(program))?;
        let built = known.modified().map_err(at(program))?;
        let mut hasher = DefaultHasher::new();
        (program, known.len(), built, self.package_directory()).hash(&mut hasher);
        Ok(hasher.finish())
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).map_err(at(from))
}
