//! Text to tree, in one pass by recursive descent.
//!
//! Where an atom ends depends on what it is: a regular expression and the value of a criterion run on through their own
//! parentheses, classes and `{m,n}`, so that commas in there do not cut them.
//!
//! ```text
//! range      = item *( "," item )                      ; empty items are skipped, spaces round operators too
//! item       = [ "-" ] atom *( "@" atom )              ; "@" binds tighter than ","
//! atom       = "(" range ")" / "/" regex / "^" path / key operator value / word
//! ```

use std::str::FromStr;

use super::LIMIT;
use super::error::{Error, Fault, Kind, Result};
use super::series::{self, Series};
use super::tree::{Atom, Item, List, Range, Shape, What, Word};
use crate::criterion::{Criterion, CriterionError, Operator};
use crate::pattern;

/// Parentheses deeper than any person writes, and shallower than the stack.
const DEEPEST: usize = 64;

/// Parses a range; `'` and `"` are dropped first, as they are in xCAT.
pub fn parse(range: &str) -> Result<Range> {
    let is_quoted = range.bytes().any(|c| matches!(c, b'\'' | b'"'));
    let text = if is_quoted { range.replace(['\'', '"'], "") } else { range.to_owned() };
    match parsed(&text) {
        Ok((list, written)) => Ok(Range { text, list, written }),
        Err(fault) => Err(fault.within(&text)),
    }
}

impl FromStr for Range {
    type Err = Error;

    fn from_str(range: &str) -> Result<Self> {
        parse(range)
    }
}

/// The items of a range and how many names its series write out.
fn parsed(text: &str) -> Result<(List, u64), Fault> {
    let mut parser = Parser { text, at: 0, depth: 0, written: 0 };
    let list = parser.list()?;
    if let Some(found) = parser.peek() {
        return Err(Fault::syntax(parser.at, format!("unexpected '{found}'")));
    }
    if list.is_empty() {
        return Err(Fault { at: 0, kind: Kind::Nothing });
    }
    Ok((list, parser.written))
}

