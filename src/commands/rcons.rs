//! `rcons`: a node's console, or a program on a terminal of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use plugins::{Invocation, Program};
use tables::Node;

use super::Run;
use crate::console::{self, Manner, terminal};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::{Body, Reply};
use crate::ui::Format;

/// Open the console of a node, or run a program on a terminal of its own in the node
#[derive(Debug, Args)]
#[command(after_help = "Keys, each begun by Ctrl-E and c:
  ^Ec.   leave the console
  ^Ec?   list these keys
  ^Ecw   who else is attached
  ^Ecr   show the latest output again
  ^Ecl0  send a break, over a serial line
  ^Ec^E  send ^Ec itself

The console of a server (cons=ipmi, or mgt=ipmi) is its serial port, through its BMC, for one user at a time; one that
is cut off is opened again when the BMC is back. With mgt=redfish it is had over IPMI or over the BMC's own ssh, as the
BMC tells; its ssh needs a host key that is known (ssh-keyscan), or site.sshacceptnew=yes. A container without a terminal
shows its log. When a container is restarted its console is attached again. Without a terminal on standard input what is
piped in is sent, and the session ends when the answer to it is over, or has taken sixty times --wait without an end, which
is an error; with --spy nothing is read, and it goes on until it is stopped. With a program the exit code is the program's.

Examples:
  rcons n1
  rcons n1 -- sh
  rcons n1 --exec 'tail -f /var/log/messages'
  echo uptime | rcons n1 --wait 2
  rcons n1 --spy >n1.log &     keep what a server says while it boots")]
pub(crate) struct Rcons {
    /// One node
    #[arg(value_name = "NODE")]
    noderange: String,
    /// Only watch: nothing that is typed is sent
    #[arg(short, long, conflicts_with_all = ["exec", "command"])]
    spy: bool,
    /// Take the console of a server from whoever has it; that of a container is for everybody anyway
    #[arg(short, long, conflicts_with = "spy")]
    force: bool,
    /// Run this command line, by the node's shell, instead
    #[arg(short = 'x', long, value_name = "CMD", conflicts_with = "command")]
    exec: Option<String>,
    /// Run the program as this user
    #[arg(short = 'l', long, value_name = "USER")]
    user: Option<String>,
    /// With piped input: the seconds of silence after which the answer counts as over
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    wait: f64,
    /// Run this program, its arguments as they are, instead
    #[arg(value_name = "CMD", last = true)]
    command: Vec<String>,
}

impl Run for Rcons {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let node = console::only("rcons", &self.noderange, cx.nodes(&self.noderange)?)?;
        let name = node.name().to_owned();
        let entered = self.enter(cx, node).await;
        Ok(entered.unwrap_or_else(|failure| {
            cx.ui.reply(Format::Lines, Reply { node: Some(name), body: Body::Error(failure.message) });
            cx.ui.hints(&failure.hints);
            failure.outcome
        }))
    }
}

impl Rcons {
    async fn enter(self, cx: &Context, node: Node) -> Result<Outcome, Failure> {
        let manner = Manner { spy: self.spy, take_over: self.force, settle: Duration::from_secs_f64(self.wait) };
        console::open(cx, node, manner, self.invocation()).await
    }

    /// What to run; None for the node's own console.
    fn invocation(self) -> Option<Invocation> {
        let program = match self.exec {
            Some(line) => Program::Shell(line),
            None if self.command.is_empty() => return None,
            None => Program::Argv(self.command),
        };
        let term = std::env::var("TERM").ok().filter(|_| terminal::is_interactive());
        let environment: BTreeMap<String, String> = term.map(|term| ("TERM".to_owned(), term)).into_iter().collect();
        Some(Invocation { program, user: self.user, environment, ..Invocation::default() })
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds, up to a day".into()),
    }
}
