//! Tree to names.
//!
//! Words are gathered and looked up together: a few by one question each, many by one walk along all names, so that a
//! hundred thousand cost about as much as sorting them.

use std::collections::HashSet;

use super::error::{Cause, Error, Fault, FileLine, Kind, Result};
use super::index::World;
use super::parse::parse;
use super::series::{Series, is_number};
use super::set::{intersection, sorted, without};
use super::tree::{Atom, Item, Range, Shape, What};
use super::{Expansion, LIMIT, Name, Options, Unknown};

/// From this many words on, all names are read once instead of asking for each word.
const MANY: usize = 256;

/// Evaluates a parsed range.
pub fn evaluate<W: World + ?Sized>(range: &Range, world: &W, options: &Options<'_>) -> Result<Expansion> {
    let mut strangers = Strangers::default();
    let mut walk = Walk { text: &range.text, world, options, strangers: &mut strangers, file_at: None };
    let names = walk.items(&range.items)?;
    let (unknown, first) = strangers.in_order();
    match options.unknown {
        Unknown::Refuse | Unknown::Accept if !unknown.is_empty() => {
            Err(Fault { at: first, kind: Kind::Unknown { names: unknown } }.within(&range.text))
        }
        Unknown::Refuse | Unknown::Accept | Unknown::Report => Ok(Expansion { names, unknown }),
    }
}

/// The words that are neither node nor group, each once, and where they stand.
#[derive(Default)]
struct Strangers {
    found: Vec<(usize, String)>,
    seen: HashSet<String>,
}

impl Strangers {
    fn add(&mut self, name: &str, at: usize) {
        if self.seen.insert(name.to_owned()) {
            self.found.push((at, name.to_owned()));
        }
    }

    /// The words as they stand in the range, and where the first one does.
    fn in_order(mut self) -> (Vec<String>, usize) {
        self.found.sort_by_key(|(at, _)| *at);
        let first = self.found.first().map_or(0, |(at, _)| *at);
        (self.found.into_iter().map(|(_, name)| name).collect(), first)
    }
}

/// A word to look up, and where it stands in the range.
#[derive(Clone, Copy)]
struct Word<'a> {
    at: usize,
    text: &'a str,
}

struct Walk<'a, W: ?Sized> {
    text: &'a str,
    world: &'a W,
    options: &'a Options<'a>,
    strangers: &'a mut Strangers,
    /// Where the file stands whose ranges are being evaluated.
    file_at: Option<usize>,
}

