//! Sets of names. Names that differ in one number only are kept as stretches of that number, so that a hundred thousand
//! nodes of one name cost as little as one, to hold, to count and to combine; they are written out when printed.
//!
//! Each name is cut at its longest number, of equally long ones at the last: `r1n007-ib0` is `r1n`, 007, `-ib0`. A name
//! is cut in one way only, so that sets are equal, overlap or not by their stretches alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::RangeInclusive;

use super::point::{self, Point, WIDEST};
use super::spans::{Span, Spans};

/// A set of names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// In the order of their texts; none is empty.
    pub(super) families: Vec<Family>,
}

/// The names that share all text but one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) before: Box<str>,
    pub(super) after: Box<str>,
    /// The numbers as [`Point`]s, so that a span never holds two widths. A name without a number has that of no width.
    pub(super) numbers: Spans,
}

/// Collects names in any order, doubles too.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    families: Vec<Family>,
}

/// Cuts a name.
fn cut(name: &str) -> (&str, Point, &str) {
    let bytes = name.as_bytes();
    let (mut longest, mut at) = (name.len()..name.len(), 0);
    while at < bytes.len() {
        let start = at;
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            at += 1;
        }
        if at > start && at - start <= WIDEST && at - start >= longest.len() {
            longest = start..at;
        }
        at += 1;
    }
    (&name[..longest.start], point::point(&name[longest.clone()]), &name[longest.end..])
}

impl Builder {
    pub(crate) fn add(&mut self, name: &str) {
        let (before, number, after) = cut(name);
        self.family(before, after).push(Span { from: number, to: number });
    }

    /// Adds the names with these numbers between two texts, zero-padded to that width.
    pub(super) fn add_run(&mut self, before: &str, numbers: RangeInclusive<u64>, width: usize, after: &str) {
        let (mut from, to) = numbers.into_inner();
        while from <= to {
            let width = width.max(from.checked_ilog10().unwrap_or_default() as usize + 1);
            let last = 10_u64.checked_pow(width as u32).map_or(to, |grown| to.min(grown - 1));
            self.add_stretch(before, from..=last, width, after);
            let Some(next) = last.checked_add(1) else { return };
            from = next;
        }
    }

    /// As [`Self::add_run`], of numbers that have this width all: what is true of the first name is of the others.
    fn add_stretch(&mut self, before: &str, numbers: RangeInclusive<u64>, width: usize, after: &str) {
        let name = |number: u64| format!("{before}{number:0width$}{after}");
        let first = name(*numbers.start());
        let (head, number, _) = cut(&first);
        if head.len() == before.len() && point::width(number) == width {
            let [from, to] = [numbers.start(), numbers.end()].map(|number| point::packed(width, *number));
            self.family(before, after).push(Span { from, to });
        } else {
            // A longer number elsewhere in the name, or digits next to this one.
            numbers.for_each(|number| self.add(&name(number)));
        }
    }

    pub(crate) fn join(&mut self, names: Names) {
        self.families.extend(names.families);
    }

    pub(crate) fn finish(mut self) -> Names {
        if !self.families.is_sorted_by(|a, b| a.key() < b.key()) {
            self.families.sort_by(|a, b| a.key().cmp(&b.key()));
            self.families.dedup_by(|next, last| {
                let same = next.key() == last.key();
                if same {
                    last.numbers.append(std::mem::take(&mut next.numbers));
                }
                same
            });
        }
        self.families.iter_mut().for_each(|family| family.numbers.settle());
        Names { families: self.families }
    }

    /// The numbers between these texts. Neighbours are mostly of one family.
    fn family(&mut self, before: &str, after: &str) -> &mut Spans {
        if self.families.last().is_none_or(|family| family.key() != (before, after)) {
            let numbers = Spans::default();
            self.families.push(Family { before: before.into(), after: after.into(), numbers });
        }
        &mut self.families.last_mut().expect("one was pushed where there was none").numbers
    }
}

impl<S: AsRef<str>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut builder = Builder::default();
        names.into_iter().for_each(|name| builder.add(name.as_ref()));
        builder.finish()
    }
}

impl Family {
    fn key(&self) -> (&str, &str) {
        (&self.before, &self.after)
    }

    /// The name with that number.
    pub(super) fn name(&self, number: Point) -> String {
        let mut name = String::with_capacity(self.before.len() + self.after.len() + point::width(number));
        name.push_str(&self.before);
        point::push(&mut name, number);
        name.push_str(&self.after);
        name
    }

