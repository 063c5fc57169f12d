//! `psh`: one command on many nodes, output as it comes.

use clap::Args;
use plugins::{Invocation, Program};
use tables::Node;

use super::{Run, Shape, xdsh};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{Interrupted, Manner};
use crate::outcome::Outcome;
use crate::remote::{self, Line};
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// Run a command on nodes and show every line as it comes
#[derive(Debug, Args)]
#[command(after_help = "Error output is merged into the output. The exit code is the number of nodes that failed.
Ctrl-C and -t end programs in containers; on a server a program loses its connection, as with ssh.

Examples:
  psh rack1 uptime
  psh -f 8 -t 30 all 'apt-get -q update'")]
pub(crate) struct Psh {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// The command, for the node's shell
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    /// Nodes at once
    #[arg(short, long, env = "XCATPSHFANOUT", default_value_t = xdsh::DEFAULT_FANOUT, value_name = "N")]
    fanout: usize,
    /// Seconds a node may take
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Log in, or run inside the container, as this user
    #[arg(short = 'l', long, value_name = "USER")]
    user: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Psh {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let invocation =
            Invocation { program: Program::Shell(self.command.join(" ")), user: self.user, ..Invocation::default() };
        let limit = xdsh::limit(self.timeout)?;
        let backends = cx.backends()?;
        let format = self.shape.format();
        let ask = async |node: Node| {
            let mut held = Answer::silent();
            let line = |line: Line| {
                let (Line::Stdout(text) | Line::Stderr(text)) = line;
                if format == Format::Folded {
                    held.lines.push(text);
                } else {
                    let body = Body::Answer(Answer::line(text));
                    cx.ui.reply(format, Reply { node: Some(node.name().to_owned()), body });
                }
            };
            match remote::run(backends, &node, &invocation, limit, line).await {
                Ok(0) => Ok(held),
                Ok(code) => {
                    Err(Failure::refused(format!("*** the command exited with error code {code}.")).after(held))
                }
                Err(failure) => Err(failure.after(held)),
            }
        };
        Ok(cx.each(nodes, Manner { fanout: self.fanout, format, interrupted: Interrupted::Leave }, ask).await.counted())
    }
}
