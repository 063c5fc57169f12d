//! A row of a table, and how rows are chosen.

use std::sync::Arc;

use serde::ser::{Serialize, Serializer};

use crate::schema::Table;

/// Which rows of a table are wanted. Rows that `disable` hides are left out unless said otherwise.
#[derive(Debug, Clone, Copy)]
pub enum Select<'a> {
    /// Every row that is not disabled.
    All,
    /// Every row, disabled ones too, as `tabdump` shows them.
    Stored,
    /// The rows whose first key column is one of these (several rows of a node in `switch`, for example).
    Keys(&'a [&'a str]),
    /// The rows that hold exactly these values: `(column, value)`; an empty value asks for unset cells.
    Where(&'a [(&'a str, &'a str)]),
}

/// A row: one cell per column of its table, in schema order; an unset cell and an empty one are the same. Cheap to clone.
#[derive(Clone)]
pub struct Row {
    table: &'static Table,
    /// The rows that were read together share their memory.
    block: Arc<Block>,
    /// The number of the first cell in the block.
    first: usize,
}

/// Cells one after the other: a few allocations for all rows of a table.
#[derive(Default)]
struct Block {
    text: String,
    /// Where each cell ends.
    ends: Vec<u32>,
}

/// Collects rows that are read together.
pub(crate) struct Rows {
    table: &'static Table,
    full: Vec<Row>,
    block: Block,
}

/// A block takes no more rows from this size on; with SQLite's longest row (1 GB) it stays within what `u32` counts.
const FULL: usize = 1 << 30;

impl Rows {
    pub(crate) fn new(table: &'static Table) -> Self {
        Self { table, full: Vec::new(), block: Block::default() }
    }

    /// Adds a row of these cells, in schema order; cells that are not given are unset.
    pub(crate) fn add<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        if self.block.text.len() >= FULL {
            self.fill_up();
        }
        let columns = self.table.columns.len();
        let Block { text, ends } = &mut self.block;
        let all = ends.len() + columns;
        for cell in cells.into_iter().take(columns) {
            text.push_str(cell.as_ref());
            ends.push(end_of(text));
        }
        ends.resize(all, end_of(text));
    }

    /// The rows in the order they came.
    pub(crate) fn finish(mut self) -> Vec<Row> {
        self.fill_up();
        self.full
    }

    fn fill_up(&mut self) {
        let block = Arc::new(std::mem::take(&mut self.block));
        let firsts = (0..block.ends.len()).step_by(self.table.columns.len());
        self.full.extend(firsts.map(|first| Row { table: self.table, block: block.clone(), first }));
    }
}

impl Row {
    /// A row of these cells, in schema order; cells that are not given are unset.
    pub fn new<S: AsRef<str>>(table: &'static Table, cells: impl IntoIterator<Item = S>) -> Self {
        let mut rows = Rows::new(table);
        rows.add(cells);
        Self { table, block: Arc::new(rows.block), first: 0 }
    }

    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// The value of a column; None when unset or when the table has no such column, never empty.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.cell(self.table.column(column)?)
    }

    /// The value of the column at that position of the schema; never empty.
    pub fn cell(&self, position: usize) -> Option<&str> {
        if position >= self.table.columns.len() {
            return None;
        }
        let cell = self.first + position;
        let start = if cell == 0 { 0 } else { self.block.ends[cell - 1] as usize };
        let end = self.block.ends[cell] as usize;
        (start < end).then(|| &self.block.text[start..end])
    }

    /// Every cell in schema order.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = Option<&str>> + Clone {
        (0..self.table.columns.len()).map(|position| self.cell(position))
    }

    /// The key cells, in schema order; unset ones are empty.
    pub fn key(&self) -> Vec<&str> {
        let columns = self.table.columns.iter().enumerate();
        columns.filter(|(_, column)| column.key).map(|(position, _)| self.cell(position).unwrap_or_default()).collect()
    }

    /// Whether `disable` hides the row from readers.
    pub fn is_disabled(&self) -> bool {
        self.cell(self.table.columns.len() - 1).is_some_and(is_true)
    }

    /// The row with other values in some columns, given by position; an empty value clears the cell.
    pub(crate) fn with(&self, cells: &[(usize, &str)]) -> Self {
        let changed = |position| cells.iter().rev().find(|(at, _)| *at == position).map(|(_, value)| *value);
        let all = self.cells().enumerate();
        Self::new(self.table, all.map(|(position, cell)| changed(position).unwrap_or(cell.unwrap_or_default())))
    }
}

/// Rows are equal when they are of one table and hold the same cells.
impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.table.name == other.table.name && self.cells().eq(other.cells())
    }
}

impl Eq for Row {}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ", self.table.name)?;
        f.debug_map().entries(set_cells(self)).finish()
    }
}

/// As an object of the set cells: `{"node":"n1","groups":"all"}`.
impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(set_cells(self))
    }
}

fn set_cells(row: &Row) -> impl Iterator<Item = (&'static str, &str)> {
    row.table.columns.iter().zip(row.cells()).filter_map(|(column, cell)| Some((column.name, cell?)))
}

/// The truth values that xCAT takes in `disable` and its like.
pub(crate) fn is_true(value: &str) -> bool {
    ["1", "yes", "true", "y"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn end_of(text: &str) -> u32 {
    u32::try_from(text.len()).expect("a block stays below 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    fn site(cells: &[&str]) -> Row {
        Row::new(schema::find("site").unwrap(), cells.iter().copied())
    }

    #[test]
    fn cells_keep_their_columns() {
        let row = site(&["domain", "", "über", ""]);
        assert_eq!(row.cells().collect::<Vec<_>>(), [Some("domain"), None, Some("über"), None]);
        assert_eq!(row.get("comments"), Some("über"));
        assert_eq!(row.get("value"), None);
        assert_eq!(row.get("bogus"), None);
        assert_eq!(row.key(), ["domain"]);
        assert_eq!(serde_json::to_string(&row).unwrap(), r#"{"key":"domain","comments":"über"}"#);
    }

    #[test]
    fn missing_cells_are_unset_and_surplus_ones_dropped() {
        assert_eq!(site(&["domain"]), site(&["domain", "", "", ""]));
        assert_eq!(site(&["domain", "", "", "", "surplus"]), site(&["domain"]));
        assert_ne!(site(&["a", "b"]), site(&["ab", ""]));
    }

    #[test]
    fn rows_read_together_stay_apart() {
        let mut rows = Rows::new(schema::find("site").unwrap());
        rows.add(["a", "1"]);
        rows.add(["", "", "x"]);
        rows.add([""; 0]);
        rows.add(["b", "", "", "1", "surplus"]);
        let expected = [site(&["a", "1"]), site(&["", "", "x"]), site(&[]), site(&["b", "", "", "1"])];
        assert_eq!(rows.finish(), expected);
    }

    #[test]
    fn with_replaces_and_clears() {
        let row = site(&["domain", "a.org", "note", ""]);
        assert_eq!(row.with(&[(1, "b.org"), (2, "")]), site(&["domain", "b.org"]));
        assert_eq!(row.with(&[(1, "b"), (1, "c")]).get("value"), Some("c"));
    }

    #[test]
    fn disable_takes_several_words() {
        for (word, expected) in [("1", true), ("yes", true), ("Y", true), ("true", true), ("0", false), ("no", false)] {
            assert_eq!(site(&["a", "b", "", word]).is_disabled(), expected, "{word}");
        }
    }
}
