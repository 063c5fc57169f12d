//! `xdsh`: one command on many nodes, servers and containers alike.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use plugins::{Invocation, Program};
use serde_json::json;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{Interrupted, Manner};
use crate::outcome::Outcome;
use crate::remote::{self, Line};
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// How many nodes run the command at once, as xCAT has it.
pub(super) const DEFAULT_FANOUT: usize = 64;

/// Run a command on nodes: over ssh on servers, inside containers
#[derive(Debug, Args)]
#[command(after_help = "A node's output is shown when the command has ended there; -s shows it as it comes.
The exit code is the number of nodes on which the command failed.
Ctrl-C and -t end the programs on the nodes, with what they started; a daemon in a session of its own goes on.

Examples:
  xdsh rack1 uptime
  xdsh all -t 10 'cat /etc/hostname' | xdshbak -c
  xdsh c[1-40] -e ./setup.sh fast")]
pub(crate) struct Xdsh {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// The command, for the node's shell
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    /// Nodes at once
    #[arg(short, long, env = "DSH_FANOUT", default_value_t = DEFAULT_FANOUT, value_name = "N")]
    fanout: usize,
    /// Seconds a node may take
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Log in, or run inside the container, as this user
    #[arg(short = 'l', long, value_name = "USER")]
    user: Option<String>,
    /// Show output as it comes
    #[arg(short = 's', long)]
    stream: bool,
    /// Also print the exit code of each node
    #[arg(short = 'z', long)]
    exit_status: bool,
    /// COMMAND is a local script to run there, with its arguments
    #[arg(short = 'e', long)]
    execute: bool,
    /// A file of NAME=VALUE lines for the command's environment
    #[arg(short = 'E', long, value_name = "FILE")]
    environment: Option<PathBuf>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Xdsh {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let invocation = self.invocation()?;
        let limit = limit(self.timeout)?;
        let backends = cx.backends()?;
        let streaming = self.stream && self.shape.format() == Format::Lines;
        let ask = async |node: Node| {
            let mut said = Answer::silent();
            let line = |line: Line| {
                let to = match line {
                    Line::Stdout(text) => Answer::line(text),
                    Line::Stderr(text) => Answer { errors: vec![text], ..Answer::silent() },
                };
                if streaming {
                    cx.ui.reply(Format::Lines, Reply { node: Some(node.name().to_owned()), body: Body::Answer(to) });
                } else {
                    said.lines.extend(to.lines);
                    said.errors.extend(to.errors);
                }
            };
            let ended = remote::run(backends, &node, &invocation, limit, line).await;
            self.conclude(said, ended)
        };
        let manner = Manner { fanout: self.fanout, format: self.shape.format(), interrupted: Interrupted::Leave };
        Ok(cx.each(nodes, manner, ask).await.counted())
    }
}

impl Xdsh {
    fn invocation(&self) -> Result<Invocation, Failure> {
        let environment = self.environment.as_deref().map(read_environment).transpose()?.unwrap_or_default();
        let (program, stdin) = if self.execute {
            let script = std::fs::read(&self.command[0])
                .map_err(|error| Failure::refused(format!("cannot read {}: {error}", self.command[0])))?;
            let arguments = self.command[1..].iter().cloned();
            // The script comes over standard input: nothing is left behind on the node.
            (Program::Argv(["sh", "-s", "--"].map(String::from).into_iter().chain(arguments).collect()), script)
        } else {
            (Program::Shell(self.command.join(" ")), Vec::new())
        };
        Ok(Invocation { program, user: self.user.clone(), environment, stdin })
    }

    fn conclude(&self, mut said: Answer, ended: Result<i64, Failure>) -> Result<Answer, Failure> {
        match ended {
            Err(failure) => Err(failure.after(said)),
            Ok(code) => {
                if self.shape.format() == Format::Json {
                    let (stdout, stderr) = (said.lines.join("\n"), said.errors.join("\n"));
                    said.data = Some(json!({ "stdout": stdout, "stderr": stderr, "exitcode": code }));
                }
                if self.exit_status {
                    said.lines.push(format!("Remote_command_rc = {code}"));
                }
                match code {
                    0 => Ok(said),
                    _ => Err(Failure::refused(format!("the command exited with {code}")).after(said)),
                }
            }
        }
    }
}

/// The time a node may take, from an option in seconds.
pub(super) fn limit(seconds: Option<f64>) -> Result<Option<Duration>, Failure> {
    let Some(seconds) = seconds else { return Ok(None) };
    match Duration::try_from_secs_f64(seconds) {
        Ok(limit) if !limit.is_zero() => Ok(Some(limit)),
        _ => Err(Failure::usage(format!("a time limit of {seconds} s makes no sense"))),
    }
}

fn read_environment(path: &std::path::Path) -> Result<BTreeMap<String, String>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::refused(format!("cannot read {}: {error}", path.display())))?;
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let assignments = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    assignments
        .map(|(number, line)| {
            let line = line.strip_prefix("export ").unwrap_or(line);
            let (name, value) = line.split_once('=').ok_or_else(|| {
                Failure::refused(format!("{}:{number}: expected NAME=VALUE, found '{line}'", path.display()))
            })?;
            Ok((name.trim().to_owned(), value.trim_matches(['"', '\'']).to_owned()))
        })
        .collect()
}
