//! One updatevm at a time: a second one would take what the first is doing for what a killed one has left.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use crate::failure::Failure;

/// The turn of whoever holds the file; that of a killed command is taken back by the kernel.
pub(crate) fn take(home: &Path) -> Result<File, Failure> {
    let path = home.join("updatevm.lock");
    let failed = |error: io::Error| Failure::refused(format!("cannot lock {}: {error}", path.display()));
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::refused("nothing was done: another updatevm is under way")
            .hint("run it again when that one is over")),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_turn_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let turn = take(home.path()).unwrap();
        let refused = take(home.path()).unwrap_err();
        assert_eq!(refused.message, "nothing was done: another updatevm is under way");
        drop(turn);
        assert!(take(home.path()).is_ok());
        assert!(take(&home.path().join("none")).unwrap_err().message.starts_with("cannot lock "));
    }
}
