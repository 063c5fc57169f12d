//! What a node-keyed table says of a node: its own row, then its groups' rows, then expressions.
//!
//! Values are found column by column, not row by row: a node may have its `mgt` from one group and its `cons` from
//! another. An unset cell never hides a group's value. The same code finds a value and explains it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::expression::{self, Evaluator, ExpressionError};
use crate::lists::{appended, words};
use crate::objects::nic;
use crate::row::Row;
use crate::schema::{self, Table};
use crate::store::{Store, first_key};
use crate::{Result, Select};

/// From this many nodes on tables are read whole.
const MANY_NODES: usize = 500;
const POSTSCRIPTS: &str = "postscripts";
/// The row of that table that every node has before its own scripts.
const FOR_ALL: &str = "xcatdefaults";
/// Ends a value that asks for the next one to be added to it.
const NEXT: &str = "+=NEXTRECORD";

/// A value with everything that had a say in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// What readers get; None when unset.
    pub text: Option<String>,
    /// Every cell that is set, the one with the most weight first.
    pub given: Vec<Given>,
    /// Why the value could not be computed, which leaves it unset.
    pub fault: Option<ExpressionError>,
}

/// A cell that supplies a value, or would if another did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub place: Place,
    /// As it stands in the table: an expression is not computed.
    pub text: String,
    /// False where a cell of more weight overrides it.
    pub used: bool,
}

/// Whose row a cell stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The node's own.
    Own,
    /// The group's of that name.
    Group(String),
    /// Row `xcatdefaults` of table postscripts.
    Defaults,
}

/// Rows of node-keyed tables, read for certain nodes and their groups.
pub(crate) struct Sheets<'n> {
    names: &'n [&'n str],
    /// The rows of nodelist that say which groups the nodes are in.
    nodes: Vec<Row>,
    /// Rows of one node stand together.
    sheets: Vec<(&'static Table, Vec<Row>)>,
    /// Columns whose values add up over a node and its groups, with what separates them.
    adding: HashMap<String, char>,
}

/// The rows of [`Sheets`] in their places, so that looking one up is no search. A node is asked for by its place among
/// the names.
pub(crate) struct View<'a> {
    names: &'a [&'a str],
    /// The number of each name: one that comes twice has one number.
    numbers: Vec<usize>,
    /// By number the groups of each node in order; None for a name that is no node.
    memberships: Vec<Option<Vec<usize>>>,
    groups: Numbered<'a>,
    pub(crate) sheets: Vec<Sheet<'a>>,
    adding: &'a HashMap<String, char>,
}

/// One table of a [`View`].
pub(crate) struct Sheet<'a> {
    pub(crate) table: &'static Table,
    /// The rows of each node.
    nodes: Vec<&'a [Row]>,
    /// The rows of each group; empty when no group has any.
    groups: Vec<&'a [Row]>,
    /// The row for all, of table postscripts.
    defaults: &'a [Row],
    /// Whether any row sets the column at that position.
    filled: Vec<bool>,
}

/// Names with numbers from 0.
#[derive(Default)]
struct Numbered<'a> {
    names: Vec<&'a str>,
    numbers: HashMap<&'a str, usize>,
}

/// The rows that have a say in a node's values in one table, the weightiest first.
pub(crate) struct Layers<'a> {
    node: &'a str,
    rows: Vec<(Layer<'a>, &'a [Row])>,
}

#[derive(Clone, Copy, PartialEq)]
enum Layer<'a> {
    Own,
    Group(&'a str),
    Defaults,
}

/// A cell that is set, with whether it is part of the value.
struct Said<'a> {
    layer: Layer<'a>,
    cell: Cow<'a, str>,
    used: bool,
}

impl<'n> Sheets<'n> {
    /// Reads those tables for the nodes; names that are no nodes are passed over.
    pub(crate) fn read(store: &Store, names: &'n [&'n str], tables: &[&'static Table]) -> Result<Self> {
        let all = names.len() >= MANY_NODES;
        let nodes = store.rows(nodelist(), if all { Select::All } else { Select::Keys(names) })?;
        let groups: HashSet<&str> = if all { HashSet::new() } else { nodes.iter().flat_map(groups_of).collect() };
        let mut keys: Vec<&str> = names.iter().copied().chain(groups).collect();
        let here = keys.len();
        keys.push(FOR_ALL);
        let tables: Vec<_> = tables.iter().copied().filter(|table| table.name != nodelist().name).collect();
        let mut sheets = Vec::new();
        for (table, filled) in tables.iter().zip(store.filled(&tables)?) {
            let keys = if table.name == POSTSCRIPTS { &keys[..] } else { &keys[..here] };
            let mut rows = match filled {
                true => store.rows(table, if all { Select::All } else { Select::Keys(keys) })?,
                false => Vec::new(),
            };
            if table.keys().count() > 1 {
                let key = key_position(table);
                rows.sort_by(|a, b| a.cell(key).cmp(&b.cell(key)));
            }
            sheets.push((*table, rows));
        }
        Ok(Self { names, sheets, adding: adding(store)?, nodes })
    }

