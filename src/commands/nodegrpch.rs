//! `nodegrpch`: columns of groups, with which all members agree afterwards.

use clap::Args;
use tables::criterion::Criterion;
use tables::{Edit, Row, Select, definitions, noderange, objects, schema};

use super::{Run, nodech};
use crate::column::{self, Cell, Change};
use crate::context::Context;
use crate::failure::Failure;
use crate::names::names;
use crate::outcome::Outcome;

/// Change columns of groups and clear what members have of their own there
#[derive(Debug, Args)]
#[command(
    after_help = "The operators are nodech's: = sets, ,= puts words before a list, ^= takes words out of one, =@ sets anything.

Examples:
  nodegrpch rack1 nodehm.mgt=ipmi
  nodegrpch web,db vm.host=h2
  nodegrpch -d rack1 vm      remove the group's row of table vm"
)]
pub(crate) struct Nodegrpch {
    /// The groups, by comma
    #[arg(id = "noderange", value_name = "GROUPS")]
    groups: String,
    /// TABLE.COLUMN=VALUE; with -d tables
    #[arg(id = "changes", value_name = "TABLE.COLUMN=VALUE", required = true)]
    words: Vec<String>,
    /// Remove the groups' rows from the tables
    #[arg(short = 'd', long)]
    delete: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Nodegrpch {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let groups = names(&self.groups, "group")?;
        refuse_nodes(cx, &groups)?;
        let origin = cx.origin(self.reason.clone());
        if self.delete {
            let (conditions, tables) = nodech::tables(&self.words)?;
            without_conditions(&conditions)?;
            cx.tables()?.edit(&origin, |edit| nodech::delete(edit, &groups, &tables))?;
            return Ok(Outcome::Done);
        }
        let (conditions, changes) = column::words(&self.words)?;
        without_conditions(&conditions)?;
        if let Some(change) = changes.iter().find(|change| change.cell.table.name == "nodelist") {
            let failure = Failure::refused(format!("{} belongs to each node alone", change.cell));
            return Err(failure.hint("change it with: nodech NODERANGE"));
        }
        let reports = cx.tables()?.edit(&origin, |edit| {
            groups.iter().map(|group| change(edit, group, &changes)).collect::<tables::Result<Vec<_>>>()
        })?;
        for (group, report) in groups.iter().zip(reports) {
            if report.members == 0 {
                cx.ui.warning(&format!("no node is in group '{group}' yet"));
            }
            for (cell, nodes) in report.cleared {
                let nodes = noderange::fold(nodes);
                cx.ui.warning(&format!("'{cell}' of {nodes} gave way to that of group '{group}'"));
            }
        }
        Ok(Outcome::Done)
    }
}

/// What became of a group.
struct Report {
    members: usize,
    /// Columns and the nodes that had something of their own there.
    cleared: Vec<(Cell, Vec<String>)>,
}

fn change(edit: &mut Edit<'_>, group: &str, changes: &[Change]) -> tables::Result<Report> {
    column::change_group(edit, group, changes)?;
    let members = members(edit, group)?;
    let mut cleared = Vec::new();
    for Change { cell, .. } in changes {
        let mut nodes = Vec::new();
        for node in &members {
            // A change takes place only where there was something.
            if edit.set(cell.table, &[node], &[(cell.column.name, "")])? > 0 {
                nodes.push(node.clone());
            }
        }
        if !nodes.is_empty() {
            cleared.push((*cell, nodes));
        }
    }
    Ok(Report { members: members.len(), cleared })
}

fn members(edit: &Edit<'_>, group: &str) -> tables::Result<Vec<String>> {
    let nodelist = schema::find("nodelist").expect("table nodelist is in the schema");
    let rows = edit.rows(nodelist, Select::All)?;
    let member = |row: &Row| definitions::words(row.get("groups").unwrap_or_default()).any(|known| known == group);
    Ok(rows.iter().filter(|row| member(row)).filter_map(|row| row.get("node").map(str::to_owned)).collect())
}

/// A row under a node's name would be that node's own.
fn refuse_nodes(cx: &Context, groups: &[String]) -> Result<(), Failure> {
    let node = objects::find("node").expect("nodes are among the types");
    let nodes = cx.tables()?.object_names(node)?;
    match groups.iter().find(|group| nodes.binary_search(group).is_ok()) {
        Some(name) => Err(Failure::refused(format!("'{name}' is a node, no group")).hint("change it with: nodech")),
        None => Ok(()),
    }
}

fn without_conditions(conditions: &[Criterion]) -> Result<(), Failure> {
    match conditions.first() {
        Some(condition) => {
            Err(Failure::usage(format!("nodegrpch takes no conditions, such as one on '{}'", condition.key)))
        }
        None => Ok(()),
    }
}
