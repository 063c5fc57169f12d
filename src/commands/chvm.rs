//! `chvm`: change guests, live where that can be, and their definitions with them.

use clap::Args;
use plugins::Changed;
use tables::Node;
use tables::definitions::Assignment;

use super::{Run, Shape};
use crate::addresses;
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::images::ledger::Ledger;
use crate::images::pins;
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::ui::Format;
use crate::update::Leftover;

/// Change guests, live where that can be, and their definitions with them
#[derive(Debug, Args)]
#[command(
    after_help = "The definitions are changed first, all or none, then the guests. Without changes, guests are brought in line with
their definitions.

Examples:
  chvm c[1-40] --cpus 4 --mem 8G
  chvm c7 dockerrestart=always
  chvm c7 vmnics=cluster,storage nicips.eth1=10.2.0.7
  chvm c7 dockerenv='A=1|B=2' --recreate"
)]
pub(crate) struct Chvm {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// Attributes to change
    #[arg(value_name = "ATTR=VALUE")]
    changes: Vec<String>,
    /// How many CPUs a guest may use
    #[arg(long, value_name = "N")]
    cpus: Option<String>,
    /// Memory, in MB unless K, M or G follows
    #[arg(long, value_name = "SIZE")]
    mem: Option<String>,
    /// Re-create the guest when a change cannot be made live; a running one is stopped and started
    #[arg(long)]
    recreate: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Chvm {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let changes = self.changes()?;
        let backends = cx.backends()?;
        let nodes = redefine(cx, &self.noderange, &changes, self.shape.format(), self.reason.clone())?;
        let nodes = if self.recreate { pins::settle(cx, nodes).await? } else { nodes };
        let (ledger, leftover) = (Ledger::default(), Leftover::read(cx.tables()?)?);
        let ask = async |node: Node| {
            let changed = backends.guests(&node)?.change(&node, self.recreate).await.map_err(refusal)?;
            if changed == Changed::Recreated {
                ledger.note(backends, &node, word(changed));
                leftover.void(node.name())?;
            }
            Ok(if cx.verbose || self.shape.format() == Format::Json {
                Answer::line(word(changed))
            } else {
                Answer::silent()
            })
        };
        let ended = cx.each(nodes, Manner::from(&self.shape), ask).await;
        cx.enter(ledger)?;
        Ok(ended.into())
    }
}

impl Chvm {
    fn changes(&self) -> Result<Vec<Assignment>, Failure> {
        let mut changes = Vec::new();
        changes.extend(self.cpus.iter().map(|cpus| Assignment::set("vmcpus", cpus)));
        changes.extend(self.mem.iter().map(|memory| Assignment::set("vmmemory", memory)));
        for change in &self.changes {
            let (attribute, value) = change
                .split_once('=')
                .ok_or_else(|| Failure::usage(format!("'{change}' is not of the form attribute=value")))?;
            changes.push(Assignment::set(attribute, value));
        }
        Ok(changes)
    }
}

/// Changes definitions of guests, all or none: one that cannot be served as it would be then is not kept.
pub(super) fn redefine(
    cx: &Context,
    range: &str,
    changes: &[Assignment],
    format: Format,
    reason: Option<String>,
) -> Result<Vec<Node>, Failure> {
    let backends = cx.backends()?;
    cx.tables()?.try_edit(&cx.origin(reason), |edit| {
        let names = edit.expand(range)?;
        if names.is_empty() {
            return Err(tables::Error::EmptyRange { range: range.to_owned() }.into());
        }
        edit.assign_nodes(&names, changes)?;
        let nodes = edit.resolve(&names)?;
        cx.check(format, &nodes, |node| Ok(backends.guests(node)?.check(node)?))?;
        addresses::settle(cx, edit, nodes, format)
    })
}

/// chvm has a way of its own to make a guest anew, which starts it again.
fn refusal(error: plugins::Error) -> Failure {
    let differs = matches!(error, plugins::Error::Differs { .. });
    let failure = Failure::from(error);
    if differs {
        Failure { hints: vec!["make it anew with: chvm --recreate NODERANGE".into()], ..failure }
    } else {
        failure
    }
}

fn word(changed: Changed) -> &'static str {
    match changed {
        Changed::Unchanged => "unchanged",
        Changed::Live => "changed",
        Changed::Recreated => "re-created",
    }
}