    /// Whether its names are nothing but a number.
    fn is_bare(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

impl Names {
    /// The names that are in any of the sets.
    pub fn union(sets: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Builder::default();
        sets.into_iter().for_each(|names| all.join(names));
        all.finish()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.families.iter().map(|family| family.numbers.count() as usize).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.families.is_empty()
    }

    pub fn contains(&self, name: &str) -> bool {
        let (before, number, after) = cut(name);
        let place = self.families.binary_search_by(|family| family.key().cmp(&(before, after)));
        place.is_ok_and(|place| self.families[place].numbers.contains(number))
    }

    /// The names that are in both.
    pub fn intersection(&self, others: &Self) -> Self {
        self.combined(others, |family, others| others.map(|others| family.numbers.intersection(others)))
    }

    /// The names that the others do not hold.
    pub fn without(&self, others: &Self) -> Self {
        self.combined(others, |family, others| {
            Some(others.map_or_else(|| family.numbers.clone(), |others| family.numbers.without(others)))
        })
    }

    /// Each family with what becomes of it and its namesake among the others.
    fn combined(&self, others: &Self, combine: impl Fn(&Family, Option<&Spans>) -> Option<Spans>) -> Self {
        let mut rest = &others.families[..];
        let families = self.families.iter().filter_map(|family| {
            rest = &rest[rest.partition_point(|other| other.key() < family.key())..];
            let namesake = rest.first().filter(|other| other.key() == family.key());
            let numbers = combine(family, namesake.map(|other| &other.numbers))?;
            (!numbers.is_empty()).then(|| Family {
                before: family.before.clone(),
                after: family.after.clone(),
                numbers,
            })
        });
        Self { families: families.collect() }
    }

    /// Names that are nothing but a number, and the others.
    pub(super) fn bare_numbers_apart(self) -> (Self, Self) {
        let (bare, others) = self.families.into_iter().partition(Family::is_bare);
        (Self { families: bare }, Self { families: others })
    }

    /// Those whose text passes, whatever their number, and the others.
    pub(super) fn partition(self, passes: impl Fn(&str) -> bool) -> (Self, Self) {
        let passes = |family: &Family| passes(&family.before) && passes(&family.after);
        let (passing, others) = self.families.into_iter().partition(passes);
        (Self { families: passing }, Self { families: others })
    }

    /// Calls `visit` with each name in plain string order.
    pub fn each(&self, mut visit: impl FnMut(&str)) {
        let stretches =
            self.families.iter().flat_map(|family| family.numbers.iter().map(|span| Stretch::new(family, span)));
        let mut heads: BinaryHeap<Reverse<Stretch>> = stretches.map(Reverse).collect();
        while let Some(mut head) = heads.peek_mut() {
            visit(head.0.text());
            if !head.0.advance() {
                PeekMut::pop(head);
            }
        }
    }

    /// The names in plain string order.
    pub fn to_vec(&self) -> Vec<String> {
        let mut names = Vec::with_capacity(self.len());
        self.each(|name| names.push(name.to_owned()));
        names
    }

    /// The names in plain string order with this between them.
    pub fn joined(&self, separator: &str) -> String {
        let mut text = String::new();
        self.each(|name| {
            if !text.is_empty() {
                text.push_str(separator);
            }
            text.push_str(name);
        });
        text
    }

    /// The names as one counts: by their text, then by their number.
    pub(super) fn counted(&self) -> impl Iterator<Item = String> {
        self.families.iter().flat_map(|family| family.numbers.each().map(|number| family.name(number)))
    }
}

/// Names of one family and width that follow each other. The text of the first comes first among all, so that the one
/// with the smallest text is next in string order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    text: Vec<u8>,
    /// Where they start and end.
    digits: (usize, usize),
    /// How many names follow.
    behind: u64,
}

impl Stretch {
    fn new(family: &Family, span: Span) -> Self {
        let start = family.before.len();
        let digits = (start, start + point::width(span.from));
        Self { text: family.name(span.from).into_bytes(), digits, behind: span.to - span.from }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.text).expect("only digits change, and to digits")
    }

    /// Goes on to the next name; false if there is none.
    fn advance(&mut self) -> bool {
        let Some(behind) = self.behind.checked_sub(1) else { return false };
        self.behind = behind;
        let (start, end) = self.digits;
        // Counting on the digits themselves is several times faster than writing every number.
        for digit in self.text[start..end].iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                break;
            }
            *digit = b'0';
        }
        true
    }
}
