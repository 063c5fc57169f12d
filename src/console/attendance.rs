//! Who sits at which console: a file for each in the home, locked as long as they do.
//!
//! No engine tells who else is attached. The lock tells those who are from what a killed one has left.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::own_file;

/// A place at a console; others see it until this is dropped.
pub(crate) struct Attendance {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Attendance {
    /// Takes a place at the console of `node`; `who` is what others are told.
    pub(crate) fn take(home: &Path, node: &str, who: &str) -> io::Result<Self> {
        let directory = home.join("consoles").join(node);
        fs::create_dir_all(&directory)?;
        let path = directory.join(std::process::id().to_string());
        let mut file = own_file::aside(&path, 0o644)?;
        file.write_all(who.as_bytes())?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| io::Error::from(error))?;
        Ok(Self { path, _lock: lock })
    }

    /// The others at this console.
    pub(crate) fn others(&self) -> io::Result<Vec<String>> {
        let mut others = Vec::new();
        for entry in fs::read_dir(self.path.parent().unwrap_or(&self.path))? {
            let path = entry?.path();
            if path != self.path {
                others.extend(present(&path));
            }
        }
        others.sort();
        Ok(others)
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        fs::remove_file(&self.path).ok(); // the lock goes in any case
    }
}

/// Who sits there; the file of one who has gone is swept away.
fn present(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let mut who = String::new();
    file.read_to_string(&mut who).ok()?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Err((_, Errno::EWOULDBLOCK)) => Some(who),
        Err(_) => None,
        Ok(_) => {
            fs::remove_file(path).ok(); // nobody minds if it stays
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_those_who_are_there() {
        let home = tempfile::tempdir().unwrap();
        let here = Attendance::take(home.path(), "n1", "me").unwrap();
        assert_eq!(here.others().unwrap(), Vec::<String>::new());
        let directory = home.path().join("consoles/n1");
        fs::write(directory.join("7"), "gone").unwrap();
        fs::write(directory.join("8"), "another").unwrap();
        let another = Flock::lock(File::open(directory.join("8")).unwrap(), FlockArg::LockExclusive).unwrap();
        assert_eq!(here.others().unwrap(), ["another"]);
        assert!(!directory.join("7").exists(), "what was left is swept away");
        drop(another);
        assert_eq!(here.others().unwrap(), Vec::<String>::new());
        drop(here);
        assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
    }
}
