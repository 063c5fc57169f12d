//! Directories whose files are served, and what keeps everybody within them.
//!
//! The kernel looks names up (`openat2` with `RESOLVE_BENEATH`, Linux 5.6): neither `..` nor a link leads out, also when
//! somebody changes the tree meanwhile. A link that stays within is followed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

/// Where the packages of distributions put iPXE.
const LOADERS: &[&str] = &["/usr/lib/ipxe", "/usr/share/ipxe"];

/// What all these packages have: iPXE for BIOS.
const LOADER: &str = "undionly.kpxe";

/// Directories that are searched in their order. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Root {
    directories: Arc<[PathBuf]>,
}

/// A file of a root, open to be read.
#[derive(Debug)]
pub struct Opened {
    pub file: File,
    pub length: u64,
    pub modified: Option<SystemTime>,
}

/// Why a file is not served.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("there is no such file")]
    Absent,
    /// It is outside, no file, or the permissions are against it.
    #[error("it may not be read")]
    Denied,
    #[error("it cannot be read")]
    Failed(#[source] io::Error),
}

impl Root {
    pub fn new(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { directories: directories.into_iter().collect() }
    }

    /// Opens the first file of that name; slashes in front and backslashes are what firmware makes of names.
    pub fn open(&self, name: &str) -> Result<Opened, Refused> {
        let name = name.replace('\\', "/");
        let name = name.trim_start_matches('/');
        let mut refused = Refused::Absent;
        for directory in &*self.directories {
            match open(directory, name) {
                Err(Refused::Absent) => {}
                Err(other) => refused = other,
                opened => return opened,
            }
        }
        Err(refused)
    }
}

/// The directory with the boot loaders of the distribution's package `ipxe`, if that is installed. Other packages put files
/// there too, so it takes a loader.
pub fn loaders() -> Option<PathBuf> {
    LOADERS.iter().map(PathBuf::from).find(|directory| directory.join(LOADER).is_file())
}

fn open(directory: &PathBuf, name: &str) -> Result<Opened, Refused> {
    let parent = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_PATH | OFlag::O_DIRECTORY).bits())
        .open(directory)
        .map_err(refused_by)?;
    // Without O_NONBLOCK a pipe of that name would hold us up.
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let within = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let opened = openat2(&parent, name, OpenHow::new().flags(flags).resolve(within));
    let file = File::from(opened.map_err(|errno| refused_by(errno.into()))?);
    let known = file.metadata().map_err(Refused::Failed)?;
    if !known.is_file() {
        return Err(Refused::Denied);
    }
    Ok(Opened { file, length: known.len(), modified: known.modified().ok() })
}

fn refused_by(error: io::Error) -> Refused {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG | Errno::EINVAL) => Refused::Absent,
        Some(Errno::EXDEV | Errno::ELOOP | Errno::EACCES | Errno::EPERM | Errno::ENXIO) => Refused::Denied,
        _ => Refused::Failed(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn nothing_outside_is_opened() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(place.path().join("secret"), "s").unwrap();
        fs::write(root.join("sub/file"), "content").unwrap();
        symlink("sub/file", root.join("inner")).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink(place.path(), root.join("sub/up")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        nix::unistd::mkfifo(&root.join("pipe"), Mode::S_IRWXU).unwrap();
        let served = Root::new([place.path().join("absent"), root]);
        let check = |name: &str, expected: &str| {
            let found = match served.open(name) {
                Ok(opened) => opened.length.to_string(),
                Err(refused) => refused.to_string(),
            };
            assert_eq!(found, expected, "{name}");
        };
        for name in ["sub/file", "/sub/file", "\\sub\\file", "inner", "sub/../sub/file", "//sub//file"] {
            check(name, "7");
        }
        for name in ["absent", "", "sub/file/x", "a\0b", &"x/".repeat(4000)] {
            check(name, "there is no such file");
        }
        for name in ["out", "../secret", "sub/up/secret", "sub/../../secret", "\\..\\secret", "sub", "loop", "pipe"] {
            check(name, "it may not be read");
        }
        check(&place.path().join("secret").to_string_lossy(), "there is no such file");
    }
}
