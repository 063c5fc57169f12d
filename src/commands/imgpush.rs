//! `imgpush`: bring an image of a host into its registry.

use clap::Args;
use serde_json::json;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{DEFAULT_FANOUT, Interrupted, Manner};
use crate::images::hosts::image;
use crate::images::objects::{Recorded, Source};
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::size::size;

/// Push an image of a host into a registry
#[derive(Debug, Args)]
#[command(
    after_help = "The host pushes, as the first user of our registry or as table passwd has it for another (key registry,
authdomain HOST:PORT); layers that the registry has are not sent. Then the registry is asked whether it has that
digest. A push that was broken off leaves nothing half: run it again. The image becomes an object: lsdef -t osimage.

Examples:
  imgpush h1 10.0.0.1:5000/apps/solver:2.1
  imgpush h1 solver:2.1 --to 10.0.0.1:5000/apps/solver:2.1
  imgpush c7 solver:2.1 --to …       from the host of c7"
)]
pub(crate) struct Imgpush {
    /// The host, or a container that is on it
    #[arg(value_name = "HOST|NODE")]
    noderange: String,
    /// The image, as the host names it
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Name it so first
    #[arg(long, value_name = "IMAGE")]
    to: Option<String>,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Imgpush {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let format = self.shape.format();
        cx.tell_progress(format);
        let source = image(&self.image)?;
        let target = self.to.as_deref().map(image).transpose()?;
        let name = target.as_ref().unwrap_or(&source).clone();
        let registries = cx.registries()?;
        cx.may_push(&registries, &name)?;
        let host = cx.host_of(cx.only_node(&self.noderange, "one of them has the image")?)?;
        let ask = async |host: Node| {
            if target.is_some() {
                cx.backends()?.images_on(&host)?.tag(&host, &source, &name).await?;
            }
            let arrived = cx.push(&registries, &host, &name).await?;
            let recorded = Recorded {
                digest: Some(arrived.digest.clone()),
                size: arrived.size,
                ..Recorded::new(&name, Source::Push(host.name().to_owned()))
            };
            cx.make_known(&recorded, self.reason.clone())?;
            let bytes = arrived.size.map(|bytes| format!(" {}", size(bytes))).unwrap_or_default();
            let line = format!("pushed {name} {}{bytes}", arrived.digest);
            let data = json!({ "image": name, "digest": arrived.digest, "size": arrived.size });
            Ok(Answer { data: Some(data), ..Answer::line(line) })
        };
        let manner = Manner { format, fanout: DEFAULT_FANOUT, interrupted: Interrupted::Leave };
        Ok(cx.each(vec![host], manner, ask).await.into())
    }
}
