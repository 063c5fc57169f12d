//! Tables as text, the way `tabdump` writes and `tabrestore` reads them.
//!
//! ```text
//! #node,ip,comments,disable
//! "node4","10.0.0.4","he said ""hi""",
//! ```
//!
//! Quotes stand only around cells that hold something, so an unset cell is bare. Reading is more tolerant than that: files
//! come back from editors and spreadsheets with other line ends, byte order marks and bare words.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use crate::Row;
use crate::schema::Table;

/// The header line of a table's columns, without a line end.
pub fn header<'a>(columns: impl Iterator<Item = &'a str> + Clone) -> impl fmt::Display {
    Separated { items: columns, before: "#", write: |f, column| f.write_str(column) }
}

/// The line of a row, without a line end; empty cells are unset.
pub fn row<'a>(cells: impl Iterator<Item = &'a str> + Clone) -> impl fmt::Display {
    Separated { items: cells, before: "", write: write_cell }
}

/// A table with its header.
pub fn table(table: &Table, rows: &[Row]) -> String {
    let mut text = format!("{}\n", header(table.columns.iter().map(|column| column.name)));
    for cells in rows {
        text.push_str(&row(cells.cells().map(Option::unwrap_or_default)).to_string());
        text.push('\n');
    }
    text
}

/// Items with commas between them, written without collecting them first.
struct Separated<I> {
    items: I,
    before: &'static str,
    write: fn(&mut fmt::Formatter<'_>, &str) -> fmt::Result,
}

impl<'a, I: Iterator<Item = &'a str> + Clone> fmt::Display for Separated<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, item) in self.items.clone().enumerate() {
            f.write_str(if at == 0 { self.before } else { "," })?;
            (self.write)(f, item)?;
        }
        Ok(())
    }
}

fn write_cell(f: &mut fmt::Formatter<'_>, cell: &str) -> fmt::Result {
    if cell.is_empty() {
        return Ok(());
    }
    f.write_str("\"")?;
    for (at, part) in cell.split('"').enumerate() {
        if at > 0 {
            f.write_str("\"\"")?;
        }
        f.write_str(part)?;
    }
    f.write_str("\"")
}

/// Says what is wrong with a file and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct CsvError {
    /// Counted from 1.
    pub line: usize,
    pub problem: CsvProblem,
}

/// What can be wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvProblem {
    #[error("expected a header line such as '#node,ip,comments,disable'")]
    NoHeader,
    #[error("the header names column '{0}' twice")]
    ColumnTwice(String),
    #[error("the header has a column without a name")]
    ColumnWithoutName,
    #[error("expected at most {expected} cells as in the header, found {found}")]
    TooManyCells { expected: usize, found: usize },
    #[error("the quotes opened here are never closed")]
    OpenQuotes,
    #[error("expected ',' or the end of the line after closing quotes, found '{0}'")]
    AfterQuotes(char),
    #[error("the file holds a NUL byte")]
    Nul,
}

/// A row of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where the row begins, counted from 1.
    pub line: usize,
    /// As many as the header has columns; empty cells are unset.
    pub cells: Vec<Cow<'a, str>>,
}

/// Reads a file row by row. Skips blank lines, rows without any value, and lines that begin with a bare `#`.
#[derive(Debug)]
pub struct Reader<'a> {
    /// What the header says, in its order.
    pub columns: Vec<String>,
    lines: Lines<'a>,
}

impl<'a> Reader<'a> {
    /// Reads the header. A NUL anywhere is refused at once: nothing of such a file should reach a table.
    pub fn new(text: &'a str) -> Result<Self, CsvError> {
        if let Some(at) = text.find('\0') {
            return Err(CsvError { line: 1 + newlines(&text[..at]), problem: CsvProblem::Nul });
        }
        let mut lines = Lines { rest: text.trim_start_matches('\u{feff}'), line: 1 };
        lines.skip_blank();
        let Some(header) = lines.record()? else {
            return Err(CsvError { line: lines.line, problem: CsvProblem::NoHeader });
        };
        let columns = columns(&header.cells).map_err(|problem| CsvError { line: header.line, problem })?;
        Ok(Self { columns, lines })
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Record<'a>, CsvError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.lines.skip_blank();
            if self.lines.rest.starts_with('#') {
                self.lines.skip_line();
                continue;
            }
            let mut record = match self.lines.record() {
                Ok(record) => record?,
                Err(error) => {
                    // What follows a broken row cannot be told apart from it.
                    self.lines.rest = "";
                    return Some(Err(error));
                }
            };
            if record.cells.iter().all(|cell| cell.is_empty()) {
                continue;
            }
            let expected = self.columns.len();
            if record.cells[expected.min(record.cells.len())..].iter().any(|cell| !cell.is_empty()) {
                let problem = CsvProblem::TooManyCells { expected, found: record.cells.len() };
                return Some(Err(CsvError { line: record.line, problem }));
            }
            record.cells.resize(expected, Cow::Borrowed(""));
            return Some(Ok(record));
        }
    }
}

