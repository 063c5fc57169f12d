//! Synclists: files that say what to copy to nodes and what to do with it there, as xCAT has them.
//!
//! A line is `SOURCE… -> [(NODERANGE)] DESTINATION`. Behind `EXECUTE:` stand scripts for when the file of the same name
//! without `.post` is new on a node, behind `EXECUTEALWAYS:` scripts to run in any case, behind `APPEND:` and `MERGE:`
//! files to add to the end, or into the lines, of a file that the node has.

mod sync;
mod wildcard;

use std::path::{Path, PathBuf};

use crate::failure::Failure;

pub(crate) use sync::{KEPT, Way, sync};

/// Everything that a synclist says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Synclist {
    pub(crate) copies: Vec<Copy>,
    /// Scripts on this machine, each run where the file that it belongs to has changed.
    pub(crate) execute: Vec<PathBuf>,
    pub(crate) always: Vec<PathBuf>,
    pub(crate) append: Vec<Addition>,
    pub(crate) merge: Vec<Addition>,
}

/// A line of files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    /// Wildcards are replaced by what they fit.
    pub(crate) sources: Vec<PathBuf>,
    /// The only nodes it is for.
    pub(crate) range: Option<String>,
    pub(crate) destination: String,
    /// The destination is a directory, whether it is there yet or not.
    pub(crate) into: bool,
}

/// What is added to a file of the node.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Addition {
    pub(crate) source: PathBuf,
    pub(crate) file: String,
}

/// The part of the list that a line stands in.
#[derive(Clone, Copy)]
enum Clause {
    Copy,
    Execute,
    Always,
    Append,
    Merge,
}

/// What a node's own tools know as lines with a name in front.
const MERGED: [&str; 3] = ["/etc/passwd", "/etc/shadow", "/etc/group"];

/// Reads a synclist; every file that it names must be there.
pub(crate) fn read(path: &Path) -> Result<Synclist, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::refused(format!("cannot read {}: {error}", path.display())))?;
    parse(&text).map_err(|(line, why)| Failure::refused(format!("{}:{line}: {why}", path.display())))
}

/// A line's number with what is wrong in it.
type Fault = (usize, String);

fn parse(text: &str) -> Result<Synclist, Fault> {
    let mut list = Synclist::default();
    let mut clause = Clause::Copy;
    for (number, line) in (1..).zip(text.lines()) {
        // A comment may stand behind a line; in a name a '#' has something before it.
        let line = line.find(" #").map_or(line, |comment| &line[..comment]).trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        clause = match line {
            "EXECUTE:" => Clause::Execute,
            "EXECUTEALWAYS:" => Clause::Always,
            "APPEND:" => Clause::Append,
            "MERGE:" => Clause::Merge,
            _ => {
                add(&mut list, clause, line).map_err(|why| (number, why))?;
                clause
            }
        };
    }
    Ok(list)
}

fn add(list: &mut Synclist, clause: Clause, line: &str) -> Result<(), String> {
    match clause {
        Clause::Copy => list.copies.push(copy(line)?),
        Clause::Execute if !line.ends_with(".post") => return Err(format!("'{line}' does not end with .post")),
        Clause::Execute => list.execute.push(there(line)?),
        Clause::Always => list.always.push(there(line)?),
        Clause::Append => list.append.push(addition(line)?),
        Clause::Merge => {
            let addition = addition(line)?;
            if !MERGED.contains(&addition.file.as_str()) {
                return Err(format!("'{}' cannot be merged: only {} can", addition.file, MERGED.join(", ")));
            }
            list.merge.push(addition);
        }
    }
    Ok(())
}

fn copy(line: &str) -> Result<Copy, String> {
    let (sources, rest) = arrow(line)?;
    let (range, destination) = match rest.strip_prefix('(').and_then(|rest| rest.rsplit_once(')')) {
        Some((range, destination)) => (Some(range.trim().to_owned()), destination.trim()),
        None => (None, rest),
    };
    let mut found = Vec::new();
    for source in sources.split_whitespace() {
        found.extend(wildcard::find(source)?);
    }
    let one = sources.split_whitespace().count() == 1 && !sources.contains(['*', '?']);
    let into = !one || destination.ends_with('/');
    if let Some(directory) = found.iter().find(|source| !into && source.is_dir()) {
        return Err(format!("{} is a directory: it goes into one, whose name ends with '/'", directory.display()));
    }
    Ok(Copy { sources: found, range, destination: absolute(destination)?.to_owned(), into })
}

