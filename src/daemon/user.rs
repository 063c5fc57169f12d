//! The user that a daemon goes on as, and what that user must own for it.
//!
//! SQLite makes files beside the database, and the services put files into the directory of it. What else stands there stays
//! root's: the private keys of the site's authority cannot be read by whoever takes over the daemon.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;

use nix::unistd::{Gid, Uid, User, setgid, setgroups, setuid};

use crate::failure::Failure;

/// What the services write: the database (where root makes the two files beside it anew, SQLite gives them to the owner of the
/// first), the key of boot tokens, and which machines are in their firmware.
const WRITTEN: [&str; 6] = ["xcrane.db", "xcrane.db-wal", "xcrane.db-shm", "boot.key", "arrivals", "arrivals.new"];
/// What only nodes may have, from the services.
const NODES: &str = "nodes";

/// Somebody to go on as.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}", self.name)
    }
}

impl Account {
    /// The user of that name; an error unless we are that or can become it.
    pub(crate) fn find(name: &str) -> Result<Self, Failure> {
        let user =
            User::from_name(name).map_err(|error| Failure::refused(format!("cannot look up user {name}: {error}")))?;
        let user = user.ok_or_else(|| {
            Failure::refused(format!("there is no user {name}"))
                .hint(format!("useradd --system --no-create-home --shell /usr/sbin/nologin {name}"))
        })?;
        let us = Uid::effective();
        if !us.is_root() && us != user.uid {
            return Err(Failure::refused(format!("cannot become user {name}: it takes root")));
        }
        Ok(Self { name: name.to_owned(), uid: user.uid, gid: user.gid })
    }

    /// Makes the user the owner of what the services write; nothing is done where that is so.
    pub(crate) fn hand_over(&self, home: &Path) -> Result<(), Failure> {
        if !Uid::effective().is_root() || self.uid.is_root() {
            return Ok(());
        }
        let (uid, gid) = (self.uid.as_raw(), self.gid.as_raw());
        for path in [home.to_owned()].into_iter().chain(WRITTEN.map(|name| home.join(name))) {
            self.tried(&path, give(&path, uid, gid))?;
        }
        let nodes = home.join(NODES);
        self.tried(&nodes, share(&nodes, uid, gid))
    }

    fn tried(&self, path: &Path, done: io::Result<()>) -> Result<(), Failure> {
        done.map_err(|error| Failure::refused(format!("cannot give {} to {self}: {error}", path.display())))
    }

    /// Becomes the user, with no other groups than its own, for good.
    pub(super) fn assume(&self) -> Result<(), Failure> {
        if Uid::effective() == self.uid {
            return Ok(());
        }
        let changed = setgroups(&[self.gid]).and_then(|()| setgid(self.gid)).and_then(|()| setuid(self.uid));
        changed.map_err(|error| Failure::refused(format!("cannot become {self}: {error}")))
    }
}

/// Gives a directory or a file of one name to somebody, if it is there. Links are left: where they lead is not ours. Nothing is
/// opened: a process that closes a file loses all its locks on it, SQLite's too.
fn give(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(found) if found.is_dir() || (found.is_file() && found.nlink() == 1) => lchown(path, Some(uid), Some(gid)),
        found => found.map(drop),
    }
}

/// Gives directories to somebody, from this one down, and lets them read what files root has there.
fn share(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if found.is_dir() {
        give(path, uid, gid)?;
        return fs::read_dir(path)?.try_for_each(|entry| share(&entry?.path(), uid, gid));
    }
    if found.is_file() && found.uid() == 0 && found.nlink() == 1 {
        lchown(path, None, Some(gid))?;
        fs::set_permissions(path, Permissions::from_mode(found.mode() & 0o7777 | 0o040))?;
    }
    Ok(())
}
