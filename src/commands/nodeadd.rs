//! `nodeadd`: new nodes.

use clap::Args;
use tables::definitions;
use tables::noderange::Unknown;
use tables::{Edit, objects};

use super::{Run, nodech};
use crate::column::{self, Change};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Add nodes, or change those that are there already
#[derive(Debug, Args)]
#[command(
    after_help = "Names that are no nodes yet become nodes; a group's name stands for its members. Silent on success.

Examples:
  nodeadd n[01-40] groups=rack1,all
  nodeadd c[1-500] groups=web nodehm.mgt=docker vm.host=h1"
)]
pub(crate) struct Nodeadd {
    /// The nodes
    noderange: String,
    /// groups=NAMES, then TABLE.COLUMN=VALUE
    #[arg(id = "changes", value_name = "TABLE.COLUMN=VALUE", required = true)]
    words: Vec<String>,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Nodeadd {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let (conditions, changes) = column::words(&self.words)?;
        if let Some(condition) = conditions.first() {
            return Err(Failure::usage(format!("nodeadd takes no conditions, such as one on '{}'", condition.key)));
        }
        let origin = cx.origin(self.reason.clone());
        let materialised = cx.tables()?.try_edit(&origin, |edit| {
            let names = edit.expand_with(&self.noderange, Unknown::Accept)?.names.to_vec();
            if names.is_empty() {
                return Err(Failure::from(tables::Error::EmptyRange { range: self.noderange.clone() }));
            }
            check(edit, &names, &changes)?;
            Ok(nodech::change(edit, &names, &changes)?)
        })?;
        nodech::tell(cx, &materialised);
        Ok(Outcome::Done)
    }
}

/// Nothing is done unless all nodes can be added.
fn check(edit: &Edit<'_>, names: &[String], changes: &[Change]) -> Result<(), Failure> {
    let node = objects::find("node").expect("nodes are among the types");
    let groups = changes.iter().any(|change| change.cell.to_string() == "nodelist.groups");
    for name in names {
        if edit.is_defined(node, name)? {
            continue;
        }
        if !groups {
            let failure = Failure::refused("The 'groups' attribute is required when creating node definitions.");
            return Err(failure.hint(format!("nodeadd {name} groups=GROUP …")));
        }
        definitions::check_name(node, name)?;
    }
    Ok(())
}
