//! `nodels`: nodes, and what the tables say of them.

use clap::Args;
use serde_json::{Map, Value as Json};
use tables::criterion::Criterion;
use tables::noderange::{Names, Unknown};
use tables::schema::Kind;
use tables::{Place, Tables, Value};

use super::Run;
use crate::column::{self, Cell};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// List nodes and columns of the tables about them
#[derive(Debug, Args)]
#[command(
    after_help = "Values are inherited and computed; tabdump shows what is stored. One column is printed as node: value, several as
node: table.column: value. groups, tags and mgt are short for nodelist.groups and nodehm.mgt; an attribute's name as
lsdef shows it is understood too. Conditions: == != =~ !~. Passwords are shown as ***.

Examples:
  nodels                     every node
  nodels rack1 nodehm.mgt
  nodels all groups vm.host -b   and which group a value comes from
  nodels n1 noderes          every column of a table
  nodels all nodehm.mgt==ipmi nodepos.rack"
)]
pub(crate) struct Nodels {
    /// The nodes; every node when left out
    noderange: Option<String>,
    /// Columns to show, tables to show whole, conditions that narrow the range
    #[arg(value_name = "TABLE.COLUMN|TABLE|CONDITION")]
    words: Vec<String>,
    /// Say which group a value is inherited from
    #[arg(short = 'b', long)]
    blame: bool,
    /// Print table.column also before a single value
    #[arg(short = 'H', long = "with-fieldname")]
    header: bool,
    /// Hidden nodes too
    #[arg(short = 'S')]
    hidden: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// A column under the name that it was asked for.
struct Asked {
    label: String,
    cell: Cell,
}

impl Run for Nodels {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let conditions: Vec<&String> = self.words.iter().filter(|word| column::is_condition(word)).collect();
        let criteria = conditions.iter().map(|word| column::condition(word)).collect::<Result<Vec<_>, _>>()?;
        let (asked, has_table) = asked(self.words.iter().filter(|word| !column::is_condition(word)))?;
        let tables = cx.tables()?;
        let names = self.names(tables, &criteria)?;
        if asked.is_empty() && !self.json {
            cx.ui.names(&names);
            return Ok(Outcome::Done);
        }
        let names = names.to_vec();
        let with_labels = self.header || has_table || asked.len() > 1 || !criteria.is_empty();
        let columns: Vec<_> = asked.iter().map(|asked| (asked.cell.table, asked.cell.column.name)).collect();
        let mut outcome = Outcome::Done;
        for (name, values) in names.iter().zip(tables.cells(&names, &columns)?) {
            for (asked, value) in asked.iter().zip(&values) {
                if let Some(fault) = &value.fault {
                    cx.ui.note(&format!("{name}: Error: cannot compute {}: {fault}", asked.label));
                    outcome = Outcome::SomeFailed;
                }
            }
            if self.json {
                cx.ui.line(&to_json(name, &asked, &values));
                continue;
            }
            for (asked, value) in asked.iter().zip(&values) {
                let label = if with_labels { format!("{}: ", asked.label) } else { String::new() };
                let blame = if self.blame { blame(value) } else { String::new() };
                cx.ui.line(&format!("{name}: {label}{}{blame}", shown(name, asked.cell, value)));
            }
        }
        Ok(outcome)
    }
}

impl Nodels {
    fn names(&self, tables: &Tables, criteria: &[Criterion]) -> Result<Names, Failure> {
        let names = match &self.noderange {
            Some(range) => tables.expand_with(range, Unknown::Refuse)?.names,
            None => tables.node_names(self.hidden)?,
        };
        Ok(if criteria.is_empty() { names } else { names.intersection(&tables.select(criteria)?) })
    }
}

/// The columns asked for in their order, and whether a whole table was among them.
fn asked<'a>(words: impl Iterator<Item = &'a String>) -> Result<(Vec<Asked>, bool), Failure> {
    let (mut asked, mut has_table) = (Vec::new(), false);
    for word in words {
        match column::node_table(word) {
            Some(table) => {
                has_table = true;
                asked.extend(Cell::all_of(table).map(|cell| Asked { label: cell.to_string(), cell }));
            }
            None => asked.push(Asked { label: word.clone(), cell: Cell::named(word)? }),
        }
    }
    Ok((asked, has_table))
}

fn shown<'a>(node: &'a str, cell: Cell, value: &'a Value) -> &'a str {
    match &value.text {
        _ if cell.is_owner() => node,
        Some(_) if cell.column.kind == Kind::Secret => "***",
        Some(text) => text,
        None => "",
    }
}

/// ` (inherited from group rack1)`; several where values add up.
fn blame(value: &Value) -> String {
    let used = value.given.iter().filter(|given| given.used);
    let places = used.filter_map(|given| match &given.place {
        Place::Own => None,
        Place::Group(group) => Some(format!("group {group}")),
        Place::Defaults => Some("xcatdefaults".to_owned()),
    });
    let places: Vec<String> = places.collect();
    if places.is_empty() { String::new() } else { format!(" (inherited from {})", places.join(", ")) }
}

fn to_json(name: &str, asked: &[Asked], values: &[Value]) -> String {
    let mut object = Map::from_iter([("node".to_owned(), Json::from(name))]);
    for (asked, value) in asked.iter().zip(values) {
        let text = value.text.as_ref().map(|_| shown(name, asked.cell, value));
        object.insert(asked.label.clone(), text.map_or(Json::Null, Json::from));
    }
    Json::Object(object).to_string()
}
