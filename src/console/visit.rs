//! One node's console opened: by rcons, and by what has just booted the node.

use plugins::Invocation;
use tables::Node;

use super::attendance::Attendance;
use super::{Desk, Manner};
use crate::config;
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// A console is for one; `command` is who asks.
pub(crate) fn only(command: &str, range: &str, nodes: Vec<Node>) -> Result<Node, Failure> {
    match <[Node; 1]>::try_from(nodes) {
        Ok([node]) => Ok(node),
        Err(nodes) => Err(Failure::refused(format!("{command} takes one node, '{range}' names {}", nodes.len()))),
    }
}

/// Opens the node's console, or runs a program on a terminal of its own there.
pub(crate) async fn open(
    cx: &Context,
    node: Node,
    manner: Manner,
    invocation: Option<Invocation>,
) -> Result<Outcome, Failure> {
    let console = cx.backends()?.console(&node)?;
    // A home that cannot be written to is no reason to refuse the console.
    let attendance = Attendance::take(&config::home()?, node.name(), &who(cx)).ok();
    let desk = Desk::new(cx.ui.clone(), node, manner)?;
    match invocation {
        Some(invocation) => desk.run(console, &invocation).await,
        None => desk.attach(console, attendance).await,
    }
}

/// How others at the console see us: `alice on /dev/pts/3 from 10.0.0.7`.
fn who(cx: &Context) -> String {
    let terminal = nix::unistd::ttyname(std::io::stdin()).map(|path| format!(" on {}", path.display()));
    let from = std::env::var("SSH_CONNECTION").ok();
    let from = from.as_deref().and_then(|peers| peers.split(' ').next()).map(|peer| format!(" from {peer}"));
    format!("{}{}{}", cx.origin(None).user, terminal.unwrap_or_default(), from.unwrap_or_default())
}