impl List {
    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.items.is_empty()
    }

    fn add(&mut self, item: Item) {
        match &item.atoms[..] {
            [Atom { at, what: What::Word(word, Shape::Plain) }] if !item.exclude => {
                self.words.push(Word { at: *at, end: at + word.len() });
            }
            _ => self.items.push(item),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// How many names the series met so far write out.
    written: u64,
}

impl<'a> Parser<'a> {
    fn list(&mut self) -> Result<List, Fault> {
        let mut list = List::default();
        loop {
            match self.bare_name() {
                Some(word) => list.words.push(word),
                None => self.item()?.into_iter().for_each(|item| list.add(item)),
            }
            if !self.eat(',') {
                return Ok(list);
            }
        }
    }

    /// A name up to the next comma or the end that has no second reading: what long lists consist of.
    fn bare_name(&mut self) -> Option<Word> {
        let rest = &self.text.as_bytes()[self.at..];
        let is_plain = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.');
        let length = rest.iter().position(|c| !is_plain(c)).unwrap_or(rest.len());
        if length == 0 || !matches!(rest.get(length), None | Some(b',')) {
            return None;
        }
        let word = Word { at: self.at, end: self.at + length };
        self.at = word.end;
        Some(word)
    }

    fn item(&mut self) -> Result<Option<Item>, Fault> {
        self.skip_space();
        let start = self.at;
        let exclude = self.eat('-');
        let mut atoms = Vec::new();
        loop {
            atoms.extend(self.atom()?);
            self.skip_space();
            if !self.eat('@') {
                break;
            }
        }
        match (atoms.is_empty(), exclude) {
            (true, true) => Err(Fault::syntax(start, "'-' excludes nothing")),
            (true, false) => Ok(None),
            (false, _) => Ok(Some(Item { exclude, atoms })),
        }
    }

    fn atom(&mut self) -> Result<Option<Atom>, Fault> {
        self.skip_space();
        let at = self.at;
        let what = match self.peek() {
            None | Some(',' | '@' | ')') => return Ok(None),
            Some('(') => self.parentheses()?,
            Some('/') => self.regex()?,
            Some('^') => self.file()?,
            Some('-') => return Err(Fault::syntax(at, "misplaced '-' (to exclude b write a,-b)")),
            Some(_) => self.word_or_criterion()?,
        };
        Ok(Some(Atom { at, what }))
    }

    fn parentheses(&mut self) -> Result<What, Fault> {
        let start = self.at;
        if self.depth == DEEPEST {
            return Err(Fault::syntax(start, format!("more than {DEEPEST} parentheses in one another")));
        }
        self.at += 1;
        self.depth += 1;
        let list = self.list()?;
        if !self.eat(')') {
            return Err(match self.peek() {
                Some(found) => Fault::syntax(self.at, format!("unexpected '{found}'")),
                None => Fault::syntax(start, "Unbalanced parentheses in noderange: no ')' for the '('"),
            });
        }
        self.depth -= 1;
        if list.is_empty() {
            return Err(Fault::syntax(start, "nothing in the parentheses"));
        }
        Ok(What::Parentheses(list))
    }

    fn regex(&mut self) -> Result<What, Fault> {
        let start = self.at;
        self.at += 1;
        let pattern = bare_regex(self.value()?);
        if pattern.is_empty() {
            return Err(Fault::syntax(start, "no regular expression behind '/'"));
        }
        let refused = |source| Fault { at: start, kind: Kind::Regex { pattern: pattern.to_owned(), source } };
        pattern::compile(&format!("^(?:{pattern})$")).map(What::Regex).map_err(refused)
    }

    fn file(&mut self) -> Result<What, Fault> {
        let start = self.at;
        self.at += 1;
        let path = self.take_until(|c| matches!(c, ',' | '@' | ')')).trim();
        if path.is_empty() {
            return Err(Fault::syntax(start, "no path behind '^'"));
        }
        Ok(What::File(path.to_owned()))
    }

    fn word_or_criterion(&mut self) -> Result<What, Fault> {
        let start = self.at;
        let word = self.word()?;
        self.skip_space();
        match self.peek() {
            Some('=' | '!' | '~' | '<' | '>') => self.criterion(start),
            None | Some(',' | '@' | ')') if word.contains('[') => {
                let series = series::brackets(word, start)?;
                self.count(&series, start)?;
                Ok(What::Brackets(series))
            }
            None | Some(',' | '@' | ')') => {
                let shape = series::shape(word);
                if let Shape::Run(series) = &shape {
                    self.count(series, start)?;
                }
                Ok(What::Word(word.to_owned(), shape))
            }
            Some(found) => Err(Fault::syntax(self.at, format!("unexpected '{found}'"))),
        }
    }

    /// A name with whatever stands in its brackets.
    fn word(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        loop {
            self.take_until(|c| {
                c.is_whitespace() || matches!(c, ',' | '@' | '(' | ')' | '[' | ']' | '=' | '!' | '~' | '<' | '>')
            });
            match self.peek() {
                Some('[') => self.skip_brackets()?,
                Some(']') => return Err(Fault::syntax(self.at, "no '[' for the ']'")),
                _ => return Ok(&self.text[start..self.at]),
            }
        }
    }

    fn skip_brackets(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.at += 1;
        self.take_until(|c| matches!(c, '[' | ']' | '@' | '(' | ')'));
        match self.peek() {
            Some(']') => self.at += 1,
            Some('[') => return Err(Fault::syntax(self.at, "'[' inside brackets")),
            _ => return Err(Fault::syntax(start, "no ']' for the '['")),
        }
        Ok(())
    }

    /// The operator and the value; the key was read before.
    fn criterion(&mut self, start: usize) -> Result<What, Fault> {
        self.value()?;
        let text = self.text[start..self.at].trim();
        let mut criterion = Criterion::parse(text).map_err(|error| bad_criterion(error, start))?;
        if !matches!(criterion.operator, Operator::Matches | Operator::NotMatches) {
            criterion.value = without_escapes(&criterion.value);
        }
        Ok(What::Criterion(criterion))
    }

    /// The rest of a regex or criterion: up to a `,`, `@` or `)` that is neither escaped nor in brackets of its own.
    fn value(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        let mut open = Vec::new();
        while let Some(found) = self.peek() {
            match found {
                '\\' => self.skip_escape(),
                '(' => {
                    open.push(self.at);
                    self.at += 1;
                }
                ')' if open.pop().is_some() => self.at += 1,
                '[' => self.skip_class()?,
                '{' => self.at += counted(&self.text[self.at..]),
                ',' | '@' | ')' if open.is_empty() => break,
                _ => self.at += found.len_utf8(),
            }
        }
        match open.last() {
            Some(at) => Err(Fault::syntax(*at, "Unbalanced parentheses in noderange: no ')' for the '('")),
            None => Ok(self.text[start..self.at].trim()),
        }
    }

    /// Skips a character class. A `]` at its very start is one of its characters; classes can hold classes.
    fn skip_class(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let mut depth = 0;
        while let Some(found) = self.peek() {
            match found {
                '\\' => self.skip_escape(),
                '[' => {
                    depth += 1;
                    self.at += 1;
                    self.eat_here('^');
                    self.eat_here(']');
                }
                ']' => {
                    depth -= 1;
                    self.at += 1;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ => self.at += found.len_utf8(),
            }
        }
        Err(Fault::syntax(start, "no ']' for the '['"))
    }

    fn skip_escape(&mut self) {
        self.at += 1;
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    fn count(&mut self, series: &Series, at: usize) -> Result<(), Fault> {
        self.written = self.written.saturating_add(series.count());
        if self.written > LIMIT { Err(Fault { at, kind: Kind::TooMany }) } else { Ok(()) }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Takes an ASCII character if it comes next, spaces aside.
    fn eat(&mut self, wanted: char) -> bool {
        self.skip_space();
        self.eat_here(wanted)
    }

    fn eat_here(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        self.take_until(|c| !c.is_whitespace());
    }

    fn take_until(&mut self, stop: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let taken = &rest[..rest.find(stop).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }
}

fn bad_criterion(error: CriterionError, at: usize) -> Fault {
    match error {
        CriterionError::Pattern { pattern, reason } => Fault { at, kind: Kind::Regex { pattern, source: reason } },
        CriterionError::NoOperator(_) | CriterionError::NoKey(_) => Fault::syntax(at, error.to_string()),
    }
}

/// The length of a `{m,n}` at the start of a text, or of its brace alone.
fn counted(text: &str) -> usize {
    let inside = text[1..].bytes().take_while(|c| c.is_ascii_digit() || *c == b',').count();
    if text[1 + inside..].starts_with('}') { inside + 2 } else { 1 }
}

/// A regular expression without the second of two slashes.
fn bare_regex(pattern: &str) -> &str {
    match pattern.strip_suffix('/') {
        Some(bare) if !bare.ends_with('\\') => bare,
        _ => pattern,
    }
}

/// Drops the backslashes that kept an operator of the range in a value.
fn without_escapes(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', Some(next)) if r",@()[]{}\".contains(*next) => plain.extend(rest.next()),
            _ => plain.push(c),
        }
    }
    plain
}
