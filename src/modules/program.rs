//! What the directory of a module has, and what of it has changed: a plan is of the programs that have made it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use plugins::hex;
use sha2::{Digest, Sha256};

use super::manifest::{FILE, Manifest};
use crate::failure::Failure;

/// What Python keeps of a program that was imported is nobody's change.
const CACHE: &str = "__pycache__";

/// The digest of each file, by its path in the directory; nothing for a module that is built in.
pub(crate) fn files(directory: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut files = BTreeMap::new();
    if !directory.as_os_str().is_empty() {
        take(directory, "", &mut files)
            .map_err(|error| Failure::refused(format!("cannot read {}: {error}", directory.display())))?;
    }
    Ok(files)
}

fn take(directory: &Path, above: &str, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (name, path) = (format!("{above}{}", entry.file_name().to_string_lossy()), entry.path());
        // A link is the file that it leads to; one that leads nowhere has nothing that could be run.
        let Ok(found) = fs::metadata(&path) else { continue };
        match found.is_dir() {
            true if entry.file_name() == CACHE => {}
            // It may lead back to where it is.
            true if entry.file_type()?.is_symlink() => {
                files.insert(name, short(&Sha256::digest(fs::read_link(&path)?.as_os_str().as_bytes())));
            }
            true => take(&path, &format!("{name}/"), files)?,
            false if found.is_file() => {
                files.insert(name, digest(&path)?);
            }
            false => {}
        }
    }
    Ok(())
}

fn digest(file: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    io::copy(&mut fs::File::open(file)?, &mut digest)?;
    Ok(short(&digest.finalize()))
}

fn short(digest: &[u8]) -> String {
    hex(&digest[..8])
}

/// What is otherwise than it was, in words; `may_grow` where a program may have left files of its own there since.
pub(crate) fn changed(
    manifest: &Manifest,
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
    may_grow: bool,
) -> Option<String> {
    let named = |name: &String| {
        let is_program = manifest.methods.values().any(|run| run.program.as_deref() == Some(Path::new(name)));
        let kind = if is_program && name != FILE { "its program" } else { "its file" };
        format!("{kind} {name}")
    };
    let other = before.iter().find_map(|(name, digest)| match now.get(name) {
        None => Some(format!("{} is gone", named(name))),
        Some(other) if other != digest => Some(format!("{} was changed", named(name))),
        Some(_) => None,
    });
    let new = || now.keys().find(|name| !may_grow && !before.contains_key(*name));
    other.or_else(|| new().map(|name| format!("{} was added", named(name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_in_a_directory_is_named() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = home.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        let methods = ["metadata", "init", "plan", "apply", "audit"]
            .map(|it| format!("{it} = {{ way = 'local', program = 'run' }}\n"));
        let manifest = format!("[labels]\nname = 'm'\nversion = '1'\n[methods]\n{}", methods.concat());
        let manifest = Manifest::read(&manifest).unwrap();
        write("run", "one");
        write("lib/tool.py", "one");
        std::os::unix::fs::symlink("..", home.path().join("lib/up")).unwrap();
        let before = files(home.path()).unwrap();
        assert_eq!(before.keys().collect::<Vec<_>>(), ["lib/tool.py", "lib/up", "run"]);
        let said = |may_grow: bool| changed(&manifest, &before, &files(home.path()).unwrap(), may_grow);
        write("lib/__pycache__/tool.pyc", "x");
        assert_eq!(said(false), None);
        write("lib/own.log", "x");
        assert_eq!((said(false).as_deref(), said(true)), (Some("its file lib/own.log was added"), None));
        write("run", "two");
        assert_eq!(said(true).as_deref(), Some("its program run was changed"));
        fs::remove_file(home.path().join("lib/tool.py")).unwrap();
        assert_eq!(said(true).as_deref(), Some("its file lib/tool.py is gone"));
        assert!(files(Path::new("")).unwrap().is_empty(), "what is built in has no directory");
    }
}
