//! Files of ours in directories where another user may put things too: the daemon's user owns the home, and root works in it. No
//! link is followed, so that nobody chooses what is written or emptied, and what may hold a secret is for its owner only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

/// Opens a file as it is, or an empty one that is new: to be locked, or to go on with what a killed run has left.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW.bits();
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).custom_flags(flags).open(path);
    opened.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP) => io::Error::other("it is a link, and none is followed there"),
        _ => error,
    })
}

/// Makes a file that is to take another's place once it is whole. What stands there goes first: a killed run may have left it.
pub(crate) fn aside(path: &Path, mode: u32) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    // Others may be writing it too.
    let new = file.with_extension(format!("{}.new", std::process::id()));
    let mut writer = aside(&new, 0o600)?;
    let written = writer.write_all(text).and_then(|()| writer.sync_all()).and_then(|()| fs::rename(&new, file));
    if written.is_err() {
        fs::remove_file(&new).ok(); // why it cannot be written is told
    }
    written
}

/// The same in directories that are made for it, and that nobody else can enter.
pub(crate) fn write_with_directories(file: &Path, text: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(file.parent().unwrap_or(Path::new(".")))?;
    write(file, text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::PathBuf;

    use super::*;

    /// A directory with a file of somebody's and two links: to that file, and to one that is not there.
    fn with_links() -> (tempfile::TempDir, PathBuf, [PathBuf; 2]) {
        let place = tempfile::tempdir().unwrap();
        let victim = place.path().join("victim");
        fs::write(&victim, "somebody's").unwrap();
        let links = ["there", "nowhere"].map(|name| place.path().join(name));
        symlink(&victim, &links[0]).unwrap();
        symlink(place.path().join("absent"), &links[1]).unwrap();
        (place, victim, links)
    }

    #[test]
    fn no_link_is_followed() {
        let (place, victim, links) = with_links();
        for link in &links {
            assert_eq!(open(link).unwrap_err().to_string(), "it is a link, and none is followed there");
            aside(link, 0o644).unwrap().write_all(b"ours").unwrap();
            assert!(fs::symlink_metadata(link).unwrap().is_file());
        }
        let file = place.path().join("file");
        symlink(&victim, file.with_extension(format!("{}.new", std::process::id()))).unwrap();
        symlink(&victim, &file).unwrap();
        write(&file, b"ours").unwrap();
        assert!(fs::symlink_metadata(&file).unwrap().is_file());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "somebody's");
        assert!(!place.path().join("absent").exists());
    }

    #[test]
    fn what_is_there_is_opened_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("begun");
        open(&file).unwrap().write_all(b"half").unwrap();
        assert_eq!(io::read_to_string(open(&file).unwrap()).unwrap(), "half");
    }

    #[test]
    fn only_the_owner_reads_what_was_written_also_over_what_others_could_read() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a/b/passwd.csv");
        assert_eq!(write(&file, b"secret").unwrap_err().kind(), ErrorKind::NotFound);
        write_with_directories(&file, b"secret").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(
            (mode(&place.path().join("a")), mode(&place.path().join("a/b")), mode(&file)),
            (0o700, 0o700, 0o600)
        );
        let old = place.path().join("old");
        fs::write(&old, "public").unwrap();
        write(&old, b"secret").unwrap();
        assert_eq!((mode(&old), fs::read_to_string(&old).unwrap()), (0o600, "secret".to_owned()));
        // What cannot take its place leaves nothing.
        fs::create_dir(place.path().join("taken")).unwrap();
        write(&place.path().join("taken"), b"secret").unwrap_err();
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 3);
    }
}