fn addition(line: &str) -> Result<Addition, String> {
    let (source, file) = arrow(line)?;
    Ok(Addition { source: there(source)?, file: absolute(file)?.to_owned() })
}

fn arrow(line: &str) -> Result<(&str, &str), String> {
    let (left, right) =
        line.split_once("->").ok_or_else(|| format!("expected 'SOURCE -> DESTINATION', found '{line}'"))?;
    match (left.trim(), right.trim()) {
        ("", _) | (_, "") => Err(format!("expected 'SOURCE -> DESTINATION', found '{line}'")),
        sides => Ok(sides),
    }
}

fn there(path: &str) -> Result<PathBuf, String> {
    match std::fs::symlink_metadata(absolute(path)?) {
        Ok(_) => Ok(path.into()),
        Err(error) => Err(format!("cannot read {path}: {error}")),
    }
}

/// Where a list is read from must not matter.
fn absolute(path: &str) -> Result<&str, String> {
    if path.starts_with('/') { Ok(path) } else { Err(format!("'{path}' is no absolute path")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(sources: &[&str], range: Option<&str>, destination: &str, into: bool) -> Synclist {
        let sources = sources.iter().map(PathBuf::from).collect();
        let copy = Copy { sources, range: range.map(str::to_owned), destination: destination.into(), into };
        Synclist { copies: vec![copy], ..Synclist::default() }
    }

    #[test]
    fn lines_say_what_goes_where() {
        let check = |text: &str, expected: Synclist| assert_eq!(parse(text), Ok(expected), "{text}");
        check("# nothing\n\n", Synclist::default());
        check("/etc/hosts -> /etc/hosts", copied(&["/etc/hosts"], None, "/etc/hosts", false));
        check("/etc/hosts->/tmp/  # here", copied(&["/etc/hosts"], None, "/tmp/", true));
        check("/etc/hosts /etc/passwd -> /tmp", copied(&["/etc/hosts", "/etc/passwd"], None, "/tmp", true));
        check("/etc/hosts -> (n[1-2],rack1) /x", copied(&["/etc/hosts"], Some("n[1-2],rack1"), "/x", false));
    }

    #[test]
    fn clauses_go_on_to_the_next() {
        let list =
            parse("APPEND:\n/etc/hosts -> /a\nMERGE:\n/etc/hosts -> /etc/group\nEXECUTEALWAYS:\n/bin/true").unwrap();
        assert_eq!(list.append, [Addition { source: "/etc/hosts".into(), file: "/a".into() }]);
        assert_eq!(list.merge, [Addition { source: "/etc/hosts".into(), file: "/etc/group".into() }]);
        assert_eq!(list.always, [PathBuf::from("/bin/true")]);
    }

    #[test]
    fn faults_have_their_line() {
        let check = |text: &str, line: usize, why: &str| assert_eq!(parse(text), Err((line, why.to_owned())), "{text}");
        check("\n/etc/hosts", 2, "expected 'SOURCE -> DESTINATION', found '/etc/hosts'");
        check("/etc/hosts ->", 1, "expected 'SOURCE -> DESTINATION', found '/etc/hosts ->'");
        check("/etc/hosts -> x", 1, "'x' is no absolute path");
        check("/etc -> /x", 1, "/etc is a directory: it goes into one, whose name ends with '/'");
        check("/no/such -> /x", 1, "cannot read /no/such: No such file or directory (os error 2)");
        check("/no/such* -> /x", 1, "nothing fits /no/such*");
        check("EXECUTE:\n/bin/true", 2, "'/bin/true' does not end with .post");
        let merged = "'/etc/motd' cannot be merged: only /etc/passwd, /etc/shadow, /etc/group can";
        check("MERGE:\n/etc/hosts -> /etc/motd", 2, merged);
    }
}
