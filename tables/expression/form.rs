//! The three forms of a cell: taken apart once, applied to many names.

use std::borrow::Cow;
use std::ops::Range;

use regex::Regex;

use super::arithmetic::{self, Expression};
use super::parse::parse_parentheses;
use super::{ExpressionError, Fault, MAX_LENGTH, Problem};

/// A cell taken apart.
#[derive(Debug)]
pub(super) enum Form {
    /// Text that only looked like an expression.
    Path,
    /// `/left/right/`; `right` is a span of the cell.
    Replace { left: Regex, right: Range<usize>, may_be_path: bool },
    /// `|left|right|`
    Calculate { left: Regex, right: Vec<Piece> },
    /// `|right|`
    Numbers { right: Vec<Piece> },
}

/// A part of a right side.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Calculated(Expression),
}

impl Form {
    /// Takes apart a cell that [`super::is_expression`] let through.
    pub(super) fn parse(cell: &str) -> Result<Self, ExpressionError> {
        if cell.len() > MAX_LENGTH {
            return Err(Fault { at: 0, problem: Problem::TooLong }.of(cell));
        }
        let form = if cell.starts_with('/') { parse_replace(cell) } else { parse_calculate(cell) };
        form.map_err(|fault| fault.of(cell))
    }

    /// The value for a node, `None` when the name does not fit.
    pub(super) fn value<'a>(&self, cell: &'a str, node: &str) -> Result<Option<Cow<'a, str>>, Fault> {
        match self {
            Self::Path => Ok(Some(Cow::Borrowed(cell))),
            Self::Replace { left, right, may_be_path } => Ok(match left.find(node) {
                Some(found) => Some(replaced(node, found.range(), &cell[right.clone()])),
                None => may_be_path.then_some(Cow::Borrowed(cell)),
            }),
            Self::Calculate { left, right } => {
                let Some(captures) = left.captures(node) else { return Ok(None) };
                let captured: Vec<&str> =
                    captures.iter().skip(1).map(|group| group.map_or("", |group| group.as_str())).collect();
                let matched = captures.get(0).map_or(0..0, |whole| whole.range());
                Ok(Some(replaced(node, matched, &joined(right, &captured)?)))
            }
            Self::Numbers { right } => Ok(Some(Cow::Owned(joined(right, &numbers(node))?))),
        }
    }
}

fn parse_replace(cell: &str) -> Result<Form, Fault> {
    let middle = 1 + cell[1..].find('/').ok_or(Fault { at: 1, problem: Problem::Expected("'/'") })?;
    let left = &cell[1..middle];
    if left.is_empty() {
        return Ok(Form::Path);
    }
    let may_be_path = !left.contains(['\\', '^', '$', '*', '?', '(', ')', '[', ']', '{', '}', '|']);
    Ok(Form::Replace { left: compile(left, 1)?, right: middle + 1..cell.len() - 1, may_be_path })
}

fn parse_calculate(cell: &str) -> Result<Form, Fault> {
    let end = cell.len() - 1;
    let Some(middle) = end_of_pattern(&cell[1..end]).map(|length| 1 + length) else {
        return Ok(Form::Numbers { right: parse_right(cell, 1..end, None)? });
    };
    if middle == 1 {
        return Err(Fault { at: 1, problem: Problem::EmptyPattern });
    }
    let left = compile(&cell[1..middle], 1)?;
    let right = parse_right(cell, middle + 1..end, Some(left.captures_len() - 1))?;
    Ok(Form::Calculate { left, right })
}

/// Where the `|` stands that ends the pattern: the first one outside `( )`, `[ ]` and escapes.
fn end_of_pattern(text: &str) -> Option<usize> {
    let (mut depth, mut in_class, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b']' => in_class = false,
            _ if in_class => {}
            b'[' => in_class = true,
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'|' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

fn compile(pattern: &str, at: usize) -> Result<Regex, Fault> {
    crate::pattern::compile(pattern).map_err(|error| Fault { at, problem: error.into() })
}

/// Splits a right side into text and calculations; `captured` is how many `$n` there are, if that is known.
fn parse_right(cell: &str, span: Range<usize>, captured: Option<usize>) -> Result<Vec<Piece>, Fault> {
    let text = &cell[..span.end];
    let mut pieces = Vec::new();
    let mut at = span.start;
    while let Some(length) = text[at..].find(['(', ')']) {
        let parenthesis = at + length;
        if text.as_bytes()[parenthesis] == b')' {
            return Err(Fault { at: parenthesis, problem: Problem::Expected("'(' before this ')'") });
        }
        if length > 0 {
            pieces.push(Piece::Text(text[at..parenthesis].to_owned()));
        }
        let (expression, end) = parse_parentheses(text, parenthesis, captured)?;
        pieces.push(Piece::Calculated(expression));
        at = end;
    }
    if at < text.len() {
        pieces.push(Piece::Text(text[at..].to_owned()));
    }
    Ok(pieces)
}

fn joined(pieces: &[Piece], captured: &[&str]) -> Result<String, Fault> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(literal) => text.push_str(literal),
            Piece::Calculated(expression) => text.push_str(&arithmetic::evaluate(expression, captured)?.text()),
        }
    }
    Ok(text)
}

fn replaced<'a>(node: &str, matched: Range<usize>, by: &str) -> Cow<'a, str> {
    Cow::Owned([&node[..matched.start], by, &node[matched.end..]].concat())
}

/// The numbers in a name, without leading zeros.
fn numbers(node: &str) -> Vec<&str> {
    node.split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(|digits| match digits.trim_start_matches('0') {
            "" => "0",
            stripped => stripped,
        })
        .collect()
}
