//! A root seen as the machine will see it: its links lead to places of its own, not to ours. Roots may be foreign, so that nothing in
//! them is read or written by a path that this machine would follow.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use netboot::image::lint::View;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, mkdirat};

/// Bytes of a text that are read at most: lists of modules have half a megabyte.
const TEXT: u64 = 8 << 20;

/// A root.
pub(crate) struct Inside {
    top: File,
}

/// A place in a root that does not move while this is kept.
pub(crate) struct Spot {
    _above: File,
    pub(crate) path: PathBuf,
}

impl Inside {
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self { top: File::open(root)? })
    }

    fn find(&self, path: &str, flags: OFlag) -> nix::Result<File> {
        let within = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(within);
        openat2(&self.top, path, how).map(File::from)
    }

    /// Where a file of that path is to be written or removed; the last part may be a link, which is not followed. Directories above
    /// it are made.
    pub(crate) fn spot(&self, path: &str) -> io::Result<Spot> {
        let (above, name) = path.trim_start_matches('/').rsplit_once('/').unwrap_or(("", path));
        let mut directory = self.find("/", OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        let mut known = String::new();
        for part in above.split('/').filter(|part| !part.is_empty()) {
            known = format!("{known}/{part}");
            directory = match self.find(&known, OFlag::O_PATH | OFlag::O_DIRECTORY) {
                Err(nix::errno::Errno::ENOENT) => {
                    mkdirat(&directory, part, Mode::from_bits_truncate(0o755))?;
                    self.find(&known, OFlag::O_PATH | OFlag::O_DIRECTORY)?
                }
                found => found?,
            };
        }
        let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name.trim_start_matches('/'));
        Ok(Spot { _above: directory, path })
    }

    /// Takes a file or a directory away; one that is not there is as good.
    pub(crate) fn remove(&self, path: &str) -> io::Result<()> {
        let spot = self.spot(path)?;
        let is_directory = match fs::symlink_metadata(&spot.path) {
            Ok(known) => known.is_dir(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if is_directory { fs::remove_dir_all(&spot.path) } else { fs::remove_file(&spot.path) }
    }
}

impl View for Inside {
    fn has(&self, path: &str) -> bool {
        self.find(path, OFlag::O_PATH).is_ok()
    }

    fn text(&self, path: &str) -> Option<String> {
        // Without O_NONBLOCK a pipe of that name would hold us up.
        let file = self.find(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY).ok()?;
        let mut text = String::new();
        let is_file = file.metadata().ok()?.is_file();
        is_file.then(|| file.take(TEXT).read_to_string(&mut text).ok().map(|_| text)).flatten()
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let Ok(file) = self.find(directory, OFlag::O_RDONLY | OFlag::O_DIRECTORY) else { return Vec::new() };
        let entries = fs::read_dir(format!("/proc/self/fd/{}", file.as_raw_fd())).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_of_a_root_do_not_lead_out_of_it() {
        let place = tempfile::tempdir().unwrap();
        let (root, outside) = (place.path().join("root"), place.path().join("outside"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "x").unwrap();
        symlink(&outside, root.join("etc")).unwrap();
        symlink("../../../../../etc", root.join("up")).unwrap();
        symlink(outside.join("secret"), root.join("file")).unwrap();
        let inside = Inside::open(&root).unwrap();
        assert!(!inside.has("/etc/secret") && inside.text("/file").is_none() && inside.names("/up").is_empty());
        assert!(inside.spot("/etc/motd").is_err(), "the link leads to what is not there");
        fs::write(inside.spot("/var/lib/x").unwrap().path, "y").unwrap();
        assert_eq!(fs::read_to_string(root.join("var/lib/x")).unwrap(), "y");
        fs::write(inside.spot("/top").unwrap().path, "z").unwrap();
        assert_eq!(inside.text("top").as_deref(), Some("z"));
        inside.remove("/file").unwrap();
        inside.remove("/etc").unwrap();
        inside.remove("/var").unwrap();
        inside.remove("/none").unwrap();
        assert!(outside.join("secret").exists() && inside.names("/") == ["top", "up"]);
    }
}
