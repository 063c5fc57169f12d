//! `mkvm`: make guests from their definitions.

use clap::Args;
use plugins::Created;
use tables::{Edit, Node};

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

/// Make guests from their definitions, stopped
#[derive(Debug, Args)]
#[command(after_help = "Silent on success, as xCAT's; -V tells of each node what was done.
An equal guest is success; a different one is an error that shows the difference.
A guest with vmnics=net1,net2 is in both: ip is in the first, nicips.eth1 in the second; dockergateway chooses the router.
A node is pinned to what its image means when it is made, and is made anew from the same although the tag has moved on;
lsvm tells. Another image in its definition voids the pin, and updatevm moves it.
A port without a MAC address gets one into table mac: 02:42 and its IPv4 address, else one made from its name.
No address may be that of another node, of a host or of a router, or outside the network object of its network's name.

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
        let settle = |edit: &mut Edit<'_>| addresses::settle(cx, edit, nodes, self.shape.format());
        let nodes = cx.tables()?.try_edit(&cx.origin(None), settle)?;
        let nodes = pins::settle(cx, nodes).await?;
        let (ledger, leftover) = (Ledger::default(), Leftover::read(cx.tables()?)?);
        let ask = async |node: Node| {
            let created = backends.guests(&node)?.create(&node, self.force).await?;
            if created != Created::Unchanged {
                ledger.note(backends, &node, word(created));
                leftover.void(node.name())?;
            }
            Ok(if tell { Answer::line(word(created)) } else { Answer::silent() })
        };
        let ended = cx.each(nodes, Manner::from(&self.shape), ask).await;
        cx.enter(ledger)?;
        Ok(ended.into())
    }
}

fn word(created: Created) -> &'static str {
    match created {
        Created::Created => "created",
        Created::Unchanged => "unchanged",
        Created::Recreated => "re-created",
    }
}
