//! Tree to names.
//!
//! A few words are looked up by one question each; many become a set first, so that what they are is the intersection with
//! the sets of all nodes and all groups.

use std::collections::HashSet;

use super::error::{Cause, Error, Fault, FileLine, Kind, Result};
use super::index::World;
use super::names::{Builder, Names};
use super::parse::parse;
use super::series::{Series, is_number};
use super::tree::{Atom, Item, List, Range, Shape, What, Word};
use super::{Expansion, LIMIT, Options, Unknown};

/// From this many words on all names are read once, instead of asking for each word.
const MANY: u64 = 256;

/// Evaluates a parsed range.
pub fn evaluate<W: World + ?Sized>(range: &Range, world: &W, options: &Options<'_>) -> Result<Expansion> {
    let mut strangers = Strangers::default();
    let mut walk = Walk { text: &range.text, world, options, strangers: &mut strangers, file_at: None };
    let names = walk.list(&range.list, &range.text)?;
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

/// What a list includes, and what it excludes in the end.
#[derive(Default)]
struct Sides {
    included: Builder,
    excluded: Builder,
}

impl Sides {
    fn names(self) -> Names {
        self.included.finish().without(&self.excluded.finish())
    }
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
    /// The names of a list, which is part of that text.
    fn list(&mut self, list: &List, text: &str) -> Result<Names> {
        let mut sides = Sides::default();
        self.add_list(list, text, &mut sides)?;
        Ok(sides.names())
    }

    fn add_list(&mut self, list: &List, text: &str, sides: &mut Sides) -> Result<()> {
        for item in &list.items {
            let names = self.item(item, text)?;
            if item.exclude { sides.excluded.join(names) } else { sides.included.join(names) }
        }
        self.words(&list.words, text, &mut sides.included)
    }

    fn item(&mut self, item: &Item, text: &str) -> Result<Names> {
        let mut atoms = item.atoms.iter();
        let Some(first) = atoms.next() else { return Ok(Names::default()) };
        let names = self.atom(first, text)?;
        atoms.try_fold(names, |names, atom| Ok(names.intersection(&self.atom(atom, text)?)))
    }

    fn atom(&mut self, atom: &Atom, text: &str) -> Result<Names> {
        let mut names = Builder::default();
        match &atom.what {
            What::Parentheses(list) => return self.list(list, text),
            What::Word(word, shape) => self.word(word, shape, atom.at, &mut names)?,
            What::Brackets(series) => self.series(series, atom.at, &mut names)?,
            What::Criterion(criterion) => {
                let failed = |cause| self.failed(atom.at, format!("select by '{}'", criterion.key), cause);
                return self.world.criterion(criterion).map_err(failed);
            }
            What::File(path) => return self.file(path, atom.at),
            What::Regex(regex) => self.names(atom.at)?.each(|name| {
                if regex.is_match(name) {
                    names.add(name);
                }
            }),
        }
        Ok(names.finish())
    }

    fn word(&mut self, word: &str, shape: &Shape, at: usize, names: &mut Builder) -> Result<()> {
        match shape {
            Shape::Plain => self.name(word, at, names),
            Shape::Run(_) | Shape::Wrong(_) if self.add_known(word, at, names)? => Ok(()),
            Shape::Run(series) => self.series(series, at, names),
            Shape::Wrong(kind) => Err(self.fault(at, kind.clone())),
        }
    }

    fn series(&mut self, series: &Series, at: usize, names: &mut Builder) -> Result<()> {
        let written = series.names();
        if series.count() < MANY {
            return written.counted().try_for_each(|name| self.name(&name, at, names));
        }
        let strangers = self.many(&written, at, names)?;
        strangers.counted().for_each(|name| self.stranger(&name, at));
        Ok(())
    }

    /// Looks up words that read as nothing but a name.
    fn words(&mut self, words: &[Word], text: &str, names: &mut Builder) -> Result<()> {
        if (words.len() as u64) < MANY {
            return words.iter().try_for_each(|word| self.name(word.of(text), word.at, names));
        }
        let written: Names = words.iter().map(|word| word.of(text)).collect();
        let strangers = self.many(&written, words[0].at, names)?;
        if !strangers.is_empty() {
            let unknown = words.iter().filter(|word| strangers.contains(word.of(text)));
            unknown.for_each(|word| self.stranger(word.of(text), word.at));
        }
        Ok(())
    }

    /// Adds what a name stands for: a node, else the members of a group, else what a bare number is short for.
    fn name(&mut self, name: &str, at: usize, names: &mut Builder) -> Result<()> {
        if self.add_known(name, at, names)? {
            return Ok(());
        }
        let Options { prefix, suffix, .. } = self.options;
        let meant = if is_number(name) { format!("{prefix}{name}{suffix}") } else { name.to_owned() };
        if meant != name && self.add_known(&meant, at, names)? {
            return Ok(());
        }
        if self.options.unknown == Unknown::Accept && could_be_name(&meant) {
            names.add(&meant);
        } else {
            self.stranger(&meant, at);
        }
        Ok(())
    }

    fn stranger(&mut self, name: &str, at: usize) {
        self.strangers.add(name, self.place(at));
    }

    /// As [`Self::name`], of many at once. Returns the strangers.
    fn many(&mut self, written: &Names, at: usize, names: &mut Builder) -> Result<Names> {
        let nodes = self.names(at)?;
        names.join(written.intersection(nodes));
        let others = written.without(nodes);
        if others.is_empty() {
            return Ok(others);
        }
        let groups = others.intersection(self.groups(at)?);
        for group in groups.counted() {
            self.add_group(&group, at, names)?;
        }
        let (numbers, others) = others.without(&groups).bare_numbers_apart();
        numbers.counted().try_for_each(|number| self.name(&number, at, names))?;
        if self.options.unknown != Unknown::Accept {
            return Ok(others);
        }
        let (new, others) = others.partition(could_be_name);
        names.join(new);
        Ok(others)
    }

    /// Adds the node or the members of the group with this very name, and tells whether there is one.
    fn add_known(&self, name: &str, at: usize, names: &mut Builder) -> Result<bool> {
        let failed = |cause| self.failed(at, format!("look up '{name}'"), cause);
        if self.world.contains(name).map_err(failed)? {
            names.add(name);
            return Ok(true);
        }
        self.add_group(name, at, names)
    }

    fn add_group(&self, name: &str, at: usize, names: &mut Builder) -> Result<bool> {
        let failed = |cause| self.failed(at, format!("look up group '{name}'"), cause);
        let Some(members) = self.world.group(name).map_err(failed)? else { return Ok(false) };
        names.join(members);
        Ok(true)
    }

    /// A file is a range with a line for every item or more; a line counts up to a space or colon, unless it starts
    /// with `#` or `^`.
    fn file(&mut self, path: &str, at: usize) -> Result<Names> {
        if self.file_at.is_some() {
            return Err(self.fault(at, Kind::Syntax("a file of ranges names a file".into())));
        }
        let text = self.world.file(path).map_err(|cause| self.failed(at, format!("read {path}"), cause))?;
        let mut ranges = Vec::new();
        for (i, line) in text.lines().enumerate() {
            let in_line = |error| Error { file: Some(FileLine { path: path.to_owned(), line: i + 1 }), ..error };
            let Some(line) = range_in_line(line) else { continue };
            ranges.push(parse(line).map_err(in_line)?);
        }
        if ranges.iter().map(|range| range.written).sum::<u64>() > LIMIT {
            return Err(self.fault(at, Kind::TooMany));
        }
        self.file_at = Some(at);
        let mut sides = Sides::default();
        ranges.iter().try_for_each(|range| self.add_list(&range.list, &range.text, &mut sides))?;
        self.file_at = None;
        Ok(sides.names())
    }

    fn names(&self, at: usize) -> Result<&Names> {
        self.world.names().map_err(|cause| self.failed(at, "list the nodes".into(), cause))
    }

    fn groups(&self, at: usize) -> Result<&Names> {
        self.world.groups().map_err(|cause| self.failed(at, "list the groups".into(), cause))
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

fn range_in_line(line: &str) -> Option<&str> {
    let range = line.trim_start().split([' ', '\t', ':']).next()?;
    (!range.is_empty() && !range.starts_with(['#', '^'])).then_some(range)
}

/// Whether an unknown word can be the name of a new node, and not just a range that went wrong.
fn could_be_name(word: &str) -> bool {
    word.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
}
