//! What a daemon has no use for once its sockets are bound.
//!
//! It goes on as the user that it was told to, or as the one that it is, without any capability of the kernel: no raw sockets,
//! no ports below 1024, no other user's files, and no way to get those back.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use super::user::Account;
use crate::failure::Failure;

/// To be called while the process has one thread: each has capabilities of its own, and new ones inherit them.
pub(crate) fn give_away(home: &Path, user: Option<&Account>) -> Result<(), Failure> {
    let refused = |error: Errno| Failure::refused(format!("cannot give away privileges: {error}"));
    if let Some(user) = user {
        user.hand_over(home)?;
    }
    for capability in CapabilitySet::all() {
        match remove_capability_from_bounding_set(capability) {
            // Unknown to this kernel, or ours neither to have nor to take away: systemd has chosen the set then.
            Ok(()) | Err(Errno::INVAL | Errno::PERM) => {}
            Err(error) => return Err(refused(error)),
        }
    }
    if let Some(user) = user {
        user.assume()?;
        fs::metadata(home).map_err(|error| {
            let failure = Failure::refused(format!("{user} cannot use {}: {error}", home.display()));
            failure.hint("the directories above it must let that user through")
        })?;
    }
    set_no_new_privs(true).map_err(refused)?;
    let database = home.join("xcrane.db");
    let is_own = fs::metadata(database).is_ok_and(|database| database.uid() == nix::unistd::geteuid().as_raw());
    // A database that is somebody else's cannot be written to without.
    let kept = if is_own { CapabilitySet::empty() } else { CapabilitySet::DAC_OVERRIDE & permitted()? };
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(refused)
}

fn permitted() -> Result<CapabilitySet, Failure> {
    let sets = rustix::thread::capabilities(None);
    sets.map(|sets| sets.permitted).map_err(|error| Failure::refused(format!("cannot see our privileges: {error}")))
}
