//! `rmdocker`: xCAT's old name for removing a container.

use clap::Args;

use super::rmvm::Rmvm;
use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::reply::Answer;

/// Remove containers, as xCAT's removed docker plugin did (see rmvm)
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rmdocker c1 -f")]
pub(crate) struct Rmdocker {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// Also those that run
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Rmdocker {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let rmvm = Rmvm { noderange: self.noderange, force: self.force, purge: false, shape: self.shape };
        rmvm.remove(cx, Answer::line("success")).await
    }
}
