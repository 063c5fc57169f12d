//! `.dockerignore`: which paths of a context are left out. The last line that fits decides, and what fits a directory fits
//! all below it.

use regex::{Regex, RegexBuilder};

/// Nobody writes as many lines; each becomes a program that is kept, and is asked about every file.
const MOST_LINES: usize = 1000;
/// No path is longer.
const LONGEST_LINE: usize = 4096;
/// Bytes of the program that a line becomes.
const LARGEST: usize = 1 << 18;

/// Lines of a list.
#[derive(Default)]
pub(super) struct Ignore {
    lines: Vec<Line>,
}

struct Line {
    pattern: Regex,
    is_exception: bool,
}

impl Ignore {
    /// A list that asks too much of us is refused.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let said = |line: &&str| !line.starts_with('#') && !line.trim().is_empty();
        let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().filter(said).collect();
        if lines.len() > MOST_LINES {
            return Err(format!("it has more than {MOST_LINES} lines"));
        }
        if lines.iter().any(|line| line.len() > LONGEST_LINE) {
            return Err(format!("a line of it has more than {LONGEST_LINE} bytes"));
        }
        let lines: Result<Vec<_>, String> = lines.into_iter().map(Line::parse).collect();
        Ok(Self { lines: lines?.into_iter().flatten().collect() })
    }

    /// Whether something below a directory that is left out may be wanted.
    pub(super) fn has_exceptions(&self) -> bool {
        self.lines.iter().any(|line| line.is_exception)
    }

    pub(super) fn excludes(&self, path: &str) -> bool {
        let last = self.lines.iter().rev().find(|line| line.pattern.is_match(path));
        last.is_some_and(|line| !line.is_exception)
    }
}

impl Line {
    /// None for one that says nothing.
    fn parse(line: &str) -> Result<Option<Self>, String> {
        let line = line.trim();
        let (is_exception, pattern) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
        let parts: Vec<&str> = pattern.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if parts.is_empty() {
            return Ok(None);
        }
        let mut expression = String::from("^");
        for (number, part) in parts.iter().enumerate() {
            let is_last = number + 1 == parts.len();
            match (*part, is_last) {
                ("**", true) => expression.push_str(".*"),
                ("**", false) => expression.push_str("(?:.*/)?"),
                (part, _) => {
                    expression.push_str(&translated(part));
                    expression.push_str(if is_last { "" } else { "/" });
                }
            }
        }
        expression.push_str("(?:/.*)?$");
        match RegexBuilder::new(&expression).size_limit(LARGEST).dfa_size_limit(LARGEST).build() {
            Ok(pattern) => Ok(Some(Self { pattern, is_exception })),
            Err(regex::Error::CompiledTooBig(_)) => Err(format!("'{line}' asks too much")),
            // A class that is no class fits nothing, as Docker's own client has it.
            Err(_) => Ok(None),
        }
    }
}

/// One part of a path.
fn translated(part: &str) -> String {
    let mut expression = String::new();
    let mut letters = part.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' => {
                let several = letters.next_if_eq(&'*').is_some();
                expression.push_str(if several { ".*" } else { "[^/]*" });
            }
            '?' => expression.push_str("[^/]"),
            '[' | ']' | '^' | '-' => expression.push(letter),
            '\\' => expression.extend(letters.next().map(|next| regex::escape(&next.to_string()))),
            letter => expression.push_str(&regex::escape(&letter.to_string())),
        }
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_dockers_own_client_has_it() {
        let check = |text: &str, path: &str, expected: bool| {
            assert_eq!(Ignore::parse(text).unwrap().excludes(path), expected, "{text:?} {path}");
        };
        check("# no\n\n  \n", "no", false);
        check("a", "a", true);
        check("a", "a/b/c", true);
        check("a", "b/a", false);
        check("/a/", "a", true);
        check("./a", "a/x", true);
        check("*.key", "site.key", true);
        check("*.key", "sub/site.key", false);
        check("**/*.key", "sub/dir/site.key", true);
        check("**/*.key", "site.key", true);
        check("*/temp*", "sub/temporary.txt", true);
        check("*/temp*", "temp", false);
        check("temp?", "tempa", true);
        check("temp?", "temp", false);
        check("[ab].txt", "a.txt", true);
        check("[ab].txt", "c.txt", false);
        check("a.c", "abc", false);
        check("\\*", "*", true);
        check("\\*", "x", false);
        check("*\n!README*\nREADME-secret.md", "README.md", false);
        check("*\n!README*\nREADME-secret.md", "README-secret.md", true);
        check("*\n!keep", "keep/below", false);
        check("docs/**", "docs/a/b", true);
        check("a/**/z", "a/z", true);
        check("a/**/z", "a/b/c/z", true);
        check("[", "[", false);
    }

    #[test]
    fn what_asks_too_much_is_refused() {
        let refused = |text: &str| Ignore::parse(text).err().unwrap_or_default();
        assert_eq!(refused(&"\n# no\n".repeat(MOST_LINES)), "");
        assert!(refused(&"a\n".repeat(MOST_LINES + 1)).contains("more than 1000 lines"));
        assert!(refused(&"a".repeat(LONGEST_LINE + 1)).contains("more than 4096 bytes"));
        assert!(refused(&"?".repeat(LONGEST_LINE)).ends_with("asks too much"));
    }
}
