//! A directory of packages that apt takes as it is: `deb [trusted=yes] URL ./`. Beside each package lies what its index says of it, so
//! that the index is made anew of what is there, whatever was imported when.

use std::fs;
use std::io;
use std::path::Path;

use super::list::{List, Member};
use super::replace;
use crate::failure::Failure;

/// Writes down what a package says of itself.
pub(crate) fn describe(directory: &Path, file: &str, control: &str, member: &Member) -> Result<(), Failure> {
    let text = format!("{control}\nFilename: ./{file}\nSize: {}\nSHA256: {}\n", member.size, member.sha256);
    replace(&directory.join(format!("{file}.control")), text.as_bytes())
}

/// Makes the index of a directory; how many packages it has.
pub(crate) fn make(directory: &Path) -> Result<usize, Failure> {
    let failed = |error: io::Error| Failure::refused(format!("cannot read {}: {error}", directory.display()));
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".control").map(str::to_owned));
    }
    // A package whose file is not there was never whole, or somebody has taken it away.
    names.retain(|name| directory.join(name).is_file());
    names.sort();
    let mut index = String::new();
    for name in &names {
        index.push_str(&fs::read_to_string(directory.join(format!("{name}.control"))).map_err(failed)?);
        index.push('\n');
    }
    replace(&directory.join("Packages"), index.as_bytes())?;
    Ok(names.len())
}

/// What a list says of a member that is a package.
pub(crate) fn control<'a>(list: &'a List, member: &Member) -> &'a str {
    let package = list.packages.iter().find(|package| package.member == member.name);
    package.map_or("", |package| package.control.as_str())
}

/// Lines of a control file: none is empty, which would begin another package, and none says what the index says.
pub(super) fn is_control(text: &str) -> bool {
    let ours = ["filename:", "size:", "sha256:", "md5sum:", "sha1:", "sha512:"];
    let is_line = |line: &str| {
        let lower = line.to_ascii_lowercase();
        !line.trim().is_empty() && !line.contains('\r') && !ours.iter().any(|field| lower.starts_with(field))
    };
    text.len() < 1 << 20 && text.lines().any(|line| line.starts_with("Package: ")) && text.lines().all(is_line)
}
