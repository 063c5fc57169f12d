//! Names to a short range: `n001 … n499 n501` is `n[001-499,501]`.
//!
//! Names that differ in their numbers only are one family, and a name of a family is a point with a coordinate for
//! every number. The points are joined along one axis after the other into boxes, and a box is one bracketed name.
//! The result depends on the set of names alone, not on their order, and expands to exactly these names wherever they
//! exist; also where they do not exist yet, except for names of digits only, which a range reads as short for `nodeN`.
//! (More names than [`super::LIMIT`] fold all the same, but then no range is let expand to so many.)

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use super::names::{self, Names};
use super::point::{self, Point, WIDEST, successor};
use super::series::{is_number, pieces, shape};
use super::spans::{Span, Spans};
use super::tree::Shape;

/// Writes names as a range, comma-joined. Names come in any order and may repeat.
pub fn fold<I>(names: I) -> String
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    names.into_iter().collect::<Names>().folded()
}

impl Names {
    /// The names as a range, comma-joined.
    pub fn folded(&self) -> String {
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        self.families.iter().for_each(|names| add(names, &mut families));
        let items: Vec<String> = families.into_iter().flat_map(|(template, family)| family.items(&template)).collect();
        items.join(",")
    }
}

/// The names that share a template: a member with `0` for each of its numbers.
#[derive(Default)]
struct Family {
    /// How many numbers a member has.
    columns: usize,
    /// The numbers of all members if they have one.
    numbers: Spans,
    /// The numbers of all members if they have several, `columns` of them each.
    points: Vec<Point>,
}

/// Adds names that differ in one number to the family of their template.
fn add(names: &names::Family, families: &mut BTreeMap<String, Family>) {
    // What stands at the start of a name is text, so that each of those has a template of its own; no number is no column.
    let no_number = Spans::from_iter([point::point("")]);
    let alone = if names.before.is_empty() { names.numbers.clone() } else { names.numbers.intersection(&no_number) };
    for name in alone.each().map(|number| names.name(number)) {
        let (template, row) = read(&name);
        let first = row.iter().take(1).copied().collect();
        families.entry(template).or_default().add(row, 0, &first);
    }
    let numbers = names.numbers.without(&alone);
    if let Some(first) = numbers.each().next() {
        let (template, row) = read(&names.name(first));
        let varied = read(&names.before).1.len();
        families.entry(template).or_default().add(row, varied, &numbers);
    }
}

/// Splits a name into its template and its numbers.
fn read(name: &str) -> (String, Vec<Point>) {
    let (mut template, mut row) = (String::with_capacity(name.len()), Vec::new());
    for piece in pieces(name) {
        if is_column(piece, template.is_empty()) {
            row.push(point::point(piece));
            template.push('0');
        } else {
            template.push_str(piece);
        }
    }
    (template, row)
}

/// Whether a piece is a number to fold. At the start of a name it is not: a bracket needs text before it.
fn is_column(piece: &str, first: bool) -> bool {
    !first && piece.len() <= WIDEST && is_number(piece)
}

impl Family {
    /// Adds the members that have all numbers of a row but these in one place.
    fn add(&mut self, mut row: Vec<Point>, varied: usize, numbers: &Spans) {
        self.columns = row.len();
        if self.columns < 2 {
            return self.numbers.append(numbers.clone());
        }
        for number in numbers.each() {
            row[varied] = number;
            self.points.extend(&row);
        }
    }

    fn items(mut self, template: &str) -> Vec<String> {
        match self.columns {
            0 => return vec![item(template, &[])],
            1 => {
                self.numbers.settle();
                return vec![item(template, &[self.numbers])];
            }
            _ => {}
        }
        let mut boxes = boxes(&self.points, self.columns, (0..self.columns).rev());
        if boxes.len() > 1 {
            let others = self::boxes(&self.points, self.columns, 0..self.columns);
            if others.len() < boxes.len() {
                boxes = others;
            }
        }
        let spans = |sides: &Sides| sides.iter().map(|side| side.iter().copied().collect()).collect::<Vec<_>>();
        boxes.iter().map(|sides| item(template, &spans(sides))).collect()
    }
}

/// For every number of a name the values that it takes, sorted.
type Sides = Vec<Vec<Point>>;

/// Covers the rows with boxes, each row once, joining along the columns in the given order.
fn boxes(points: &[Point], columns: usize, order: impl Iterator<Item = usize>) -> Vec<Sides> {
    let mut sets = Sets::default();
    let mut cells = points.to_vec();
    for column in order {
        cells = join_along(column, &cells, columns, &mut sets);
    }
    let sides = |row: &[u64]| row.iter().map(|set| sets.all[*set as usize].clone()).collect();
    let mut boxes: Vec<Sides> = cells.chunks_exact(columns).map(sides).collect();
    boxes.sort();
    boxes
}

/// Sets of points that were met, so that equal ones can be told by their number.
#[derive(Default)]
struct Sets {
    all: Vec<Vec<Point>>,
    numbers: HashMap<Vec<Point>, u64>,
}

impl Sets {
    fn number(&mut self, set: Vec<Point>) -> u64 {
        if let Some(number) = self.numbers.get(&set) {
            return *number;
        }
        let number = self.all.len() as u64;
        self.all.push(set.clone());
        self.numbers.insert(set, number);
        number
    }
}

