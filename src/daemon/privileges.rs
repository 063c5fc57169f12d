//! What a daemon has no use for once its sockets are bound.
//!
//! It goes on as the user that it is, who owns the database, but without any capability of the kernel: no raw sockets, no
//! ports below 1024, no other user's files, and no way to get those back.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

use crate::failure::Failure;

/// To be called while the process has one thread: each has capabilities of its own, and new ones inherit them.
pub(crate) fn give_away(home: &Path) -> Result<(), Failure> {
    let refused = |error: rustix::io::Errno| Failure::refused(format!("cannot give away privileges: {error}"));
    set_no_new_privs(true).map_err(refused)?;
    let is_own = fs::metadata(home).is_ok_and(|home| home.uid() == nix::unistd::geteuid().as_raw());
    // A database that is somebody else's cannot be written to without.
    let kept = if is_own { CapabilitySet::empty() } else { CapabilitySet::DAC_OVERRIDE & permitted()? };
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(refused)
}

fn permitted() -> Result<CapabilitySet, Failure> {
    let sets = rustix::thread::capabilities(None);
    sets.map(|sets| sets.permitted).map_err(|error| Failure::refused(format!("cannot see our privileges: {error}")))
}
