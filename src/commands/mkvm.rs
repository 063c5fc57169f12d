//! `mkvm`: make guests from their definitions.

use clap::Args;
use plugins::Created;
use tables::{Node, Shared};

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// Make guests from their definitions, stopped
#[derive(Debug, Args)]
#[command(after_help = "Silent on success, as xCAT's; -V tells of each node what was done.
An equal guest is success; a different one is an error that shows the difference.

Examples:
  mkvm c[001-500]            make what is not there yet
  mkvm --force c7            make c7 anew from its definition")]
pub(crate) struct Mkvm {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    pub(super) noderange: String,
    /// Re-create guests that differ from their definition; a running one is stopped first
    #[arg(short, long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) shape: Shape,
}

impl Run for Mkvm {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let tell = cx.verbose || self.shape.format() == Format::Json;
        self.make(cx, nodes, tell).await
    }
}

impl Mkvm {
    /// Checks all, then makes all; `tell` says of each what was done.
    pub(super) async fn make(&self, cx: &Context, nodes: Vec<Node>, tell: bool) -> Result<Outcome, Failure> {
        let backends = cx.backends()?;
        cx.check(self.shape.format(), &nodes, |node| Ok(backends.guests(node)?.check(node)?))?;
        self.check_addresses(cx, &nodes)?;
        let ask = async |node: Node| {
            let created = backends.guests(&node)?.create(&node, self.force).await?;
            Ok(if tell { Answer::line(word(created)) } else { Answer::silent() })
        };
        Ok(cx.each(nodes, Manner::from(&self.shape), ask).await.into())
    }

    /// Refuses guests that would take each other's traffic, or that of any other node.
    fn check_addresses(&self, cx: &Context, nodes: &[Node]) -> Result<(), Failure> {
        // A guest in its host's network has its host's address.
        let own = nodes.iter().filter(|node| node.get("vmnics") != Some("host"));
        let names: Vec<String> = own.map(|node| node.name().to_owned()).collect();
        let shared = cx.tables()?.shared_addresses(&names)?;
        if shared.is_empty() {
            return Ok(());
        }
        for Shared { attribute, address, nodes, .. } in &shared {
            let body = Body::Error(format!("all have {attribute} {address}"));
            cx.ui.reply(self.shape.format(), Reply { node: Some(tables::noderange::fold(nodes)), body });
        }
        cx.ui.finish_folding();
        Err(Failure::refused("nothing was done: an address is of one node only"))
    }
}

fn word(created: Created) -> &'static str {
    match created {
        Created::Created => "created",
        Created::Unchanged => "unchanged",
        Created::Recreated => "re-created",
    }
}
