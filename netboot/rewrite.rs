//! Changing a file of the system that others read and write too, such as `/etc/hosts`.
//!
//! Readers see the old text or the new, never half of one. What was there before stands beside it as `FILE.xcatbak`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long another command may hold the file.
const PATIENCE: Duration = Duration::from_secs(30);

/// What could not be done with which file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {doing} {}", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("another command has been changing {} for too long", path.display())]
    Locked { path: PathBuf },
}

/// Puts what `change` makes of the file's text in its place; tells whether anything changed. None stands for a missing file.
///
/// Commands of ours take turns, so that none loses what another wrote. A link is followed.
pub fn rewrite(path: &Path, change: impl FnOnce(Option<&str>) -> String) -> Result<bool, Error> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = match target.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    };
    let _lock = lock(directory, &target)?;
    let old = match fs::read_to_string(&target) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed("read", &target)(error)),
    };
    let new = change(old.as_deref());
    if old.as_deref().unwrap_or_default() == new {
        return Ok(false);
    }
    if old.is_some() {
        let backup = beside(&target, "", ".xcatbak");
        fs::copy(&target, &backup).map_err(failed("write", &backup))?;
    }
    replace(&target, &new)?;
    Ok(true)
}

/// Locks the directory: a lock on the file itself would go with the file when it is replaced, and a lock file would stay.
fn lock(directory: &Path, target: &Path) -> Result<File, Error> {
    let file = File::open(directory).map_err(failed("open", directory))?;
    let end = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed("lock", directory)(error)),
            Err(TryLockError::WouldBlock) if Instant::now() > end => {
                return Err(Error::Locked { path: target.to_owned() });
            }
            Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(20)),
        }
    }
}

fn replace(target: &Path, text: &str) -> Result<(), Error> {
    let new = beside(target, ".", &format!(".{}.new", std::process::id()));
    let written = write_new(&new, target, text).map_err(failed("write", &new));
    let renamed = written.and_then(|()| match fs::rename(&new, target) {
        // In a container the file may be a mount point, whose place nothing else can take.
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            fs::write(target, text).and_then(|()| fs::remove_file(&new)).map_err(failed("write", target))
        }
        renamed => renamed.map_err(failed("replace", target)),
    });
    if renamed.is_err() {
        fs::remove_file(&new).ok(); // the first error is the one to tell
    }
    renamed
}

/// Writes a file with the owner and mode of another that may be missing.
fn write_new(path: &Path, like: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    let mode = match fs::metadata(like) {
        Ok(like) => {
            fchown(&file, Some(like.uid()), Some(like.gid()))?;
            like.mode() & 0o7777
        }
        Err(_) => 0o644,
    };
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

fn beside(path: &Path, before: &str, after: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{before}{name}{after}"))
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Error + 'a {
    move |source| Error::File { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_new_text_has_the_old_mode_and_the_old_text_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("hosts");
        fs::write(&file, "old\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(rewrite(&file, |old| format!("{}new\n", old.unwrap())).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "old\nnew\n");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_to_string(directory.path().join("hosts.xcatbak")).unwrap(), "old\n");
        assert_eq!(names(directory.path()), ["hosts", "hosts.xcatbak"]);
    }

    #[test]
    fn nothing_new_touches_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("hosts");
        assert!(rewrite(&file, |old| old.map_or("made\n", |_| "unexpected").to_owned()).unwrap());
        assert!(!rewrite(&file, |old| old.unwrap().to_owned()).unwrap());
        assert_eq!(names(directory.path()), ["hosts"]);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o644);
    }

    #[test]
    fn a_link_stays_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("real"), directory.path().join("hosts"));
        fs::write(&file, "old\n").unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        rewrite(&link, |_| "new\n".into()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new\n");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn commands_take_turns() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("hosts");
        let add = |line: usize| rewrite(&file, |old| format!("{}{line}\n", old.unwrap_or_default())).unwrap();
        std::thread::scope(|scope| (0..20).for_each(|line| drop(scope.spawn(move || add(line)))));
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 20);
    }

    #[test]
    fn an_error_names_the_file() {
        let error = rewrite(Path::new("/nonexistent/hosts"), |_| String::new()).unwrap_err();
        assert_eq!(error.to_string(), "cannot open /nonexistent");
    }
}
