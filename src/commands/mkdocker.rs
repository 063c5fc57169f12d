//! `mkdocker`: xCAT's old name for making a container, with its arguments.

use clap::Args;

use tables::definitions::Assignment;

use super::mkvm::Mkvm;
use super::{Run, Shape, chvm};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Make containers, as xCAT's removed docker plugin did (see mkvm)
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mkdocker c1
  mkdocker c1 image=ubuntu command=/bin/bash")]
pub(crate) struct Mkdocker {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// image=IMAGE, command=COMMAND (needs image), dockerflag=JSON; kept in the definition
    #[arg(value_name = "ATTR=VALUE")]
    changes: Vec<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Mkdocker {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let changes = self.changes()?;
        let nodes = chvm::redefine(cx, &self.noderange, &changes, self.shape.format(), None)?;
        Mkvm { noderange: self.noderange, force: false, shape: self.shape }.make(cx, nodes, true).await
    }
}

impl Mkdocker {
    fn changes(&self) -> Result<Vec<Assignment>, Failure> {
        let mut changes = Vec::new();
        for change in &self.changes {
            match change.split_once('=') {
                Some((name @ ("image" | "command" | "dockerflag"), value)) => {
                    changes.push(Assignment::set(name, value));
                }
                _ => return Err(Failure::usage(format!("'{change}' is none of image=, command=, dockerflag="))),
            }
        }
        let has = |name: &str| changes.iter().any(|change: &Assignment| change.attribute == name);
        if has("command") && !has("image") {
            return Err(Failure::usage("Must set 'image' if use 'command'"));
        }
        Ok(changes)
    }
}