    pub(crate) fn view(&self) -> View<'_> {
        let mut names = Numbered::default();
        let numbers: Vec<usize> = self.names.iter().map(|name| names.add(name)).collect();
        let mut groups = Numbered::default();
        let mut memberships = vec![None; names.names.len()];
        for row in &self.nodes {
            if let Some(number) = row.cell(0).and_then(|name| names.numbers.get(name)) {
                memberships[*number] = Some(groups_of(row).map(|group| groups.add(group)).collect());
            }
        }
        let sheet = |table, rows| Sheet::new(table, rows, &names, &groups);
        let nodelist = sheet(nodelist(), &self.nodes);
        let others = self.sheets.iter().map(|(table, rows)| sheet(table, rows));
        let sheets = std::iter::once(nodelist).chain(others).collect();
        View { names: self.names, numbers, memberships, groups, sheets, adding: &self.adding }
    }
}

/// Reads `site.hierarchicalattrs`: `postscripts,foo:;` lists columns, each with a separator if it is no comma.
fn adding(store: &Store) -> Result<HashMap<String, char>> {
    let setting = crate::tables::site(store, "hierarchicalattrs")?.unwrap_or_default();
    let columns = setting.split(',').map(str::trim).filter(|column| !column.is_empty());
    let split = |column: &str| {
        let (name, separator) = column.split_once(':').unwrap_or((column, ""));
        (name.to_owned(), separator.chars().next().unwrap_or(','))
    };
    Ok(columns.map(split).collect())
}

/// The groups that a row of nodelist names, in order.
pub(crate) fn groups_of(node: &Row) -> impl Iterator<Item = &str> {
    words(node.get("groups").unwrap_or_default())
}

fn nodelist() -> &'static Table {
    schema::find("nodelist").expect("nodelist is in the schema")
}

fn key_position(table: &Table) -> usize {
    table.column(first_key(table)).unwrap_or_default()
}

impl<'a> Numbered<'a> {
    fn add(&mut self, name: &'a str) -> usize {
        let number = *self.numbers.entry(name).or_insert(self.names.len());
        if number == self.names.len() {
            self.names.push(name);
        }
        number
    }
}

impl<'a> Sheet<'a> {
    fn new(table: &'static Table, rows: &'a [Row], names: &Numbered<'_>, groups: &Numbered<'_>) -> Self {
        let key = key_position(table);
        // Nobody inherits what is said of a node itself.
        let inherited = table.name != nodelist().name;
        let mut sheet = Self {
            table,
            nodes: vec![&[]; names.names.len()],
            groups: Vec::new(),
            defaults: &[],
            filled: vec![false; table.columns.len()],
        };
        for rows in rows.chunk_by(|a, b| a.cell(key) == b.cell(key)) {
            let owner = rows[0].cell(key).unwrap_or_default();
            if let Some(number) = names.numbers.get(owner) {
                sheet.nodes[*number] = rows;
            }
            if let Some(number) = groups.numbers.get(owner).filter(|_| inherited) {
                sheet.groups.resize(groups.names.len(), &[]);
                sheet.groups[*number] = rows;
            }
            if owner == FOR_ALL && table.name == POSTSCRIPTS {
                sheet.defaults = rows;
            }
        }
        for cells in rows.iter().map(Row::cells) {
            cells.zip(&mut sheet.filled).for_each(|(cell, filled)| *filled |= cell.is_some());
        }
        sheet
    }

    pub(crate) fn is_filled(&self, position: usize) -> bool {
        self.filled[position]
    }

    /// All that the given rows say in a column: several rows of one node are joined by commas.
    fn cell(rows: &'a [Row], position: usize) -> Option<Cow<'a, str>> {
        let mut cells = rows.iter().filter_map(|row| row.cell(position));
        let first = Cow::Borrowed(cells.next()?);
        Some(cells.fold(first, |list, cell| Cow::Owned(appended(&list, cell, ','))))
    }
}

impl<'a> View<'a> {
    /// Whether the name is that of a node.
    pub(crate) fn is_node(&self, node: usize) -> bool {
        self.memberships[self.numbers[node]].is_some()
    }

