//! What a synclist comes to on one node: only what differs there is copied, and what depends on a change runs then.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use plugins::{Backends, Invocation, Program};
use sha2::{Digest, Sha256};
use tables::Node;

use super::{Addition, Copy, Synclist};
use crate::failure::Failure;
use crate::remote::{self, Line};
use crate::reply::Answer;

/// Prints for each pair of destination and name what is at the destination, or under the name where that is a directory.
const LOOK: &str = r#"while [ $# -gt 1 ]; do
    place=$1
    [ -z "$2" ] || { [ -d "$1" ] && place=${1%/}/$2; }
    { sha256sum <"$place"; } 2>/dev/null || echo -
    shift 2
done"#;

/// Adds standard input to the file as it was before anything was ever added to it.
const APPEND: &str = r#"file=$1 kept=$2/org$1
[ -f "$file" ] || { echo "$file: no such file" >&2; exit 1; }
[ -f "$kept" ] || { mkdir -p "${kept%/*}" && cp -p "$file" "$kept"; } || exit 1
umask 077 && cat "$kept" - >"$kept.new" || exit 1
cmp -s "$kept.new" "$file" || cat "$kept.new" >"$file" || exit 1
rm -f "$kept.new""#;

/// Puts the lines of standard input in the place of those with the same name, the others at the end.
const MERGE: &str = r#"new=$1.xcrane
cp -p "$1" "$new" && awk -F: '
    from == 1 { if (!($1 in line)) order[++count] = $1; line[$1] = $0; next }
    $1 in line { print line[$1]; done[$1] = 1; next }
    { print }
    END { for (i = 1; i <= count; i++) if (!(order[i] in done)) print line[order[i]] }
' from=1 - from=2 "$1" >"$new" && mv "$new" "$1""#;

/// A script that was copied need not be executable.
const RUN: &str = r#"if [ -x "$0" ]; then exec "$0"; fi; exec sh "$0""#;

/// Where the originals of files that something was added to are kept on a node.
pub(crate) const KEPT: &str = "/var/xcat/node/syncfiles";

/// How to reach a node, and as whom.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a> {
    pub(crate) backends: &'a Backends,
    pub(crate) node: &'a Node,
    pub(crate) user: Option<&'a str>,
    /// Site attribute `nodesyncfiledir`.
    pub(crate) kept: &'a str,
}

/// A file here and where it goes.
struct Piece {
    source: PathBuf,
    destination: String,
    /// Looked for under the destination where that is a directory; empty where it is the file itself.
    name: String,
}

/// Makes a node as the list says; `is_for` tells of a noderange whether it holds the node. Returns what scripts said.
pub(crate) async fn sync(way: Way<'_>, list: &Synclist, is_for: impl Fn(&str) -> bool) -> Result<Answer, Failure> {
    let copies: Vec<&Copy> = list.copies.iter().filter(|copy| copy.range.as_deref().is_none_or(&is_for)).collect();
    let mut new = HashSet::new();
    for (copy, changed) in copies.iter().zip(way.changed(&copies).await?) {
        if !changed.is_empty() {
            way.copy(copy, &changed).await?;
            new.extend(changed);
        }
    }
    for Addition { source, file } in &list.append {
        way.feed(APPEND, &[file, way.kept], source).await?;
    }
    for Addition { source, file } in &list.merge {
        way.feed(MERGE, &[file], source).await?;
    }
    let mut said = Answer::silent();
    let is_due = |script: &&PathBuf| {
        let of = script.to_string_lossy();
        new.contains(Path::new(of.strip_suffix(".post").unwrap_or(&of)))
    };
    for script in list.execute.iter().filter(is_due).chain(&list.always) {
        let place = copies.iter().find_map(|copy| place_of(copy, script));
        way.execute(script, place.as_deref(), &mut said).await?;
    }
    Ok(said)
}

