//! A directory that is replaced as a whole: it is made aside and changes places with the old one at once, so that whoever looks finds
//! the one or the other, also when we are killed. What a killed run has left aside is taken away by the next.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, FcntlArg, FdFlag, RenameFlags, fcntl, renameat2};

use crate::failure::Failure;
use crate::own_file;

/// The right to replace a directory.
pub(crate) struct Place {
    target: PathBuf,
    aside: PathBuf,
    /// Programs that we start hold it as well: one that outlives us is still at work there.
    _lock: File,
}

impl Place {
    /// Of a directory that need not be there yet; nothing stands aside.
    pub(crate) fn take(target: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::refused(format!("cannot write {}: {error}", target.display()));
        let parent = target.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).map_err(failed)?;
        let path = beside(target, "lock");
        let lock = own_file::open(&path).map_err(failed)?;
        // Whoever had it may have taken it away when we had opened it.
        if lock.try_lock().is_err() || !is_at(&lock, &path) {
            return Err(Failure::refused(format!("another run is making {}", target.display())));
        }
        fcntl(&lock, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|errno| failed(errno.into()))?;
        let place = Self { target: target.to_owned(), aside: beside(target, "new"), _lock: lock };
        refuse_mounts(&place.target)?;
        remove(&place.aside)?;
        Ok(place)
    }

    /// Where the new one is to be made.
    pub(crate) fn aside(&self) -> &Path {
        &self.aside
    }

    /// What is replaced.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Puts the new one in its place; the old one goes.
    pub(crate) fn exchange(self) -> Result<(), Failure> {
        self.publish()
    }

    /// The same, and keeps the right to it.
    pub(crate) fn publish(&self) -> Result<(), Failure> {
        let Self { target, aside, .. } = self;
        let failed = |error: io::Error| Failure::refused(format!("cannot replace {}: {error}", target.display()));
        let sync = || nix::unistd::syncfs(File::open(aside)?).map_err(io::Error::from);
        sync().map_err(failed)?;
        if !target.exists() {
            return fs::rename(aside, target).map_err(failed);
        }
        let flags = RenameFlags::RENAME_EXCHANGE;
        renameat2(AT_FDCWD, aside, AT_FDCWD, target, flags).map_err(|errno| failed(errno.into()))?;
        remove(aside)
    }

    /// Takes away what is there, which is gone from one moment to the next.
    pub(crate) fn discard(self) -> Result<(), Failure> {
        match fs::rename(&self.target, &self.aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::refused(format!("cannot remove {}: {error}", self.target.display())))
            }
            _ => remove(&self.aside),
        }
    }
}

impl Drop for Place {
    /// What was not finished is nobody's, and may be gigabytes. Nor does a lock stay that nothing came of.
    fn drop(&mut self) {
        remove(&self.aside).ok(); // the next run tells why it cannot
        if fs::symlink_metadata(&self.target).is_err() {
            fs::remove_file(beside(&self.target, "lock")).ok(); // the next run takes it as it is
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

/// `.NAME.END` beside NAME.
fn beside(target: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".");
    name.push(end);
    target.with_file_name(name)
}

fn remove(dir: &Path) -> Result<(), Failure> {
    refuse_mounts(dir)?;
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::refused(format!("cannot remove {}: {error}", dir.display())))
        }
        _ => Ok(()),
    }
}

/// Somebody may have entered the root with /dev or a home directory in it, which are not ours to remove or to pack.
pub(crate) fn refuse_mounts(dir: &Path) -> Result<(), Failure> {
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let mounts = fs::read_to_string("/proc/self/mountinfo")
        .map_err(|error| Failure::refused(format!("cannot see what is mounted: {error}")))?;
    match mounted_below(&mounts, &dir) {
        Some(point) => {
            Err(Failure::refused(format!("something is mounted at {point}")).hint(format!("umount {point}")))
        }
        None => Ok(()),
    }
}

/// A mount point below a directory (proc(5), mountinfo: field 5; a space is \040).
fn mounted_below<'a>(mounts: &'a str, dir: &Path) -> Option<&'a str> {
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    points.into_iter().find(|point| {
        let path = point.replace("\\040", " ");
        Path::new(&path).strip_prefix(dir).is_ok_and(|rest| rest != Path::new(""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(target: &Path) -> Result<Place, String> {
        Place::take(target).map_err(|failure| failure.message)
    }

    #[test]
    fn the_old_one_stays_until_the_new_one_is_whole() {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("compute");
        for content in ["first", "second"] {
            let place = take(&target).unwrap();
            assert!(take(&target).err().is_some_and(|why| why.starts_with("another run is making ")));
            fs::create_dir(place.aside()).unwrap();
            fs::write(place.aside().join("kernel"), content).unwrap();
            let aside = place.aside().to_owned();
            drop(place); // failed here
            assert!(!aside.exists());
            fs::create_dir(&aside).unwrap(); // killed here
            assert_eq!(fs::read_to_string(target.join("kernel")).is_ok(), content == "second");

            let place = take(&target).unwrap();
            assert!(!place.aside().exists());
            fs::create_dir(place.aside()).unwrap();
            fs::write(place.aside().join("kernel"), content).unwrap();
            place.exchange().unwrap();
            assert_eq!(fs::read_to_string(target.join("kernel")).unwrap(), content);
            let names: Vec<_> = fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names.len(), 2, "{names:?}");
        }
    }

    #[test]
    fn a_link_in_place_of_the_lock_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(parent.path().join("elsewhere"), parent.path().join(".compute.lock")).unwrap();
        let why = take(&parent.path().join("compute")).err();
        assert!(why.is_some_and(|why| why.ends_with("it is a link, and none is followed there")));
        assert!(!parent.path().join("elsewhere").exists());
    }

    #[test]
    fn what_comes_to_nothing_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let place = take(&parent.path().join("compute")).unwrap();
        fs::create_dir(place.aside()).unwrap();
        drop(place);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn mounts_are_found() {
        let mounts =
            "22 1 254:0 / / rw - ext4\n30 22 0:5 / /srv/a/root/dev rw - devtmpfs\n31 22 0:6 / /srv/b\\040c/x rw - x\n";
        let check = |dir: &str, expected: Option<&str>| assert_eq!(mounted_below(mounts, Path::new(dir)), expected);
        check("/srv/a/root", Some("/srv/a/root/dev"));
        check("/srv/a/root/dev", None);
        check("/srv/a/ro", None);
        check("/srv/b c", Some("/srv/b\\040c/x"));
    }
}
