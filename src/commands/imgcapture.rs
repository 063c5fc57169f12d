//! `imgcapture`: make an image of a container as it is, in the registry.

use std::collections::BTreeMap;

use clap::Args;
use plugins::{Commit, Committed, Reference};
use serde_json::json;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{DEFAULT_FANOUT, Interrupted, Manner};
use crate::images::hosts::image;
use crate::images::objects::{Recorded, Source, now};
use crate::images::push::Arrived;
use crate::images::registries::Registries;
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::size::size;

/// Make an image of a container and push it
#[derive(Debug, Args)]
#[command(
    after_help = "The engine suspends the container while it copies what the container changed, and lets it go on by itself:
also if this program is killed or cut off meanwhile. One that was suspended before stays so.

Kept are contents, owners, modes, times (whole seconds), file capabilities and hard links. Not in it are volumes and mounts
(a warning names them), attributes user.* of files, which engines leave out of images, and the holes of
sparse files, which become zeros. The container's variables are in it; a warning names them.
Labels xcrane.capture.node, .time, .by, .parent and .message tell where it is from: docker inspect, lsdef -t osimage.

Examples:
  imgcapture c7 -o 10.0.0.1:5000/apps/solver:tuned -m 'with the new mesh'
  chdef web image=10.0.0.1:5000/apps/solver:tuned"
)]
pub(crate) struct Imgcapture {
    /// The container
    #[arg(value_name = "NODE")]
    noderange: String,
    /// The image that it becomes, in one of our registries
    #[arg(short, long, value_name = "IMAGE[:TAG]")]
    output: String,
    /// What it is, for those who find it
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Imgcapture {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let format = self.shape.format();
        cx.tell_progress(format);
        let name = image(&self.output)?;
        let registries = cx.registries()?;
        cx.may_push(&registries, &name)?;
        let node = cx.only_node(&self.noderange, "an image is made of one")?;
        if !plugins::is_container(&node) {
            return Err(Failure::refused(format!("{} is no container; only those become images", node.name())));
        }
        cx.host_of(node.clone())?;
        let ask = async |node: Node| self.capture(cx, &registries, &node, &name).await;
        let manner = Manner { format, fanout: DEFAULT_FANOUT, interrupted: Interrupted::Leave };
        Ok(cx.each(vec![node], manner, ask).await.into())
    }
}

impl Imgcapture {
    async fn capture(
        &self,
        cx: &Context,
        registries: &Registries,
        node: &Node,
        name: &Reference,
    ) -> Result<Answer, Failure> {
        let host = cx.host_of(node.clone())?;
        let commit = Commit {
            image: name.clone(),
            message: self.message.clone(),
            author: cx.who(),
            labels: self.labels(cx, node),
        };
        let made = cx.backends()?.images_on(&host)?.commit(node, &commit).await?;
        let warnings = warnings(&made);
        let arrived = cx.push(registries, &host, name).await.map_err(|failure| {
            let message = format!("captured as {name} on {}, not pushed: {}", host.name(), failure.message);
            Failure { message, ..failure }
                .hint(format!("push it with: imgpush {} {name}", host.name()))
                .after(Answer { warnings: warnings.clone(), ..Answer::silent() })
        })?;
        let recorded = Recorded {
            digest: Some(arrived.digest.clone()),
            size: arrived.size,
            parent: made.parent.clone(),
            message: self.message.clone(),
            ..Recorded::new(name, Source::Capture(node.name().to_owned()))
        };
        cx.make_known(&recorded, self.message.clone())?;
        Ok(told(name, &made, &arrived, warnings))
    }

    fn labels(&self, cx: &Context, node: &Node) -> BTreeMap<String, String> {
        let told = [
            ("node", node.name().to_owned()),
            ("time", now()),
            ("by", cx.who()),
            // Also without one: the message of an earlier capture is not of this one.
            ("message", self.message.clone().unwrap_or_default()),
        ];
        told.into_iter().map(|(what, value)| (format!("xcrane.capture.{what}"), value)).collect()
    }
}

fn told(name: &Reference, made: &Committed, arrived: &Arrived, warnings: Vec<String>) -> Answer {
    let bytes = arrived.size.map(|bytes| format!(" {}", size(bytes))).unwrap_or_default();
    let data = json!({
        "image": name,
        "digest": arrived.digest,
        "size": arrived.size,
        "parent": made.parent,
        "outside": made.outside,
        "variables": made.variables,
    });
    let line = format!("captured as {name} {}{bytes}", arrived.digest);
    Answer { data: Some(data), warnings, ..Answer::line(line) }
}

/// What somebody may miss in the image, or may not want in it.
fn warnings(made: &Committed) -> Vec<String> {
    let mut warnings = Vec::new();
    if !made.outside.is_empty() {
        warnings.push(format!("not in the image, because it is mounted: {}", made.outside.join(", ")));
    }
    if !made.variables.is_empty() {
        warnings.push(format!("variables of the node are in the image: {}", made.variables.join(", ")));
    }
    if made.was_suspended {
        warnings.push("it was suspended before and still is; it goes on with: rpower NODE resume".into());
    }
    warnings
}