impl<W: World + ?Sized> Walk<'_, W> {
    fn items(&mut self, items: &[Item]) -> Result<Vec<Name>> {
        let (mut included, mut excluded) = (Vec::new(), Vec::new());
        let mut words = Vec::new();
        for item in items {
            match (item.exclude, plain_word(item)) {
                (false, Some(word)) => words.push(word),
                (false, None) => join(&mut included, self.item(item)?),
                (true, _) => join(&mut excluded, self.item(item)?),
            }
        }
        self.look_up(&words, &mut included)?;
        Ok(without(sorted(included), &sorted(excluded)))
    }

    fn item(&mut self, item: &Item) -> Result<Vec<Name>> {
        let mut atoms = item.atoms.iter();
        let Some(first) = atoms.next() else { return Ok(Vec::new()) };
        let names = self.atom(first)?;
        atoms.try_fold(names, |names, atom| Ok(intersection(sorted(names), &sorted(self.atom(atom)?))))
    }

    /// The names of an atom, in any order.
    fn atom(&mut self, atom: &Atom) -> Result<Vec<Name>> {
        let mut names = Vec::new();
        match &atom.what {
            What::Parentheses(items) => return self.items(items),
            What::Word(word, shape) => self.word(Word { at: atom.at, text: word }, shape, &mut names)?,
            What::Brackets(series) => self.series(series, atom.at, &mut names)?,
            What::Criterion(criterion) => {
                let failed = |cause| self.failed(atom.at, format!("select by '{}'", criterion.key), cause);
                names = self.world.criterion(criterion).map_err(failed)?;
            }
            What::File(path) => names = self.file(path, atom.at)?,
            What::Regex(regex) => {
                let all = self.names(atom.at)?;
                names.extend(all.iter().filter(|name| regex.is_match(name)).cloned());
            }
        }
        Ok(names)
    }

    fn word(&mut self, word: Word<'_>, shape: &Shape, names: &mut Vec<Name>) -> Result<()> {
        match shape {
            Shape::Plain => self.look_up(&[word], names),
            Shape::Run(_) | Shape::Wrong(_) if self.add_known(word, names)? => Ok(()),
            Shape::Run(series) => self.series(series, word.at, names),
            Shape::Wrong(kind) => Err(self.fault(word.at, kind.clone())),
        }
    }

    /// Adds the node or the members of the group with this very name, and tells whether there is one.
    fn add_known(&self, word: Word<'_>, names: &mut Vec<Name>) -> Result<bool> {
        let failed = |cause| self.failed(word.at, format!("look up '{}'", word.text), cause);
        if self.world.contains(word.text).map_err(failed)? {
            names.push(word.text.into());
            return Ok(true);
        }
        self.add_group(word, names)
    }

    fn add_group(&self, word: Word<'_>, names: &mut Vec<Name>) -> Result<bool> {
        let failed = |cause| self.failed(word.at, format!("look up group '{}'", word.text), cause);
        let Some(members) = self.world.group(word.text).map_err(failed)? else { return Ok(false) };
        join(names, members);
        Ok(true)
    }

    fn series(&mut self, series: &Series, at: usize, names: &mut Vec<Name>) -> Result<()> {
        let written = series.written();
        let words: Vec<_> = written.iter().map(|text| Word { at, text }).collect();
        self.look_up(&words, names)
    }

    /// Looks up words that read as nothing but a name: a node, else a group, else a bare number.
    fn look_up(&mut self, words: &[Word<'_>], names: &mut Vec<Name>) -> Result<()> {
        let mut numbers = Vec::new();
        for word in self.not_nodes(words, names)? {
            if self.add_group(word, names)? {
                continue;
            }
            if is_number(word.text) {
                let Options { prefix, suffix, .. } = self.options;
                numbers.push((word.at, format!("{prefix}{}{suffix}", word.text)));
            } else {
                self.stranger(word, names);
            }
        }
        let words: Vec<_> = numbers.iter().map(|(at, text)| Word { at: *at, text }).collect();
        for word in self.not_nodes(&words, names)? {
            if !self.add_group(word, names)? {
                self.stranger(word, names);
            }
        }
        Ok(())
    }

    /// Adds the words that are nodes to `names` and returns the others, in their order.
    fn not_nodes<'w>(&self, words: &[Word<'w>], names: &mut Vec<Name>) -> Result<Vec<Word<'w>>> {
        if words.len() >= MANY {
            let all = self.names(words[0].at)?;
            // Without nodes there is nothing to sort the words for.
            return Ok(if all.is_empty() { words.to_vec() } else { split(words, all, names) });
        }
        let mut others = Vec::new();
        for word in words {
            let failed = |cause| self.failed(word.at, format!("look up '{}'", word.text), cause);
            if self.world.contains(word.text).map_err(failed)? {
                names.push(word.text.into());
            } else {
                others.push(*word);
            }
        }
        Ok(others)
    }

    fn stranger(&mut self, word: Word<'_>, names: &mut Vec<Name>) {
        if self.options.unknown == Unknown::Accept && could_be_name(word.text) {
            names.push(word.text.into());
        } else {
            self.strangers.add(word.text, self.place(word.at));
        }
    }

    /// A file is a range with a line for every item or more; a line counts up to a space or colon, unless it starts
    /// with `#` or `^`.
    fn file(&mut self, path: &str, at: usize) -> Result<Vec<Name>> {
        if self.file_at.is_some() {
            return Err(self.fault(at, Kind::Syntax("a file of ranges names a file".into())));
        }
        let text = self.world.file(path).map_err(|cause| self.failed(at, format!("read {path}"), cause))?;
        let mut items = Vec::new();
        let mut written = 0;
        for (i, line) in text.lines().enumerate() {
            let in_line = |error| Error { file: Some(FileLine { path: path.to_owned(), line: i + 1 }), ..error };
            let Some(line) = range_in_line(line) else { continue };
            let range = parse(line).map_err(in_line)?;
            written += range.written;
            items.extend(range.items);
        }
        if written > LIMIT {
            return Err(self.fault(at, Kind::TooMany));
        }
        self.file_at = Some(at);
        let names = self.items(&items);
        self.file_at = None;
        names
    }

    fn names(&self, at: usize) -> Result<&[Name]> {
        self.world.names().map_err(|cause| self.failed(at, "list the nodes".into(), cause))
    }

    fn failed(&self, at: usize, doing: String, cause: Cause) -> Error {
        self.fault(at, Kind::World { doing, source: cause.into() })
    }

    fn fault(&self, at: usize, kind: Kind) -> Error {
        Fault { at: self.place(at), kind }.within(self.text)
    }

    /// Where to point to: what is wrong inside a file is shown at the atom that names the file.
    fn place(&self, at: usize) -> usize {
        self.file_at.unwrap_or(at)
    }
}

