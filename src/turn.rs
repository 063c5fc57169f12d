//! Who works on what, where two at once would spoil it: a second updatevm of a node would take what the first is doing for
//! what a killed one has left, and two who switch on machines of one circuit would each find it free. Others go on side by side.
//!
//! A name is one byte of a file, at a place made of it, which its process has locked. The kernel knows who that is, and
//! takes the lock back when the process ends, however that comes. Names whose places are one would keep each other out
//! needlessly, which with 62 bits nobody will see.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::unistd::{Uid, User};
use sha2::{Digest, Sha256};
use tables::noderange::fold;

use crate::failure::Failure;
use crate::own_file;

/// What is taken, of a kind of its own.
pub(crate) struct Turns {
    /// Of `$XCRANE_HOME`.
    pub(crate) file: &'static str,
    /// What is under way while it is taken.
    pub(crate) doing: &'static str,
}

/// Why something is not ours now.
pub(crate) enum Untaken {
    /// Others are at it, who will come to an end.
    Held(Failure),
    Failed(Failure),
}

impl From<Untaken> for Failure {
    fn from(untaken: Untaken) -> Self {
        match untaken {
            Untaken::Held(failure) | Untaken::Failed(failure) => failure,
        }
    }
}

/// The names are this process's for as long as the file is open: all of them, or none. Locks of one process never keep out
/// itself, and end with the first of its files that is closed, so that it opens no second one.
pub(crate) fn take(home: &Path, turns: &Turns, names: &[String]) -> Result<File, Untaken> {
    let path = home.join(turns.file);
    let failed =
        |error: io::Error| Untaken::Failed(Failure::refused(format!("cannot lock {}: {error}", path.display())));
    let file = own_file::open(&path).map_err(failed)?;
    let mut held: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for name in names {
        if let Some(holder) = lock(&file, name).map_err(|error| failed(error.into()))? {
            held.entry(holder).or_default().push(name.clone());
        }
    }
    if held.is_empty() {
        return Ok(file);
    }
    let told: Vec<String> = held.into_iter().map(|(holder, nodes)| told(holder, nodes)).collect();
    let why = format!("nothing was done: {} is under way: {}", turns.doing, told.join("; "));
    Err(Untaken::Held(Failure::refused(why).hint("run it again when that one is over")))
}

/// Takes one name; the process that has it already, if there is one.
fn lock(file: &File, name: &str) -> nix::Result<Option<i32>> {
    loop {
        match fcntl(file, FcntlArg::F_SETLK(&place(name))) {
            Ok(_) => return Ok(None),
            Err(Errno::EACCES | Errno::EAGAIN) => (),
            Err(error) => return Err(error),
        }
        let mut asked = place(name);
        fcntl(file, FcntlArg::F_GETLK(&mut asked))?;
        // It may have ended in between.
        if i32::from(asked.l_type) != libc::F_UNLCK {
            return Ok(Some(asked.l_pid));
        }
    }
}

/// The byte that stands for a name.
fn place(name: &str) -> libc::flock {
    let digest = Sha256::digest(name);
    let number = digest[..8].iter().fold(0, |number: i64, byte| (number << 8) | i64::from(*byte));
    libc::flock {
        l_type: short(libc::F_WRLCK),
        l_whence: short(libc::SEEK_SET),
        l_start: number & (i64::MAX >> 1),
        l_len: 1,
        l_pid: 0,
    }
}

/// The system has its constants wider than its fields.
fn short(constant: libc::c_int) -> libc::c_short {
    constant.try_into().expect("it is a small number")
}

/// Who has what.
fn told(holder: i32, names: Vec<String>) -> String {
    let owner = fs::metadata(format!("/proc/{holder}")).ok().map(|found| Uid::from_raw(found.uid()));
    let user = owner.and_then(|owner| User::from_uid(owner).ok().flatten()).map(|user| format!(" of {}", user.name));
    format!("process {holder}{} has {}", user.unwrap_or_default(), fold(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_has_a_place_of_its_own() {
        let places: std::collections::BTreeSet<i64> =
            (0..10_000).map(|number| place(&format!("c{number:05}")).l_start).collect();
        assert!(places.len() == 10_000 && places.iter().all(|place| (0..i64::MAX).contains(place)));
        assert_eq!(place("c1").l_start, place("c1").l_start);
    }

    #[test]
    fn who_has_what_is_told() {
        let own = i32::try_from(std::process::id()).unwrap();
        let said = told(own, vec!["c1".into(), "c2".into()]);
        assert!(said.starts_with(&format!("process {own} of ")) && said.ends_with(" has c[1-2]"), "{said}");
        assert_eq!(told(i32::MAX, vec!["c7".into()]), format!("process {} has c7", i32::MAX));
    }

    #[test]
    fn a_link_in_place_of_the_file_is_refused() {
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(home.path().join("elsewhere"), home.path().join("a.lock")).unwrap();
        let Err(Untaken::Failed(failure)) = take(home.path(), &Turns { file: "a.lock", doing: "it" }, &[]) else {
            panic!()
        };
        assert!(failure.message.ends_with("a.lock: it is a link, and none is followed there"), "{}", failure.message);
        assert!(!home.path().join("elsewhere").exists());
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        let home = tempfile::tempdir().unwrap();
        let turns = Turns { file: "a.lock", doing: "it" };
        let Err(Untaken::Failed(failure)) = take(&home.path().join("none"), &turns, &[]) else { panic!() };
        assert!(failure.message.starts_with("cannot lock "));
        assert!(take(home.path(), &turns, &["c1".into()]).is_ok());
    }
}
