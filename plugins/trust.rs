//! Programs of others that we run: whoever may write one may do what we may.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::unistd::geteuid;

use crate::{Error, Result};

/// Refuses a program that somebody else than root and us could have written.
pub fn trusted(program: &Path) -> Result<()> {
    let path = program.display().to_string();
    let found =
        std::fs::metadata(program).map_err(|source| Error::File { doing: "read", path: path.clone(), source })?;
    match distrust(&found, geteuid().as_raw()) {
        None => Ok(()),
        Some(why) => {
            let why = format!("{why}; what makes it ours: chown root {path} && chmod go-w {path}");
            Err(Error::Refused { what: format!("cannot run {path}"), why })
        }
    }
}

fn distrust(found: &Metadata, us: u32) -> Option<String> {
    let mode = found.permissions().mode();
    match () {
        () if mode & 0o002 != 0 => Some("everybody may write it".into()),
        () if mode & 0o020 != 0 => Some("its group may write it".into()),
        () if found.uid() != 0 && found.uid() != us => {
            Some(format!("it belongs to user {}, who is neither root nor the one who runs it", found.uid()))
        }
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};

    use super::*;

    #[test]
    fn what_others_may_have_written_is_not_run() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let owner = file.as_file().metadata().unwrap().uid();
        let check = |mode: u32, us: u32, expected: Option<&str>| {
            set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            let why = distrust(&std::fs::metadata(file.path()).unwrap(), us);
            match expected {
                None => assert_eq!(why, None, "{mode:o}"),
                Some(expected) => assert!(why.as_ref().is_some_and(|why| why.contains(expected)), "{mode:o}: {why:?}"),
            }
        };
        check(0o755, owner, None);
        check(0o775, owner, Some("its group may write it"));
        check(0o757, owner, Some("everybody may write it"));
        if owner == 0 {
            nix::unistd::chown(file.path(), Some(4242.into()), None).unwrap();
            check(0o755, 0, Some("it belongs to user 4242"));
            check(0o755, 4242, None);
        }
    }
}
