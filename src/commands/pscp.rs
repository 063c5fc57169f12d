//! `pscp`: copy files to many nodes, in scp's spelling.

use clap::Args;
use tables::Node;

use super::xdcp::Copy;
use super::{Run, Shape, xdsh};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{Interrupted, Manner};
use crate::outcome::Outcome;
use crate::reply::Answer;

/// Copy files to nodes in scp's spelling: FILE… NODERANGE:DIR
#[derive(Debug, Args)]
#[command(after_help = "Prints 'NODE: done' for each. The exit code is the number of nodes that failed.

Examples:
  pscp /etc/hosts rack1:/etc/hosts
  pscp -r ./site.d c[1-40]:/opt/")]
pub(crate) struct Pscp {
    /// What to copy, then NODERANGE:PATH
    #[arg(value_name = "PATH", required = true, num_args = 2..)]
    paths: Vec<String>,
    /// Nodes at once
    #[arg(short, long, env = "XCATPSHFANOUT", default_value_t = xdsh::DEFAULT_FANOUT, value_name = "N")]
    fanout: usize,
    /// Accepted for xCAT's sake: directories are always copied whole
    #[arg(short)]
    recursive: bool,
    /// Accepted for xCAT's sake: modes and times are always kept
    #[arg(short)]
    preserve: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Pscp {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let mut paths = self.paths;
        let target = paths.pop().unwrap_or_default();
        // The path starts at the last colon that begins an absolute or relative path: a range may hold colons too.
        let (range, destination) = target
            .rsplit_once(':')
            .filter(|(range, path)| !range.is_empty() && !path.is_empty())
            .ok_or_else(|| Failure::usage(format!("'{target}' is not of the form NODERANGE:PATH")))?;
        paths.push(destination.to_owned());
        let nodes = cx.nodes(range)?;
        let copy = Copy::new(&paths, false, None)?;
        let ask = async |node: Node| copy.carry_out(cx, &node, None).await.map(|()| Answer::line("done"));
        let manner = Manner { fanout: self.fanout, format: self.shape.format(), interrupted: Interrupted::Leave };
        Ok(cx.each(nodes, manner, ask).await.counted())
    }
}
