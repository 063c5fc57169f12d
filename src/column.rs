//! Columns of the tables about nodes as nodels, nodeadd, nodech and nodegrpch take them, and how they are to change.

use tables::Place;
use tables::criterion::Criterion;
use tables::definitions::{self, Operator};
use tables::lists;
use tables::schema::{self, Column, Scope, Table};
use tables::{Edit, Select, objects, suggest};

use crate::failure::Failure;

/// A column of a table whose rows are about nodes or groups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) table: &'static Table,
    pub(crate) column: &'static Column,
}

/// What is to become of a cell.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) cell: Cell,
    operator: Operator,
    value: String,
}

/// A word behind the noderange: it narrows the range or changes its nodes.
#[derive(Debug)]
pub(crate) enum Word {
    Condition(Criterion),
    Change(Change),
}

/// A value that stood in a group's row and now stands in the node's own.
#[derive(Debug)]
pub(crate) struct Materialised {
    pub(crate) node: String,
    pub(crate) cell: Cell,
    pub(crate) group: String,
}

/// xCAT's names for columns that are asked for all the time.
const SHORT_NAMES: [(&str, &str); 3] =
    [("groups", "nodelist.groups"), ("tags", "nodelist.groups"), ("mgt", "nodehm.mgt")];

/// Spelling and meaning of the operators that change; longer ones stand before those that they begin with.
const OPERATORS: [(&str, Operator); 4] =
    [(",=", Operator::Prepend), ("^=", Operator::Remove), ("=@", Operator::Set), ("=", Operator::Set)];

impl Cell {
    /// The column of that name: `table.column`, one of xCAT's short names, or an attribute as lsdef shows it.
    pub(crate) fn named(text: &str) -> Result<Self, Failure> {
        let full = SHORT_NAMES.iter().find(|(short, _)| *short == text).map_or(text, |(_, full)| full);
        let Some((table, column)) = full.split_once('.') else { return attribute(text) };
        let Some(table) = schema::find(table).filter(|table| table.scope == Scope::Node) else {
            let meant = suggest::nearest(table, node_tables().map(|table| table.name));
            return Err(invalid(text, meant.map(|table| format!("{table}.{column}"))));
        };
        let found = table.columns.iter().find(|known| known.name == column);
        let meant = || suggest::nearest(column, table.columns.iter().map(|column| column.name));
        found
            .map(|column| Self { table, column })
            .ok_or_else(|| invalid(text, meant().map(|column| format!("{}.{column}", table.name))))
    }

    /// Every column of a table about nodes, in the table's order.
    pub(crate) fn all_of(table: &'static Table) -> impl Iterator<Item = Self> {
        table.columns.iter().map(move |column| Self { table, column })
    }

    /// Whether the column holds the node's name.
    pub(crate) fn is_owner(&self) -> bool {
        self.column.name == self.table.columns[0].name
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.table.name, self.column.name)
    }
}

/// The table about nodes of that name.
pub(crate) fn node_table(name: &str) -> Option<&'static Table> {
    schema::find(name).filter(|table| table.scope == Scope::Node)
}

/// Whether a word compares instead of naming or changing something.
pub(crate) fn is_condition(text: &str) -> bool {
    let operator = &text[key_of(text).len()..];
    operator.starts_with(['!', '<', '>']) || operator.starts_with("==") || operator.starts_with("=~")
}

/// Reads a condition.
pub(crate) fn condition(text: &str) -> Result<Criterion, Failure> {
    Criterion::parse(text).map_err(|error| Failure::usage(error.to_string()))
}

/// Reads a word that follows the noderange.
pub(crate) fn word(text: &str) -> Result<Word, Failure> {
    if is_condition(text) {
        return condition(text).map(Word::Condition);
    }
    let key = key_of(text);
    let spelled =
        OPERATORS.iter().find_map(|(spelling, operator)| Some((*operator, text[key.len()..].strip_prefix(spelling)?)));
    let (operator, value) =
        spelled.ok_or_else(|| Failure::usage(format!("'{text}' is not of the form table.column=value")))?;
    let cell = Cell::named(key)?;
    if cell.is_owner() {
        return Err(Failure::refused(format!("{cell} is the name itself"))
            .hint("give a node another name with: chdef -o OLD -n NEW"));
    }
    Ok(Word::Change(Change { cell, operator, value: value.to_owned() }))
}

/// Conditions and changes, each in the order given.
pub(crate) fn words(texts: &[String]) -> Result<(Vec<Criterion>, Vec<Change>), Failure> {
    let (mut conditions, mut changes) = (Vec::new(), Vec::new());
    for text in texts {
        match word(text)? {
            Word::Condition(condition) => conditions.push(condition),
            Word::Change(change) => changes.push(change),
        }
    }
    Ok((conditions, changes))
}

/// Changes the rows of a node, one change after the other: a later one sees what an earlier one did.
pub(crate) fn change_node(edit: &mut Edit<'_>, node: &str, changes: &[Change]) -> tables::Result<Vec<Materialised>> {
    let mut materialised = Vec::new();
    for change in changes {
        let mut old = own(edit, node, change)?;
        if old.is_none()
            && change.operator != Operator::Set
            && let Some((value, group)) = inherited(edit, node, change.cell)?
        {
            materialised.push(Materialised { node: node.to_owned(), cell: change.cell, group });
            old = Some(value);
        }
        set(edit, node, change, old.as_deref())?;
    }
    Ok(materialised)
}

