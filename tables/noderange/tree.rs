//! The expression tree between parser and evaluation.

use regex::Regex;

use super::error::Kind;
use super::series::Series;
use crate::criterion::Criterion;

/// A parsed range.
#[derive(Debug, Clone)]
pub struct Range {
    /// What was parsed, without quotes.
    pub(super) text: String,
    pub(super) list: List,
    /// How many names its patterns write out.
    pub(super) written: u64,
}

/// What stands between two parentheses, or in the whole range.
#[derive(Debug, Clone, Default)]
pub(super) struct List {
    /// The items that are nothing but a word without a second reading: there may be very many.
    pub(super) words: Vec<Word>,
    /// All others.
    pub(super) items: Vec<Item>,
}

/// A part of the range's text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub(super) at: usize,
    pub(super) end: usize,
}

/// What stands between two commas: atoms joined by `@`, at least one.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) exclude: bool,
    pub(super) atoms: Vec<Atom>,
}

#[derive(Debug, Clone)]
pub(super) struct Atom {
    pub(super) at: usize,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Parentheses(List),
    /// A word that is a node or group if there is one of this very name, and else what its shape says.
    Word(String, Shape),
    /// `n[1-3]`: can be no name, so that it always is written out.
    Brackets(Series),
    Regex(Regex),
    Criterion(Criterion),
    File(String),
}

/// How a word reads when nothing bears its name.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Plain,
    Run(Series),
    /// It reads as a run that must be refused.
    Wrong(Kind),
}

impl Word {
    /// The word in the text of its range.
    pub(super) fn of<'t>(&self, text: &'t str) -> &'t str {
        &text[self.at..self.end]
    }
}