    pub(crate) fn sheet(&self, table: &Table) -> Option<&Sheet<'a>> {
        self.sheets.iter().find(|sheet| sheet.table.name == table.name)
    }

    /// The rows of a table that have a say in a node's values.
    pub(crate) fn layers(&self, sheet: &Sheet<'a>, node: usize) -> Layers<'a> {
        let mut rows = Vec::new();
        let mut add = |layer, found: &'a [Row]| {
            if !found.is_empty() {
                rows.push((layer, found));
            }
        };
        let number = self.numbers[node];
        add(Layer::Own, sheet.nodes[number]);
        if !sheet.groups.is_empty() {
            for group in self.memberships[number].iter().flatten() {
                add(Layer::Group(self.groups.names[*group]), sheet.groups[*group]);
            }
        }
        add(Layer::Defaults, sheet.defaults);
        Layers { node: self.names[node], rows }
    }

    /// The value in the column at that position, with expressions computed.
    pub(crate) fn value(
        &self,
        evaluator: &mut Evaluator,
        sheet: &Sheet<'a>,
        position: usize,
        layers: &Layers<'a>,
    ) -> Result<Option<Cow<'a, str>>, ExpressionError> {
        let separator = self.adding.get(sheet.table.columns[position].name).copied().unwrap_or(',');
        let mut value: Option<Cow<'a, str>> = None;
        for said in self.said(sheet, position, layers).filter(|said| said.used) {
            let cell = without_marker(said.cell);
            let Some(cell) = computed(evaluator, sheet.table, cell, layers.node)? else { continue };
            value = Some(match value {
                None => cell,
                // The defaults weigh least and yet come first.
                Some(value) if said.layer == Layer::Defaults => Cow::Owned(appended(&cell, &value, separator)),
                Some(value) => Cow::Owned(appended(&value, &cell, separator)),
            });
        }
        Ok(value)
    }

    /// The value with every cell that had or might have had a say in it.
    pub(crate) fn explain(&self, evaluator: &mut Evaluator, sheet: &Sheet<'a>, position: usize, node: usize) -> Value {
        let layers = self.layers(sheet, node);
        let given = self.said(sheet, position, &layers).map(|said| Given {
            place: said.layer.into(),
            text: said.cell.into_owned(),
            used: said.used,
        });
        let given = given.collect();
        match self.value(evaluator, sheet, position, &layers) {
            Ok(text) => Value { text: text.map(Cow::into_owned), given, fault: None },
            Err(fault) => Value { text: None, given, fault: Some(fault) },
        }
    }

    /// Every cell that is set, the weightiest first. The first is the value, unless the column adds up or it asks for
    /// the next one; the defaults are always part of it.
    fn said(&self, sheet: &Sheet<'a>, position: usize, layers: &Layers<'a>) -> impl Iterator<Item = Said<'a>> {
        let adds_up = self.adding.contains_key(sheet.table.columns[position].name);
        let cells = layers.rows.iter().filter_map(move |(layer, rows)| Some((*layer, Sheet::cell(rows, position)?)));
        cells.scan(true, move |open, (layer, cell)| {
            let used = *open || layer == Layer::Defaults;
            *open = used && (adds_up || cell.ends_with(NEXT));
            Some(Said { layer, cell, used })
        })
    }
}

impl From<Layer<'_>> for Place {
    fn from(layer: Layer<'_>) -> Self {
        match layer {
            Layer::Own => Self::Own,
            Layer::Group(group) => Self::Group(group.to_owned()),
            Layer::Defaults => Self::Defaults,
        }
    }
}

fn without_marker(cell: Cow<'_, str>) -> Cow<'_, str> {
    match cell {
        Cow::Borrowed(text) => Cow::Borrowed(text.strip_suffix(NEXT).unwrap_or(text)),
        Cow::Owned(text) => Cow::Owned(text.strip_suffix(NEXT).map_or_else(|| text.clone(), str::to_owned)),
    }
}

fn computed<'a>(
    evaluator: &mut Evaluator,
    table: &Table,
    cell: Cow<'a, str>,
    node: &str,
) -> Result<Option<Cow<'a, str>>, ExpressionError> {
    if expression::is_expression(&cell) {
        return Ok(evaluator.evaluate(&cell, node)?.map(|value| Cow::Owned(value.into_owned())));
    }
    if table.name != "nics" || !cell.contains("!|") {
        return Ok((!cell.is_empty()).then_some(cell));
    }
    let mut ports = Vec::new();
    for (port, value) in nic::entries(&cell) {
        let value = evaluator.evaluate(value, node)?.unwrap_or_default();
        ports.push(format!("{port}!{value}"));
    }
    Ok(Some(Cow::Owned(ports.join(","))))
}