/// Changes the rows of a group, which supply defaults to its members.
pub(crate) fn change_group(edit: &mut Edit<'_>, group: &str, changes: &[Change]) -> tables::Result<()> {
    changes.iter().try_for_each(|change| {
        let old = own(edit, group, change)?;
        set(edit, group, change, old.as_deref())
    })
}

fn own(edit: &Edit<'_>, owner: &str, change: &Change) -> tables::Result<Option<String>> {
    if change.operator == Operator::Set {
        return Ok(None); // nobody asks
    }
    let rows = edit.rows(change.cell.table, Select::Keys(&[owner]))?;
    Ok(rows.iter().find_map(|row| row.get(change.cell.column.name)).map(str::to_owned))
}

/// The value that a group supplies, as it stands there, and that group.
fn inherited(edit: &Edit<'_>, node: &str, cell: Cell) -> tables::Result<Option<(String, String)>> {
    let values = edit.cells(&[node.to_owned()], &[(cell.table, cell.column.name)])?;
    let given = values.into_iter().flatten().flat_map(|value| value.given);
    Ok(given.filter(|given| given.used).find_map(|given| match given.place {
        Place::Group(group) => Some((given.text, group)),
        Place::Own | Place::Defaults => None,
    }))
}

fn set(edit: &mut Edit<'_>, owner: &str, change: &Change, old: Option<&str>) -> tables::Result<()> {
    let Change { cell, operator, value } = change;
    let (old, separator) = (old.unwrap_or_default(), definitions::separator(cell.column));
    let value = match operator {
        Operator::Set => value.clone(),
        Operator::Append => lists::appended(old, value, separator),
        Operator::Prepend => lists::prepended(old, value, separator),
        Operator::Remove => lists::without(old, value, separator),
    };
    edit.set(cell.table, &[owner], &[(cell.column.name, &value)])?;
    Ok(())
}

/// What stands before an operator.
fn key_of(text: &str) -> &str {
    let end = text.find(|letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-')));
    &text[..end.unwrap_or(text.len())]
}

fn attribute(name: &str) -> Result<Cell, Failure> {
    let node = objects::find("node").expect("nodes are among the types");
    let places: Vec<_> = node.named(name).collect();
    match places.as_slice() {
        [place] if tables::objects::nic::split(name).is_none() => Ok(Cell { table: place.table, column: place.column }),
        [] | [_] => Err(invalid(name, node.suggest(name).map(str::to_owned))),
        several => {
            let mut columns: Vec<String> =
                several.iter().map(|place| format!("{}.{}", place.table.name, place.column.name)).collect();
            columns.dedup();
            Err(Failure::refused(format!("'{name}' is kept in several places: {}", columns.join(", "))))
        }
    }
}

fn invalid(text: &str, meant: Option<String>) -> Failure {
    let failure = Failure::refused(format!("{text} not a valid table.column description"));
    match meant {
        Some(meant) => failure.hint(format!("did you mean '{meant}'?")),
        None => failure,
    }
}

fn node_tables() -> impl Iterator<Item = &'static Table> {
    schema::ALL.iter().filter(|table| table.scope == Scope::Node).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_three_kinds_of_names() {
        let check = |text: &str, expected: &str| {
            let found = Cell::named(text).map_or_else(|failure| failure.message, |cell| cell.to_string());
            assert_eq!(found, expected, "{text}");
        };
        check("groups", "nodelist.groups");
        check("tags", "nodelist.groups");
        check("mgt", "nodehm.mgt");
        check("nodehm.cons", "nodehm.cons");
        check("vmhost", "vm.host");
        check("ip", "hosts.ip");
        check("bmc", "'bmc' is kept in several places: ipmi.bmc, openbmc.bmc");
        check("nodehm.mgtt", "nodehm.mgtt not a valid table.column description");
        check("site.value", "site.value not a valid table.column description");
        check("nonsense", "nonsense not a valid table.column description");
    }

    #[test]
    fn words_compare_or_change() {
        let check = |text: &str, expected: &str| {
            let found = match word(text) {
                Ok(Word::Condition(criterion)) => {
                    format!("{} {:?} {}", criterion.key, criterion.operator, criterion.value)
                }
                Ok(Word::Change(change)) => format!("{} {:?} {}", change.cell, change.operator, change.value),
                Err(failure) => failure.message,
            };
            assert_eq!(found, expected, "{text}");
        };
        check("groups=a,b", "nodelist.groups Set a,b");
        check("groups,=a", "nodelist.groups Prepend a");
        check("groups^=a", "nodelist.groups Remove a");
        check("nodelist.comments=@=foo", "nodelist.comments Set =foo");
        check("nodelist.comments=a==b", "nodelist.comments Set a==b");
        check("hosts.ip=|n(\\d+)|10.0.0.($1)|", "hosts.ip Set |n(\\d+)|10.0.0.($1)|");
        check("mgt=", "nodehm.mgt Set ");
        check("mgt==ipmi", "mgt Equal ipmi");
        check("nodepos.rack!=2", "nodepos.rack NotEqual 2");
        check("groups=~rack", "groups Matches rack");
        check("os!~rh", "os NotMatches rh");
        check("mgt", "'mgt' is not of the form table.column=value");
        check("nodelist.node=n2", "nodelist.node is the name itself");
    }
}