/// The word of an item that is nothing but one word without a second reading.
fn plain_word(item: &Item) -> Option<Word<'_>> {
    match &item.atoms[..] {
        [Atom { at, what: What::Word(text, Shape::Plain) }] => Some(Word { at: *at, text }),
        _ => None,
    }
}

fn range_in_line(line: &str) -> Option<&str> {
    let range = line.trim_start().split([' ', '\t', ':']).next()?;
    (!range.is_empty() && !range.starts_with(['#', '^'])).then_some(range)
}

/// Whether an unknown word can be the name of a new node, and not just a range that went wrong.
fn could_be_name(word: &str) -> bool {
    word.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
}

/// Appends without copying where there is nothing to append to.
fn join(names: &mut Vec<Name>, more: Vec<Name>) {
    if names.is_empty() { *names = more } else { names.extend(more) }
}

/// Adds the words found among all names and returns the others, each once and in their order. One walk along both, in
/// string order.
fn split<'w>(words: &[Word<'w>], all: &[Name], names: &mut Vec<Name>) -> Vec<Word<'w>> {
    let mut order: Vec<_> = words.iter().enumerate().map(|(i, word)| (start_of(word.text), i)).collect();
    order.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| words[a.1].text.cmp(words[b.1].text)));
    order.dedup_by(|b, a| a.0 == b.0 && words[a.1].text == words[b.1].text);
    let mut missing = Vec::new();
    let mut rest = all;
    for (_, i) in order {
        let word = words[i].text;
        rest = from(rest, word);
        match rest.split_first() {
            Some((name, behind)) if **name == *word => {
                names.push(name.clone());
                rest = behind;
            }
            _ => missing.push(i),
        }
    }
    missing.sort_unstable();
    missing.into_iter().map(|i| words[i]).collect()
}

/// The first bytes of a text as a number, which orders as they do: most comparisons while sorting end with it.
fn start_of(text: &str) -> u128 {
    let mut start = [0; 16];
    let length = text.len().min(start.len());
    start[..length].copy_from_slice(&text.as_bytes()[..length]);
    u128::from_be_bytes(start)
}

/// The names that do not come before `word`. Looks close by first and then in doubling steps.
fn from<'n>(names: &'n [Name], word: &str) -> &'n [Name] {
    let mut step = 1;
    while names.get(step - 1).is_some_and(|name| **name < *word) {
        step *= 2;
    }
    let near = &names[step / 2..names.len().min(step - 1)];
    &names[step / 2 + near.partition_point(|name| **name < *word)..]
}