fn columns(header: &[Cow<'_, str>]) -> Result<Vec<String>, CsvProblem> {
    let mut columns: Vec<String> = header.iter().map(|cell| cell.trim().to_owned()).collect();
    if let Some(first) = columns.first_mut() {
        *first = first.trim_start_matches(['#', ' ']).to_owned();
    }
    while columns.last().is_some_and(String::is_empty) {
        columns.pop();
    }
    if columns.is_empty() {
        return Err(CsvProblem::NoHeader);
    }
    let mut seen = HashSet::new();
    for column in &columns {
        if column.is_empty() {
            return Err(CsvProblem::ColumnWithoutName);
        }
        if !seen.insert(column) {
            return Err(CsvProblem::ColumnTwice(column.clone()));
        }
    }
    Ok(columns)
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// What is left of a file and the number of its first line.
#[derive(Debug)]
struct Lines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lines<'a> {
    fn skip_blank(&mut self) {
        loop {
            let line = self.rest.split('\n').next().unwrap_or_default();
            if self.rest.is_empty() || !line.trim().is_empty() {
                return;
            }
            self.skip_line();
        }
    }

    fn skip_line(&mut self) {
        let line = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
        self.advance(line);
    }

    fn advance(&mut self, bytes: usize) {
        self.line += newlines(&self.rest[..bytes]);
        self.rest = &self.rest[bytes..];
    }

    /// The next row with its line end, `None` at the end of the file.
    fn record(&mut self) -> Result<Option<Record<'a>>, CsvError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let line = self.line;
        let mut cells = Vec::new();
        loop {
            cells.push(self.cell()?);
            let next = self.rest.as_bytes().first();
            let is_last = next != Some(&b',');
            if next.is_some() {
                self.advance(1);
            }
            if is_last {
                return Ok(Some(Record { line, cells }));
            }
        }
    }

    /// A cell up to the ',' or newline that ends it.
    fn cell(&mut self) -> Result<Cow<'a, str>, CsvError> {
        let blanks = self.rest.len() - self.rest.trim_start_matches([' ', '\t']).len();
        if self.rest[blanks..].starts_with('"') {
            self.advance(blanks + 1);
            return self.quoted();
        }
        let length = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
        let cell = &self.rest[..length];
        self.advance(length);
        let ends_line = !self.rest.starts_with(',');
        Ok(Cow::Borrowed(cell.strip_suffix('\r').filter(|_| ends_line).unwrap_or(cell)))
    }

    /// The rest of a cell after its opening quotes.
    fn quoted(&mut self) -> Result<Cow<'a, str>, CsvError> {
        let line = self.line;
        let mut cell = Cow::Borrowed("");
        loop {
            let open = CsvError { line, problem: CsvProblem::OpenQuotes };
            let quote = self.rest.find('"').ok_or(open)?;
            cell += &self.rest[..quote];
            self.advance(quote + 1);
            if !self.rest.starts_with('"') {
                break;
            }
            cell += "\"";
            self.advance(1);
        }
        let blanks = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r']).len();
        self.advance(blanks);
        match self.rest.chars().next() {
            None | Some(',' | '\n') => Ok(cell),
            Some(other) => Err(CsvError { line: self.line, problem: CsvProblem::AfterQuotes(other) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;

    /// Reads a file and shows every row as `line: cells`, or the first error.
    fn read(text: &str) -> Result<Vec<String>, String> {
        let reader = Reader::new(text).map_err(|error| error.to_string())?;
        reader
            .map(|record| record.map(|record| format!("{}: {}", record.line, record.cells.join("|"))))
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(read(text), Ok(expected.iter().map(|line| (*line).to_owned()).collect()), "{text:?}");
    }

    fn check_error(text: &str, expected: &str) {
        assert_eq!(read(text), Err(expected.to_owned()), "{text:?}");
    }

    #[test]
    fn writes_as_tabdump_does() {
        assert_eq!(header(["node", "ip", "disable"].into_iter()).to_string(), "#node,ip,disable");
        let cells = ["node4", "", "a,b", "", "he said \"hi\"", " ok", ""];
        assert_eq!(row(cells.into_iter()).to_string(), r#""node4",,"a,b",,"he said ""hi"""," ok","#);
        assert_eq!(row(["\""].into_iter()).to_string(), r#""""""#);
        assert_eq!(row(["a\nb"].into_iter()).to_string(), "\"a\nb\"");
    }

    #[test]
    fn reads_what_tabdump_writes() {
        let reader = Reader::new("#node,ip,comments,disable\n").unwrap();
        assert_eq!(reader.columns, ["node", "ip", "comments", "disable"]);
        check("#a,b,c\n\"n1\",,\"x,y\"\n\"n2\",\"he said \"\"hi\"\"\",\n", &["2: n1||x,y", "3: n2|he said \"hi\"|"]);
        check("#a,b\n\"\"\"\"\"\",\"#x\"\n", &["2: \"\"|#x"]);
        check("#a\n", &[]);
    }

    #[test]
    fn reads_what_editors_and_spreadsheets_make_of_it() {
        check("\u{feff}#a,b\r\n\"n1\",\"x\"\r\nn2,y\r\n", &["2: n1|x", "3: n2|y"]);
        check("#a,b\nn1,x", &["2: n1|x"]);
        check("\n\n# a , b\n\n  \n\"n1\" , \"x\" \n", &["6: n1|x"]);
        check("\"#a\",\"b\"\nn1,x\n", &["2: n1|x"]);
        check("a,b\nn1,x\n", &["2: n1|x"]);
        check("#a,b,,\nn1,x,,\n", &["2: n1|x"]);
        check("#a,b,c\nn1\n,,\n", &["2: n1||"]);
        check("#a,b\n# a remark\nn1,a \"b\" c\n", &["3: n1|a \"b\" c"]);
        check("#a,b\nn1,\"x\ny\"\nn2,\n", &["2: n1|x\ny", "4: n2|"]);
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        check_error("", "line 1: expected a header line such as '#node,ip,comments,disable'");
        check_error("\n\n", "line 3: expected a header line such as '#node,ip,comments,disable'");
        check_error(",,\n", "line 1: expected a header line such as '#node,ip,comments,disable'");
        check_error("#a,,b\n", "line 1: the header has a column without a name");
        check_error("#a,b,a\n", "line 1: the header names column 'a' twice");
        check_error("#a,b\nn1,x,y\n", "line 2: expected at most 2 cells as in the header, found 3");
        check_error("#a,b\nn1,\"x\ny\n", "line 2: the quotes opened here are never closed");
        check_error(
            "#a,b\n\"x\ny\"z,\n",
            "line 3: expected ',' or the end of the line after closing quotes, found 'z'",
        );
        check_error("#a\nx\ny\0\n", "line 3: the file holds a NUL byte");
    }

    #[test]
    fn stops_after_a_broken_row() {
        let mut reader = Reader::new("#a,b\n\"x\"y\nn1,\n").unwrap();
        assert!(reader.next().unwrap().is_err());
        assert!(reader.next().is_none());
    }

    #[test]
    fn hostile_files_take_linear_time() {
        let quotes = format!("#a\n\"{}\"\n", "\"\"".repeat(1_000_000));
        assert_eq!(Reader::new(&quotes).unwrap().next().unwrap().unwrap().cells[0].len(), 1_000_000);
        let commas = format!("#a\n{}\n", ",".repeat(1_000_000));
        check(&commas, &[]);
        let lines = format!("#a\n\"{}\"\n", "\n".repeat(1_000_000));
        assert_eq!(Reader::new(&lines).unwrap().count(), 1);
        let blank = format!("#a\n{}", " \n".repeat(1_000_000));
        check(&blank, &[]);
    }

    fn table() -> impl Strategy<Value = Vec<Vec<String>>> {
        let cell = prop_oneof!["[^\0]{0,8}", r#"[",\r\n# a]{0,6}"#];
        (1_usize..5)
            .prop_flat_map(move |columns| prop::collection::vec(prop::collection::vec(cell.clone(), columns), 0..6))
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(rows in table()) {
            let columns: Vec<String> = (0..rows.first().map_or(1, Vec::len)).map(|at| format!("c{at}")).collect();
            let mut text = String::new();
            writeln!(text, "{}", header(columns.iter().map(String::as_str))).unwrap();
            for cells in &rows {
                writeln!(text, "{}", row(cells.iter().map(String::as_str))).unwrap();
            }
            let read: Vec<Vec<String>> = Reader::new(&text)
                .unwrap()
                .map(|record| record.unwrap().cells.into_iter().map(Cow::into_owned).collect())
                .collect();
            let kept: Vec<Vec<String>> = rows.into_iter().filter(|row| row.iter().any(|cell| !cell.is_empty())).collect();
            prop_assert_eq!(read, kept);
        }

        #[test]
        fn nothing_panics(text in r#"[#a,"\r\n é]{0,40}"#) {
            if let Ok(reader) = Reader::new(&text) {
                let columns = reader.columns.len();
                prop_assert!(reader.flatten().all(|record| record.cells.len() == columns));
            }
        }
    }
}
