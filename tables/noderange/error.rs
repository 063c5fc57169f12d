//! What can be wrong with a range, and where in its text.

use std::fmt;
use std::sync::Arc;

use super::LIMIT;
use super::fold::fold;
use crate::pattern::PatternError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a [`super::World`] could not answer.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A refused range.
#[derive(Debug, Clone)]
pub struct Error {
    pub kind: Kind,
    /// The range as it was read, that is without quotes; a line of a file when `file` is set.
    pub range: String,
    /// The byte in `range` at which the trouble starts.
    pub at: usize,
    pub file: Option<FileLine>,
}

/// The line of a file named by a `^path` atom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLine {
    pub path: String,
    pub line: usize,
}

/// What is wrong, by what the caller could do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Kind {
    /// There is no atom in the range at all. Must never be taken for "all nodes".
    #[error("the noderange is blank")]
    Nothing,
    /// These are neither nodes nor groups.
    #[error("Invalid nodes and/or groups in noderange: {}", list(names))]
    Unknown { names: Vec<String> },
    #[error("{0}")]
    Syntax(String),
    #[error("the range '{0}' runs downwards")]
    Descending(String),
    #[error("the range '{0}' mixes zero-padded and other widths")]
    Widths(String),
    #[error("the noderange writes out more than {LIMIT} names")]
    TooMany,
    #[error("Invalid regular expression '{pattern}', check the noderange syntax")]
    Regex { pattern: String, source: PatternError },
    /// The world failed, or knows no such attribute.
    #[error("cannot {doing}")]
    World { doing: String, source: Arc<dyn std::error::Error + Send + Sync> },
}

/// Up to so many unknown names are told one by one.
const FEW: usize = 100;

/// The names as they were met; a flood of them folded, so that the message stays readable.
fn list(names: &[String]) -> String {
    if names.len() > FEW { fold(names) } else { names.join(",") }
}

/// A kind and a position, not yet tied to the text.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

impl Fault {
    pub(super) fn syntax(at: usize, problem: impl Into<String>) -> Self {
        Self { at, kind: Kind::Syntax(problem.into()) }
    }

    pub(super) fn within(self, range: &str) -> Error {
        Error { kind: self.kind, range: range.to_owned(), at: self.at, file: None }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.kind.source()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if matches!(self.kind, Kind::Syntax(_)) {
            let (shown, _) = window(&self.range, self.at);
            write!(f, " at character {} of noderange '{shown}'", self.column())?;
        }
        match &self.file {
            Some(file) => write!(f, " (line {} of {})", file.line, file.path),
            None => Ok(()),
        }
    }
}

impl Error {
    /// The range, and under it a caret below the character at which the trouble starts.
    ///
    /// ```text
    /// node1,n[1-3,x
    ///        ^
    /// ```
    pub fn diagram(&self) -> String {
        let (shown, before) = window(&self.range, self.at);
        format!("{shown}\n{:before$}^", "")
    }

    /// Counts characters from 1, as people do.
    fn column(&self) -> usize {
        self.range.char_indices().take_while(|(start, _)| *start < self.at).count() + 1
    }
}

/// How much of a long range is shown on either side of the trouble.
const REACH: usize = 36;

/// The part of a range round `at` that fits on a terminal line, and how many characters of it stand before `at`.
fn window(range: &str, at: usize) -> (String, usize) {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let characters: Vec<char> = range.chars().map(printable).collect();
    let column = range.char_indices().take_while(|(start, _)| *start < at).count();
    let first = column.saturating_sub(REACH);
    let last = characters.len().min(column + REACH);
    let (head, tail) = (if first > 0 { "…" } else { "" }, if last < characters.len() { "…" } else { "" });
    let shown: String = characters[first..last].iter().collect();
    (format!("{head}{shown}{tail}"), column - first + head.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, at: usize, display: &str, diagram: &str) {
        let error = Fault::syntax(at, "'x' is wrong").within(range);
        assert_eq!(error.to_string(), display);
        assert_eq!(error.diagram(), diagram);
    }

    #[test]
    fn the_caret_stands_under_the_character() {
        check("a,x", 2, "'x' is wrong at character 3 of noderange 'a,x'", "a,x\n  ^");
        check("äö,x", 5, "'x' is wrong at character 4 of noderange 'äö,x'", "äö,x\n   ^");
        check("a,", 2, "'x' is wrong at character 3 of noderange 'a,'", "a,\n  ^");
    }

    #[test]
    fn a_long_range_is_cut_round_the_caret() {
        let range = "n1,".repeat(50) + "x" + &",n2".repeat(50);
        let shown = format!("…{}x{}…", "n1,".repeat(12), ",n2,n2,n2,n2,n2,n2,n2,n2,n2,n2,n2,n");
        let diagram = format!("{shown}\n{}^", " ".repeat(37));
        check(&range, 150, &format!("'x' is wrong at character 151 of noderange '{shown}'"), &diagram);
    }

    #[test]
    fn a_line_of_a_file_is_named() {
        let kind = Kind::Unknown { names: vec!["a".into(), "b".into()] };
        let file = Some(FileLine { path: "/etc/rack".into(), line: 3 });
        let error = Error { kind, range: "a,b".into(), at: 0, file };
        assert_eq!(error.to_string(), "Invalid nodes and/or groups in noderange: a,b (line 3 of /etc/rack)");
    }
}