/// Makes one row of all rows that differ in this column only; its cell there becomes the number of a set.
fn join_along(column: usize, cells: &[u64], columns: usize, sets: &mut Sets) -> Vec<u64> {
    let mut rows: Vec<&[u64]> = cells.chunks_exact(columns).collect();
    rows.sort_by(|a, b| elsewhere(a, b, column).then(a[column].cmp(&b[column])));
    let mut joined = Vec::new();
    for same in rows.chunk_by(|a, b| elsewhere(a, b, column) == Ordering::Equal) {
        let mut set: Vec<u64> = same.iter().map(|row| row[column]).collect();
        set.dedup();
        let start = joined.len();
        joined.extend_from_slice(same[0]);
        joined[start + column] = sets.number(set);
    }
    joined
}

/// Compares two rows in all columns but one.
fn elsewhere(a: &[u64], b: &[u64], column: usize) -> Ordering {
    a[..column].cmp(&b[..column]).then_with(|| a[column + 1..].cmp(&b[column + 1..]))
}

/// A box as text. A name that would read as a run (`a1-a3`) gets brackets, which never read so (`a1-a[3]`).
fn item(template: &str, sides: &[Spans]) -> String {
    let mut text = written(template, sides);
    if !text.contains('[') && !matches!(shape(&text), Shape::Plain) {
        let last = text.pop();
        text.push('[');
        text.extend(last);
        text.push(']');
    }
    text
}

fn written(template: &str, sides: &[Spans]) -> String {
    let mut text = String::with_capacity(template.len() + 16);
    let mut columns = sides.iter();
    for piece in pieces(template) {
        let column = if is_column(piece, text.is_empty()) { columns.next() } else { None };
        match column {
            None => text.push_str(piece),
            Some(numbers) if numbers.count() > 1 => {
                text.push('[');
                push_runs(&mut text, numbers);
                text.push(']');
            }
            Some(numbers) => push_runs(&mut text, numbers),
        }
    }
    text
}

/// Writes spans as runs, which go on where a width ends and the next one begins: `8-11`.
fn push_runs(text: &mut String, numbers: &Spans) {
    let spans: Vec<Span> = numbers.iter().collect();
    let runs = spans.chunk_by(|a, b| successor(a.to) == b.from);
    for (i, run) in runs.enumerate() {
        if i > 0 {
            text.push(',');
        }
        let (from, to) = (run[0].from, run[run.len() - 1].to);
        point::push(text, from);
        if from < to {
            text.push('-');
            point::push(text, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &str, expected: &str) {
        let mut names: Vec<&str> = names.split_whitespace().collect();
        assert_eq!(fold(&names), expected);
        names.reverse();
        assert_eq!(fold(names.iter().chain(&names)), expected, "in another order, twice");
    }

    #[test]
    fn one_number() {
        check("", "");
        check("n1", "n1");
        check("n1 n2", "n[1-2]");
        check("n n0 n1", "n,n[0-1]");
        check("n1 n3 n4 n5", "n[1,3-5]");
        check("n001 n002 n499 n500 n501", "n[001-002,499-501]");
        check("n1.x.com n2.x.com", "n[1-2].x.com");
        check("login compute7 rack", "compute7,login,rack");
    }

    #[test]
    fn widths_are_kept() {
        check("n8 n9 n10 n11", "n[8-11]");
        check("n08 n09 n10 n11", "n[08-11]");
        check("n98 n99 n100", "n[98-100]");
        check("n1 n01 n001", "n[1,01,001]");
        check("n9 n09 n10", "n[9,09-10]");
        check("n0 n00", "n[0,00]");
        let all: Vec<String> = (1..=1200).map(|i| format!("n{i}")).collect();
        check(&all.join(" "), "n[1-1200]");
    }

    #[test]
    fn several_numbers() {
        check("r1n1 r1n2 r2n1 r2n2", "r[1-2]n[1-2]");
        check("r1n1 r1n2 r2n1 r2n2 r3n1", "r[1-2]n[1-2],r3n1");
        check("r1-c1 r1-c2 r2-c1 r2-c2", "r[1-2]-c[1-2]");
        check("a1b1 a2b1 a3b1 a3b2", "a[1-2]b1,a3b[1-2]");
        check("a1b1c1 a1b1c2 a1b2c1 a1b2c2 a2b1c1 a2b1c2 a2b2c1 a2b2c2", "a[1-2]b[1-2]c[1-2]");
        let all: Vec<String> = (1..=4).flat_map(|r| (1..=40).map(move |n| format!("r{r}n{n:02}"))).collect();
        check(&all.join(" "), "r[1-4]n[01-40]");
    }

    #[test]
    fn the_axis_that_gives_less_is_joined_first() {
        check("r1n1 r1n2 r1n3 r2n1 r2n3 r3n2", "r[1-2]n[1,3],r[1,3]n2");
        check("r1n1 r2n1 r3n1 r1n2 r2n3 r3n2", "r[1,3]n[1-2],r2n[1,3]");
    }

    #[test]
    fn names_that_look_like_ranges() {
        check("a1-a3", "a1-a[3]");
        check("a1-a3 a1-a4", "a1-a[3-4]");
        check("a1-a13", "a1-a1[3]");
        check("web-01 web-web", "web-01,web-web");
        check("7 8", "7,8");
        check("1a1 1a2", "1a[1-2]");
        check("n12345678901234567890 n12345678901234567891", "n12345678901234567890,n12345678901234567891");
        check("n99999999999999999 n99999999999999998", "n[99999999999999998-99999999999999999]");
    }
}
