//! Regular expressions as admins of xCAT write them: Perl's dialect, on the engine of crate `regex`.
//!
//! That engine never backtracks, so no pattern can hang a command; what it leaves out (look-around and
//! back-references) is an error that says so.

use std::borrow::Cow;

use regex::Regex;

/// Says why a pattern was refused, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

/// Compiles a pattern of Perl's dialect; it matches anywhere unless it anchors itself.
pub fn compile(pattern: &str) -> Result<Regex, PatternError> {
    Ok(Regex::new(&in_our_dialect(pattern))?)
}

/// The one escape that Perl admins use and `regex` lacks: `\Z`, which on text without newlines is `\z`.
fn in_our_dialect(pattern: &str) -> Cow<'_, str> {
    if !pattern.contains(r"\Z") {
        return Cow::Borrowed(pattern);
    }
    let mut escaped = false;
    let translate = |c: char| {
        let after_backslash = escaped;
        escaped = c == '\\' && !after_backslash;
        if after_backslash && c == 'Z' { 'z' } else { c }
    };
    Cow::Owned(pattern.chars().map(translate).collect())
}

impl From<regex::Error> for PatternError {
    /// The last line of the engine's drawing says what is wrong; the lines above only repeat the pattern.
    fn from(error: regex::Error) -> Self {
        if let regex::Error::CompiledTooBig(_) = error {
            return Self("the pattern is too big".to_owned());
        }
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        Self(last.strip_prefix("error: ").unwrap_or(last).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(compile(pattern).unwrap().is_match(text), expected, "{pattern} on {text}");
    }

    #[test]
    fn speaks_perl() {
        check(r"^node\d+\Z", "node12", true);
        check(r"^node\d+\Z", "node12x", false);
        check(r"\A\D+\z", "node", true);
        check(r"\\Z", r"a\Z", true);
        check(r"\\Z", "a", false);
        check("a|b", "xbx", true);
    }

    #[test]
    fn says_why_in_one_line() {
        let why = |pattern: &str| compile(pattern).unwrap_err().to_string();
        assert_eq!(why("a("), "unclosed group");
        assert!(why("(?=a)").starts_with("look-around"), "{}", why("(?=a)"));
        assert_eq!(why(r"(\d{1000}){1000}"), "the pattern is too big");
        assert!(!why(&"(".repeat(10_000)).contains('\n'));
    }
}
