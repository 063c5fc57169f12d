//! Programs of others that we run: whoever may write one may do what we may.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::unistd::geteuid;

use crate::{Error, Result};

/// Refuses a program that somebody else than root and us could have written, or put there; or what it loads from beside it.
pub fn trusted(program: &Path) -> Result<()> {
    let us = geteuid().as_raw();
    for (path, it) in [(Some(program), "it"), (program.parent(), "its directory")] {
        let Some(path) = path else { continue };
        let shown = path.display().to_string();
        let found =
            std::fs::metadata(path).map_err(|source| Error::File { doing: "read", path: shown.clone(), source })?;
        if let Some(why) = distrust(&found, us, it) {
            let why = format!("{why}; what makes it ours: chown root {shown} && chmod go-w {shown}");
            return Err(Error::Refused { what: format!("cannot run {}", program.display()), why });
        }
    }
    Ok(())
}

fn distrust(found: &Metadata, us: u32, it: &str) -> Option<String> {
    let mode = found.permissions().mode();
    match () {
        () if mode & 0o002 != 0 => Some(format!("everybody may write {it}")),
        () if mode & 0o020 != 0 => Some(format!("its group may write {it}")),
        () if found.uid() != 0 && found.uid() != us => {
            Some(format!("{it} belongs to user {}, who is neither root nor the one who runs it", found.uid()))
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
            let why = distrust(&std::fs::metadata(file.path()).unwrap(), us, "it");
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

    #[test]
    fn what_stands_where_others_may_put_something_is_not_run() {
        let home = tempfile::tempdir().unwrap();
        let program = home.path().join("run");
        std::fs::write(&program, "").unwrap();
        set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let told = |mode: u32| {
            set_permissions(home.path(), Permissions::from_mode(mode)).unwrap();
            trusted(&program).map_err(|error| crate::chain(&error))
        };
        assert_eq!(told(0o755), Ok(()));
        let at = home.path().display();
        let why = format!(
            "cannot run {at}/run: everybody may write its directory; what makes it ours: chown root {at} && chmod go-w {at}"
        );
        assert_eq!(told(0o757), Err(why));
    }
}
