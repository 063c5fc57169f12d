//! `updatevm`: nodes made anew on a newer image, canaries first, and back again if one is not good.

use std::time::Duration;

use clap::Args;
use plugins::Reference;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::update::{self, Asked, Gate, Pace, Window};

/// Re-create nodes on a newer image, canaries first, and back again if one is not good
#[derive(Debug, Args)]
#[command(
    after_help = "Without IMAGE the nodes get what the tag of their own image means now; with it, IMAGE becomes their image.
All hosts are asked, and have the new image, before the first node is stopped. A node that runs comes up
again running, one that is off stays off. The first wave is of nodes that run, if there are any.

A node is good if the command of --check exits 0 within --wait seconds, else if its container's own health
check passes in that time, else if it runs on for 5 seconds. If one of a wave is not, every node that this
command has updated goes back to the content it had, and the exit code is 1; lsvm --ledger says why.

A command that was killed is completed by the same command. Ctrl-C lets the wave under way come to its end.
Of several updatevm at the same time one that shares a node with another is refused, which is told with who has it;
one that waits for its window keeps nobody out. lsvm --ledger and --json tell for how long each node was down.

Examples:
  updatevm rack1 --plan
  updatevm rack1 10.0.0.1:5000/apps/solver:2.2 --canary 2 --then 50
  updatevm rack1 --check 'solver --selftest' --wait 120 --window 02:00-04:00
  lsvm --ledger rack1             what ran where and when, and why that changed"
)]
pub(crate) struct Updatevm {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// The image that they are to have; default is that of their definition
    #[arg(value_name = "IMAGE")]
    image: Option<Reference>,
    /// Nodes of the first wave
    #[arg(long, value_name = "N", default_value_t = 1)]
    canary: usize,
    /// Of a hundred nodes, how many are in each further wave
    #[arg(long, value_name = "PERCENT", default_value = "25", value_parser = percent)]
    then: usize,
    /// A command, run in each node that is updated, that must exit 0
    #[arg(long, value_name = "COMMAND")]
    check: Option<String>,
    /// Seconds in which a node must become good
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    wait: Duration,
    /// Begin waves in these hours of the local time only
    #[arg(long, value_name = "FROM-TO")]
    window: Option<Window>,
    /// Show the waves and do nothing; the exit code is 2 if something would be done
    #[arg(long)]
    plan: bool,
    /// Why, for the journal and the ledger
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Updatevm {
    fn is_audited(&self) -> bool {
        !self.plan
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let asked = Asked {
            manner: Manner::from(&self.shape),
            noderange: self.noderange,
            image: self.image,
            pace: Pace { canary: self.canary, percent: self.then },
            gate: Gate { check: self.check, wait: self.wait },
            window: self.window,
            reason: self.reason,
        };
        if self.plan { update::plan(cx, &asked).await } else { update::update(cx, &asked).await }
    }
}

fn percent(text: &str) -> Result<usize, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse().ok();
    number.filter(|number| (1..=100).contains(number)).ok_or_else(|| "it takes 1 to 100".into())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| !time.is_zero() && time.as_secs() < 1_000_000)
        .ok_or_else(|| "it takes a number of seconds".into())
}
