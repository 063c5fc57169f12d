//! `nodech`: columns of nodes.

use clap::Args;
use tables::criterion::Criterion;
use tables::schema::Table;
use tables::{Edit, Select};

use super::Run;
use crate::column::{self, Change, Materialised};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Change columns of the tables about nodes
#[derive(Debug, Args)]
#[command(
    after_help = "= sets (empty: clears), ,= puts words before a list, ^= takes words out of one, =@ sets what begins with an operator.
== != =~ !~ narrow the range. groups, tags and mgt are short for nodelist.groups and nodehm.mgt. Silent on success.

Examples:
  nodech n1-n4 groups,=rack1
  nodech n1-n4 groups^=rack1 groups,=rack2
  nodech all nodepos.rack==2 nodehm.mgt=ipmi
  nodech n1 nodelist.comments=@=odd
  nodech -d n1 vm            remove n1's row of table vm"
)]
pub(crate) struct Nodech {
    /// The nodes
    noderange: String,
    /// TABLE.COLUMN=VALUE, or conditions; with -d tables
    #[arg(id = "changes", value_name = "TABLE.COLUMN=VALUE|CONDITION", required = true)]
    words: Vec<String>,
    /// Remove the nodes' rows from the tables
    #[arg(short = 'd', long)]
    delete: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Nodech {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let origin = cx.origin(self.reason.clone());
        if self.delete {
            let (conditions, tables) = tables(&self.words)?;
            cx.tables()?.edit(&origin, |edit| {
                let names = chosen(edit, &self.noderange, &conditions)?;
                delete(edit, &names, &tables)
            })?;
            return Ok(Outcome::Done);
        }
        let (conditions, changes) = column::words(&self.words)?;
        if changes.is_empty() {
            return Err(Failure::usage("nothing is to be changed").hint("write table.column=value; == only compares"));
        }
        let materialised = cx.tables()?.edit(&origin, |edit| {
            let names = chosen(edit, &self.noderange, &conditions)?;
            change(edit, &names, &changes)
        })?;
        tell(cx, &materialised);
        Ok(Outcome::Done)
    }
}

/// The nodes of the range that meet all conditions. A range without nodes is refused, one that was narrowed to none is not.
fn chosen(edit: &Edit<'_>, range: &str, conditions: &[Criterion]) -> tables::Result<Vec<String>> {
    let mut names = edit.expand(range)?;
    if names.is_empty() {
        return Err(tables::Error::EmptyRange { range: range.to_owned() });
    }
    if !conditions.is_empty() {
        let meeting = edit.select(conditions)?;
        names.retain(|name| meeting.contains(name));
    }
    Ok(names)
}

/// Changes all the nodes; also for nodeadd.
pub(super) fn change(edit: &mut Edit<'_>, names: &[String], changes: &[Change]) -> tables::Result<Vec<Materialised>> {
    let mut materialised = Vec::new();
    for name in names {
        materialised.extend(column::change_node(edit, name, changes)?);
    }
    Ok(materialised)
}

pub(super) fn tell(cx: &Context, materialised: &[Materialised]) {
    for Materialised { node, cell, group } in materialised {
        cx.ui.warning(&format!("'{cell}' of '{node}' came from group '{group}' and is its own from now on"));
    }
}

pub(super) fn delete(edit: &mut Edit<'_>, names: &[String], tables: &[&'static Table]) -> tables::Result<()> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    tables.iter().try_for_each(|table| edit.delete(table, Select::Keys(&names)).map(drop))
}

/// Conditions, and tables whose rows are to go.
pub(super) fn tables(words: &[String]) -> Result<(Vec<Criterion>, Vec<&'static Table>), Failure> {
    let (conditions, names): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| column::is_condition(word));
    let table = |name: &&String| match column::node_table(name) {
        Some(table) if table.name == "nodelist" => {
            Err(Failure::refused("without its row in nodelist a node is no node")
                .hint("remove nodes with: noderm NODERANGE"))
        }
        Some(table) => Ok(table),
        None => {
            Err(Failure::usage(format!("'{name}' is not a table about nodes")).hint("with -d name tables, not columns"))
        }
    };
    let tables = names.iter().map(table).collect::<Result<Vec<_>, _>>()?;
    if tables.is_empty() {
        return Err(Failure::usage("-d needs a table"));
    }
    Ok((conditions.iter().map(|word| column::condition(word)).collect::<Result<_, _>>()?, tables))
}
