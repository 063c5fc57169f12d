//! `*` and `?` in the last part of a path.

use std::path::{Path, PathBuf};

/// The files that a path stands for, by name; hidden ones only where the pattern begins with a dot.
pub(super) fn find(path: &str) -> Result<Vec<PathBuf>, String> {
    if !path.contains(['*', '?']) {
        return Ok(vec![super::there(path)?]);
    }
    let (directory, pattern) = super::absolute(path)?.rsplit_once('/').unwrap_or(("", path));
    if directory.contains(['*', '?']) {
        return Err(format!("'{path}' has a wildcard before its last '/'"));
    }
    let directory = if directory.is_empty() { Path::new("/") } else { Path::new(directory) };
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            (!name.starts_with('.') || pattern.starts_with('.')) && fits(pattern, &name)
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    if found.is_empty() { Err(format!("nothing fits {path}")) } else { Ok(found) }
}

fn fits(pattern: &str, name: &str) -> bool {
    let mut letters = pattern.chars();
    match letters.next() {
        None => name.is_empty(),
        Some('*') => {
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter().any(|at| fits(letters.as_str(), &name[at..]))
        }
        Some(letter) => {
            let mut rest = name.chars();
            rest.next().is_some_and(|found| letter == '?' || found == letter) && fits(letters.as_str(), rest.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_are_any_text_and_marks_any_letter() {
        let check =
            |pattern: &str, name: &str, expected: bool| assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        check("*", "", true);
        check("*.conf", "a.conf", true);
        check("*.conf", "a.conf.old", false);
        check("n?", "nü", true);
        check("n?", "n", false);
        check("a*b*c", "axxbyyc", true);
        check("a*b*c", "acb", false);
    }
}