impl Way<'_> {
    /// The sources of each copy that the node lacks or has otherwise.
    async fn changed(&self, copies: &[&Copy]) -> Result<Vec<Vec<PathBuf>>, Failure> {
        let mut pieces = Vec::new();
        for (index, copy) in copies.iter().enumerate() {
            for source in &copy.sources {
                pieces.extend(pieces_of(copy, source)?.into_iter().map(|piece| (index, source, piece)));
            }
        }
        let pairs = pieces.iter().flat_map(|(_, _, piece)| [piece.destination.as_str(), piece.name.as_str()]);
        let said = self.run(LOOK, &pairs.collect::<Vec<_>>(), Vec::new()).await?;
        let mut changed = vec![Vec::new(); copies.len()];
        for ((index, source, piece), found) in
            pieces.iter().zip(said.lines.iter().map(String::as_str).chain(std::iter::repeat("-")))
        {
            let sources: &mut Vec<PathBuf> = &mut changed[*index];
            if !sources.contains(source) && found.split_whitespace().next() != Some(&sum(&piece.source)?) {
                sources.push((*source).clone());
            }
        }
        Ok(changed)
    }

    async fn copy(&self, copy: &Copy, sources: &[PathBuf]) -> Result<(), Failure> {
        let directory = match copy.into {
            true => copy.destination.as_str(),
            false => copy.destination.rsplit_once('/').map_or("/", |(directory, _)| directory),
        };
        if !directory.is_empty() {
            self.run("mkdir -p -- \"$1\"", &[directory], Vec::new()).await?;
        }
        Ok(self.backends.files(self.node)?.put(self.node, self.user, sources, &copy.destination).await?)
    }

    /// Runs one of the scripts above with a file on its standard input.
    async fn feed(&self, script: &str, arguments: &[&str], source: &Path) -> Result<(), Failure> {
        let input = std::fs::read(source).map_err(|error| unreadable(source, &error))?;
        self.run(script, arguments, input).await.map(drop)
    }

    async fn run(&self, script: &str, arguments: &[&str], stdin: Vec<u8>) -> Result<Answer, Failure> {
        let argv = ["sh", "-c", script, "sh"].into_iter().chain(arguments.iter().copied()).map(str::to_owned).collect();
        let mut said = Answer::silent();
        let code = self.invoke(Program::Argv(argv), stdin, &mut said).await?;
        match (code, said.errors.pop()) {
            (0, _) => Ok(said),
            (_, Some(why)) => Err(Failure::refused(why)),
            (code, None) => Err(Failure::refused(format!("the node's shell exited with {code}"))),
        }
    }

    /// Runs a script of the list, where it was copied to or else from here.
    async fn execute(&self, script: &Path, place: Option<&str>, said: &mut Answer) -> Result<(), Failure> {
        let (argv, stdin) = match place {
            Some(place) => (vec!["sh", "-c", RUN, place], Vec::new()),
            None => (vec!["sh", "-s"], std::fs::read(script).map_err(|error| unreadable(script, &error))?),
        };
        let argv = argv.into_iter().map(str::to_owned).collect();
        match self.invoke(Program::Argv(argv), stdin, said).await? {
            0 => Ok(()),
            code => {
                let why = format!("{} exited with {code}", script.display());
                Err(Failure::refused(why).after(std::mem::take(said)))
            }
        }
    }

    async fn invoke(&self, program: Program, stdin: Vec<u8>, said: &mut Answer) -> Result<i64, Failure> {
        let user = self.user.map(str::to_owned);
        let invocation = Invocation { program, user, stdin, ..Invocation::default() };
        let hear = |line: Line| match line {
            Line::Stdout(text) => said.lines.push(text),
            Line::Stderr(text) => said.errors.push(text),
        };
        remote::run(self.backends, self.node, &invocation, None, hear).await
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::refused(format!("cannot read {}: {error}", path.display()))
}

/// Every file that copying `source` makes on the node.
fn pieces_of(copy: &Copy, source: &Path) -> Result<Vec<Piece>, Failure> {
    let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let destination = match copy.into {
        true => format!("{}/{name}", copy.destination.trim_end_matches('/')),
        false => copy.destination.clone(),
    };
    let name = if copy.into { String::new() } else { name };
    if !source.is_dir() {
        return Ok(vec![Piece { source: source.to_owned(), destination, name }]);
    }
    let mut pieces = Vec::new();
    for entry in std::fs::read_dir(source).map_err(|error| unreadable(source, &error))? {
        let path = entry.map_err(|error| unreadable(source, &error))?.path();
        let inner = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let below =
            Copy { sources: Vec::new(), range: None, destination: format!("{destination}/{inner}"), into: false };
        pieces.extend(pieces_of(&below, &path)?.into_iter().map(|piece| Piece { name: String::new(), ..piece }));
    }
    Ok(pieces)
}

/// Where a script stands on the node if the list copies it there.
fn place_of(copy: &Copy, script: &Path) -> Option<String> {
    let source = copy.sources.iter().find(|source| source.as_path() == script)?;
    let piece = pieces_of(copy, source).ok()?.pop()?;
    Some(piece.destination)
}

/// What sha256sum prints of a file.
fn sum(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    Ok(plugins::hex(&Sha256::digest(bytes)))
}
