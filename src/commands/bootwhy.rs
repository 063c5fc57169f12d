//! `bootwhy`: what happened to nodes that boot, and why they are not up.

use std::num::NonZeroUsize;

use clap::Args;
use netboot::why::Verdict;
use plugins::Reached;
use serde_json::json;
use tables::Node;

use super::{Run, Shape};
use crate::boot::story::{self, Stories};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::ui::Format;

/// Tell what happened to nodes that boot over the network, and why they are not up
#[derive(Debug, Args)]
#[command(
    after_help = "Each stage of a boot stands with its time and the seconds since the one before: power switched by us, DHCP of the
firmware, loader, DHCP of iPXE, script, kernel, initial RAM disk, DHCP of the system, root file system, discovery, installer,
postscripts, what the node said. A node that goes no further is told with the likely cause and what to do; with -b only that. It is
what xcrane serve has seen (tabdump bootevent): some 400 events a node, 30 days.

Examples:
  bootwhy n1
  bootwhy rack1 -b           one line for all that are stuck alike
  bootwhy n1 --last 3        the boots before, too
  bootwhy rack1 --json"
)]
pub(crate) struct Bootwhy {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// So many boots, not only the last
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    last: NonZeroUsize,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Bootwhy {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let stories = Stories::read(cx.tables()?)?;
        let tell = async |node: Node| self.tell(cx, &stories, &node).await;
        Ok(cx.each(nodes, Manner::from(&self.shape), tell).await.into())
    }
}

impl Bootwhy {
    async fn tell(&self, cx: &Context, stories: &Stories<'_>, node: &Node) -> Result<Answer, Failure> {
        let boots = stories.boots(node)?;
        let shown = &boots[boots.len().saturating_sub(self.last.get())..];
        let Some(last) = shown.last() else {
            let none = "nothing was seen of it: xcrane serve tells what it sees";
            return Ok(Answer { data: Some(json!({ "boots": [] })), ..Answer::line(none) });
        };
        let verdict = stories.verdict(node, last);
        let answers_ssh = !matches!(verdict, Verdict::Up(_)) && answers(cx, node).await;
        let mut lines = Vec::new();
        let mut data = Vec::new();
        for boot in shown {
            let verdict = stories.verdict(node, boot);
            data.push(story::data(boot, &verdict));
            let is_last = std::ptr::eq(boot, last);
            if self.shape.format() == Format::Folded && !is_last {
                continue;
            }
            if self.shape.format() != Format::Folded {
                lines.push(format!("boot of {}", story::day(boot.begun())));
                lines.extend(story::timeline(boot));
            }
            match (is_last, &verdict) {
                (true, _) if answers_ssh => {
                    lines.push("its sshd answers all the same: it is up, and has not said so".into());
                }
                // How long it takes or has been stuck would keep like from like.
                (_, Verdict::Up(_)) if self.shape.format() == Format::Folded => lines.push("up".into()),
                (_, Verdict::Stuck { stage, cause, .. }) if self.shape.format() == Format::Folded => {
                    lines.push(format!("stuck: {stage}: {cause}"));
                }
                // What comes after it is the start from its disk.
                (false, Verdict::Stuck { .. }) if boot.has_installed() => lines.push("it was installed".into()),
                (false, Verdict::Stuck { stage, cause, .. }) => lines.push(format!("ended there: {stage}: {cause}")),
                _ => {
                    let (said, remedy) = story::sentence(&verdict);
                    lines.push(said);
                    lines.extend(remedy.map(|remedy| format!("to do: {remedy}")));
                }
            }
        }
        let data = json!({ "boots": data, "sshd": answers_ssh });
        Ok(Answer { lines, data: Some(data), ..Answer::default() })
    }
}

/// Whether the node's sshd answers; where nobody can tell it does not.
async fn answers(cx: &Context, node: &Node) -> bool {
    let Ok(backends) = cx.backends() else { return false };
    match backends.reach(node) {
        Ok(reach) => matches!(reach.reach(node).await, Ok(Reached::Sshd)),
        Err(_) => false,
    }
}
