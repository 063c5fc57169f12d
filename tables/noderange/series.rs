//! Words that stand for many names: `n[1-3,7]`, `n1-n3`, `n1:n3`, `n1+2`.
//!
//! All of them become one [`Series`]: pieces of text with choices between them. A number keeps the width that its left
//! end is written with: `n[08-11]` is n08 n09 n10 n11, and `n[8-11]` is n8 n9 n10 n11.

use super::LIMIT;
use super::error::{Fault, Kind};
use super::names::{Builder, Names};
use super::tree::Shape;

/// No name is longer (a DNS name is not), and without a limit a million names could fill any memory.
const LONGEST: usize = 255;

#[derive(Debug, Clone)]
pub(super) struct Series {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Choices(Vec<Choice>),
}

#[derive(Debug, Clone)]
enum Choice {
    Text(String),
    Numbers(Numbers),
}

/// The numbers `from..=to` between two texts, zero-padded to `width`.
#[derive(Debug, Clone)]
struct Numbers {
    before: String,
    from: u64,
    to: u64,
    width: usize,
    after: String,
}

/// Reads a word with brackets; `at` is where it starts in the range.
pub(super) fn brackets(word: &str, at: usize) -> Result<Series, Fault> {
    if word.starts_with('[') {
        return Err(Fault::syntax(at, "no name before the '['"));
    }
    let mut parts = Vec::new();
    let mut rest = word;
    while let Some((text, behind)) = rest.split_once('[') {
        let inside = behind.split(']').next().unwrap_or_default();
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        let start = at + word.len() - behind.len();
        parts.push(Part::Choices(choices(inside, start)?));
        rest = behind.get(inside.len() + 1..).unwrap_or_default();
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    let series = Series { parts };
    if series.longest() > LONGEST {
        return Err(Fault::syntax(at, format!("a name of more than {LONGEST} characters")));
    }
    Ok(series)
}

/// What stands in one pair of brackets.
fn choices(inside: &str, start: usize) -> Result<Vec<Choice>, Fault> {
    let mut at = start;
    let mut choices = Vec::new();
    for piece in inside.split(',') {
        let text = piece.trim();
        let text_at = at + piece.len() - piece.trim_start().len();
        choices.push(choice(text).map_err(|kind| Fault { at: text_at, kind })?);
        at += piece.len() + 1;
    }
    Ok(choices)
}

fn choice(text: &str) -> Result<Choice, Kind> {
    if text.is_empty() {
        return Err(Kind::Syntax("nothing in the brackets".into()));
    }
    if text.starts_with('-') {
        return Err(Kind::Syntax("'-' cannot exclude inside brackets".into()));
    }
    if text.contains(char::is_whitespace) {
        return Err(Kind::Syntax("a space inside a name".into()));
    }
    if !text.contains(['-', ':']) {
        return Ok(Choice::Text(text.to_owned()));
    }
    let read = ends(text).and_then(|(left, right)| between(left, right, text));
    read.unwrap_or_else(|| Err(Kind::Syntax(format!("'{text}' is no run of numbers"))))
}

/// How a word without brackets reads when no node or group has its name.
pub(super) fn shape(word: &str) -> Shape {
    let read = if word.len() > 2 * LONGEST {
        None
    } else if word.contains('+') {
        plus(word)
    } else {
        ends(word).and_then(|(left, right)| between(left, right, word))
    };
    match read {
        None => Shape::Plain,
        Some(Ok(choice)) => Shape::Run(Series { parts: vec![Part::Choices(vec![choice])] }),
        Some(Err(kind)) => Shape::Wrong(kind),
    }
}

/// Splits a run at its `:`, or else at the middle one of an odd count of `-`, so that names may hold hyphens.
fn ends(text: &str) -> Option<(&str, &str)> {
    let (left, right) = if let Some((left, right)) = text.split_once(':') {
        (left, right)
    } else {
        let hyphens: Vec<usize> = text.match_indices('-').map(|(at, _)| at).collect();
        let middle = *hyphens.get(hyphens.len() / 2).filter(|_| hyphens.len() % 2 == 1)?;
        (&text[..middle], &text[middle + 1..])
    };
    let whole = !left.is_empty() && !right.is_empty() && !right.contains(':');
    whole.then_some((left, right))
}

/// The names from `left` to `right`, which may differ in one number; None when they differ otherwise or have no number.
fn between(left: &str, right: &str, whole: &str) -> Option<Result<Choice, Kind>> {
    if left == right {
        let numbered = left.contains(|c: char| c.is_ascii_digit());
        return numbered.then(|| Ok(Choice::Text(left.to_owned())));
    }
    let (left, right): (Vec<_>, Vec<_>) = (pieces(left).collect(), pieces(right).collect());
    if left.len() != right.len() {
        return None;
    }
    let mut different = (0..left.len()).filter(|i| left[*i] != right[*i]);
    let (Some(i), None) = (different.next(), different.next()) else { return None };
    if !is_number(left[i]) || !is_number(right[i]) {
        return None;
    }
    Some(numbers(left[i], right[i], whole).map(|(from, to)| {
        let (before, after) = (left[..i].concat(), left[i + 1..].concat());
        Choice::Numbers(Numbers { before, from, to, width: left[i].len(), after })
    }))
}

/// Both ends of a run of numbers, if it runs upwards and its right end is as wide as counting would make it.
fn numbers(left: &str, right: &str, whole: &str) -> Result<(u64, u64), Kind> {
    let (from, to) = (number(left)?, number(right)?);
    if from > to {
        return Err(Kind::Descending(whole.to_owned()));
    }
    if to - from >= LIMIT {
        return Err(Kind::TooMany);
    }
    let grown = right.len() > left.len() && !right.starts_with('0');
    if right.len() == left.len() || grown { Ok((from, to)) } else { Err(Kind::Widths(whole.to_owned())) }
}

/// `n1+2`: the number at the end of the word, or of its part before a domain, and so many more.
fn plus(word: &str) -> Option<Result<Choice, Kind>> {
    let (front, more) = word.split_once('+')?;
    if !is_number(more) {
        return None;
    }
    let pieces: Vec<_> = pieces(front).collect();
    let domain_follows = |i: usize| {
        let behind = pieces[i + 1..].concat();
        behind.is_empty() || (behind.starts_with('.') && behind.len() > 1)
    };
    let i = (0..pieces.len()).find(|i| is_number(pieces[*i]) && domain_follows(*i))?;
    let (before, after) = (pieces[..i].concat(), pieces[i + 1..].concat());
    let width = pieces[i].len();
    Some(number(pieces[i]).and_then(|from| {
        let more = number(more).ok().filter(|more| *more < LIMIT).ok_or(Kind::TooMany)?;
        let to = from.checked_add(more).ok_or(Kind::TooMany)?;
        Ok(Choice::Numbers(Numbers { before, from, to, width, after }))
    }))
}

fn number(digits: &str) -> Result<u64, Kind> {
    digits.parse().map_err(|_| Kind::Syntax(format!("the number {digits} is too large")))
}

/// Whether a piece is digits; the empty text is no number.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}

/// A text cut where digits begin and end.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let digits = rest.as_bytes().first()?.is_ascii_digit();
        let end = rest.bytes().position(|c| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        Some(piece)
    })
}

