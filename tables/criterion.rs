//! Conditions on a value: `mgt==ipmi`, `nodelist.status!=booted`, `os=~^rhels`; unset counts as the empty text.
//!
//! One surprise is xCAT's: to `tabdump -w`, `=~` means SQL's LIKE, while everywhere else it means a regular expression.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};

use crate::pattern::{self, PatternError};

/// A condition on one attribute or column, compiled once.
#[derive(Debug, Clone)]
pub struct Criterion {
    /// What stands before the operator; which keys there are is up to the caller.
    pub key: String,
    pub operator: Operator,
    /// What stands after the operator.
    pub value: String,
    /// What `=~` and `!~` look for.
    pattern: Option<Regex>,
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `==` or `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Matches,
    /// `!~`
    NotMatches,
    /// `<`; numbers by size, other texts by their characters
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// Longer spellings stand before those that they begin with.
const SPELLINGS: [(&str, Operator); 9] = [
    ("==", Operator::Equal),
    ("=~", Operator::Matches),
    ("=", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("!~", Operator::NotMatches),
    ("<=", Operator::LessOrEqual),
    ("<", Operator::Less),
    (">=", Operator::GreaterOrEqual),
    (">", Operator::Greater),
];

/// Says why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CriterionError {
    #[error("'{0}' has no operator, expected one of == != =~ !~ = < <= > >=")]
    NoOperator(String),
    #[error("'{0}' names no attribute before its operator")]
    NoKey(String),
    #[error("bad regular expression '{pattern}': {reason}")]
    Pattern { pattern: String, reason: PatternError },
}

impl Criterion {
    /// Reads a condition whose `=~` and `!~` take a regular expression, unanchored, within `/ /` or bare.
    pub fn parse(text: &str) -> Result<Self, CriterionError> {
        let (key, operator, value) = split(text)?;
        Self::new(key, operator, value)
    }

    /// A condition that was taken apart elsewhere, as in a noderange; otherwise like [`Self::parse`].
    pub fn new(key: &str, operator: Operator, value: &str) -> Result<Self, CriterionError> {
        Self::compiled(key, operator, value, within_slashes)
    }

    /// Reads a condition of `tabdump -w`, whose `=~` and `!~` take SQL's LIKE: `%` is any text, `_` any character.
    pub fn parse_like(text: &str) -> Result<Self, CriterionError> {
        let (key, operator, value) = split(text)?;
        Self::compiled(key, operator, value, like)
    }

    fn compiled(
        key: &str,
        operator: Operator,
        value: &str,
        compile: fn(&str) -> Result<Regex, PatternError>,
    ) -> Result<Self, CriterionError> {
        let refused = |reason| CriterionError::Pattern { pattern: value.to_owned(), reason };
        let pattern = match operator {
            Operator::Matches | Operator::NotMatches => Some(compile(value).map_err(refused)?),
            _ => None,
        };
        Ok(Self { key: key.to_owned(), operator, value: value.to_owned(), pattern })
    }

    /// Tells whether a value fulfils the condition.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let value = value.unwrap_or_default();
        let found = || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(value));
        match self.operator {
            Operator::Equal => value == self.value,
            Operator::NotEqual => value != self.value,
            Operator::Matches => found(),
            Operator::NotMatches => !found(),
            Operator::Less => compare(value, &self.value).is_lt(),
            Operator::LessOrEqual => compare(value, &self.value).is_le(),
            Operator::Greater => compare(value, &self.value).is_gt(),
            Operator::GreaterOrEqual => compare(value, &self.value).is_ge(),
        }
    }
}

fn split(text: &str) -> Result<(&str, Operator, &str), CriterionError> {
    let no_operator = || CriterionError::NoOperator(text.to_owned());
    let at = text.find(['=', '!', '<', '>']).ok_or_else(no_operator)?;
    let (key, rest) = text.split_at(at);
    let spelled = SPELLINGS.iter().find_map(|(spelling, operator)| Some((*operator, rest.strip_prefix(spelling)?)));
    let (operator, value) = spelled.ok_or_else(no_operator)?;
    match key.trim() {
        "" => Err(CriterionError::NoKey(text.to_owned())),
        key => Ok((key, operator, value.trim())),
    }
}

fn within_slashes(value: &str) -> Result<Regex, PatternError> {
    let within = value.strip_prefix('/').and_then(|value| value.strip_suffix('/'));
    pattern::compile(within.unwrap_or(value))
}

/// LIKE as SQLite has it: the whole value, without regard to case.
fn like(value: &str) -> Result<Regex, PatternError> {
    let mut pattern = String::from("^");
    for c in value.chars() {
        match c {
            '%' => pattern.push_str(".*"),
            '_' => pattern.push('.'),
            other => pattern.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    pattern.push('$');
    Ok(RegexBuilder::new(&pattern).case_insensitive(true).dot_matches_new_line(true).build()?)
}

fn compare(left: &str, right: &str) -> Ordering {
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left.total_cmp(&right),
        _ => left.cmp(right),
    }
}

/// Leaves words that Rust reads as numbers, such as `inf`, to the comparison of texts.
fn number(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, value: &str, expected: bool) {
        let criterion = Criterion::parse(text).unwrap();
        assert_eq!(criterion.matches(Some(value)), expected, "{text} on '{value}'");
        if value.is_empty() {
            assert_eq!(criterion.matches(None), expected, "{text} on unset");
        }
    }

    fn check_like(text: &str, value: &str, expected: bool) {
        assert_eq!(Criterion::parse_like(text).unwrap().matches(Some(value)), expected, "{text} on '{value}'");
    }

    #[test]
    fn compares_text() {
        check("mgt==ipmi", "ipmi", true);
        check("mgt=ipmi", "ipmi", true);
        check("mgt==ipmi", "Ipmi", false);
        check("mgt!=ipmi", "ipmi", false);
        check("mgt!=ipmi", "", true);
        check("nodelist.status==", "", true);
        check("nodelist.status==", "booted", false);
        check(" mgt == ipmi ", "ipmi", true);
        check("vmothersettings==a=b", "a=b", true);
    }

    #[test]
    fn looks_for_a_regular_expression() {
        check("groups=~lin", "all,linux", true);
        check("groups=~^lin", "all,linux", false);
        check("groups=~/linux$/", "all,linux", true);
        check("mgt=~^(a|b)$", "b", true);
        check("mgt=~^(a|b)$", "ab", false);
        check("os!~rh", "sles", true);
        check("os!~rh", "", true);
        check("os!~/rh/", "rhels8", false);
        check("path=~/", "a/b", true);
        check("os=~", "", true);
    }

    #[test]
    fn takes_parts_as_they_are() {
        let criterion = Criterion::new("os", Operator::Equal, "=~ x").unwrap();
        assert!(criterion.matches(Some("=~ x")) && !criterion.matches(Some("x")));
        assert!(Criterion::new("os", Operator::Matches, "/^rh/").unwrap().matches(Some("rhels")));
        assert!(Criterion::new("os", Operator::NotMatches, "(").is_err());
    }

    #[test]
    fn compares_sizes() {
        check("recid<10", "9", true);
        check("recid<10", "10", false);
        check("recid<=10", "10", true);
        check("recid>9", "10", true);
        check("recid>=10", "9.5", false);
        check("name<b", "a10", true);
        check("name>10", "a", true);
        check("recid<10", "", true);
    }

    #[test]
    fn like_is_sql() {
        check_like("node=~n1%", "N10", true);
        check_like("node=~n1%", "xn10", false);
        check_like("node=~n_", "n1", true);
        check_like("node=~n_", "n10", false);
        check_like("node=~a.c", "abc", false);
        check_like("comments=~a%b", "a\nb", true);
        check_like("node!~%1", "n2", true);
        check_like("node==n%", "n1", false);
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Criterion::parse(text).unwrap_err().to_string(), expected);
        };
        check("mgt", "'mgt' has no operator, expected one of == != =~ !~ = < <= > >=");
        check("mgt!x", "'mgt!x' has no operator, expected one of == != =~ !~ = < <= > >=");
        check("==x", "'==x' names no attribute before its operator");
        check("mgt=~(", "bad regular expression '(': unclosed group");
    }

    proptest! {
        #[test]
        fn a_condition_and_its_opposite_differ(key in "[a-z.]{1,8}", value in "[^= \t\r\n].{0,8}", other in ".{0,8}") {
            for (one, opposite) in [("==", "!="), ("=~", "!~"), ("<", ">="), (">", "<=")] {
                let parsed = [one, opposite].map(|operator| Criterion::parse(&format!("{key}{operator}{value}")));
                if let [Ok(one), Ok(opposite)] = parsed {
                    prop_assert_ne!(one.matches(Some(&other)), opposite.matches(Some(&other)));
                }
            }
        }

        #[test]
        fn like_without_wildcards_is_equality(value in "[^%_]{0,8}") {
            let criterion = Criterion::parse_like(&format!("key=~{value}")).unwrap();
            prop_assert!(criterion.matches(Some(value.trim())));
            let longer = format!("{}x", value.trim());
            prop_assert!(!criterion.matches(Some(&longer)));
        }
    }
}