impl Series {
    /// How many names it writes out, doubles included.
    pub(super) fn count(&self) -> u64 {
        self.parts.iter().map(Part::count).fold(1, u64::saturating_mul)
    }

    /// The length of the longest name it writes out.
    fn longest(&self) -> usize {
        self.parts.iter().map(Part::longest).sum()
    }

    /// All names that it stands for.
    pub(super) fn names(&self) -> Names {
        let mut names = Builder::default();
        add_names(&self.parts, "", &mut names);
        names.finish()
    }
}

/// Adds the names that begin so and go on with these parts.
fn add_names(parts: &[Part], before: &str, names: &mut Builder) {
    let Some((part, rest)) = parts.split_first() else { return names.add(before) };
    let choices = match part {
        Part::Text(text) => return add_names(rest, &[before, text].concat(), names),
        Part::Choices(choices) => choices,
    };
    for choice in choices {
        match (choice, rest) {
            (Choice::Text(text), _) => add_names(rest, &[before, text].concat(), names),
            (Choice::Numbers(numbers), []) => numbers.add_run(before, "", names),
            (Choice::Numbers(numbers), [Part::Text(text)]) => numbers.add_run(before, text, names),
            (Choice::Numbers(Numbers { before: text, from, to, width, after }), _) => {
                (*from..=*to)
                    .for_each(|number| add_names(rest, &format!("{before}{text}{number:0width$}{after}"), names));
            }
        }
    }
}

impl Numbers {
    /// Adds its names between two texts.
    fn add_run(&self, before: &str, after: &str, names: &mut Builder) {
        let Self { before: text, from, to, width, after: tail } = self;
        names.add_run(&[before, text].concat(), *from..=*to, *width, &[tail, after].concat());
    }
}

impl Part {
    fn count(&self) -> u64 {
        match self {
            Self::Text(_) => 1,
            Self::Choices(choices) => choices.iter().map(Choice::count).fold(0, u64::saturating_add),
        }
    }

    fn longest(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Choices(choices) => choices.iter().map(Choice::longest).max().unwrap_or_default(),
        }
    }
}

impl Choice {
    fn count(&self) -> u64 {
        match self {
            Self::Text(_) => 1,
            Self::Numbers(numbers) => (numbers.to - numbers.from).saturating_add(1),
        }
    }

    fn longest(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Numbers(numbers) => numbers.before.len() + numbers.width.max(20) + numbers.after.len(),
        }
    }
}
