//! `imgload`: bring images of an archive onto hosts.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use plugins::archive::Archive;
use plugins::{Loaded, Reference};
use serde_json::json;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{Interrupted, Manner};
use crate::images::archives;
use crate::images::hosts::image;
use crate::images::objects::{Recorded, Source};
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::size::size;

/// Hosts that are sent an archive at the same time; each has a thread that reads.
const FANOUT: usize = 32;

/// Load images from an archive onto hosts
#[derive(Debug, Args)]
#[command(
    after_help = "The archive is what 'docker save' writes or an OCI layout, as a tar (also gzip or zstd) or as a directory. Layers
that a host has already are not sent to it, so that a new version of an image costs what is new in it. Engines that
keep images in containerd are sent all. The archive is checked first, and is not unpacked on this machine.
Of an OCI layout for several kinds of processors that of this machine's is taken.

Examples:
  imgload hosts solver-2.1.tar
  imgload h1 ./layout --name 10.0.0.1:5000/apps/solver:2.1
  imgload h1 base.tar.gz && imgpush h1 debian:12 --to 10.0.0.1:5000/base/debian:12     the first image of a site"
)]
pub(crate) struct Imgload {
    /// The hosts
    #[arg(value_name = "HOSTS")]
    noderange: String,
    /// The archive or the directory of a layout
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Call the image so, whatever the archive calls it
    #[arg(long, value_name = "IMAGE")]
    name: Option<String>,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Imgload {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let format = self.shape.format();
        cx.tell_progress(format);
        let name = self.name.as_deref().map(image).transpose()?;
        let hosts = cx.image_hosts(&self.noderange, format)?;
        let mut archive = archives::open(&self.file).await?;
        if let Some(name) = &name {
            archive.rename(&name.to_string())?;
        }
        let names = self.names(&archive)?;
        let archive = Arc::new(archive);
        let backends = cx.backends()?;
        let ask = async |host: Node| {
            let loaded = backends.images_on(&host)?.load(&host, &archive).await?;
            for name in &names {
                self.record(cx, &host, name).await?;
            }
            Ok(told(&names, loaded))
        };
        let manner = Manner { format, fanout: FANOUT, interrupted: Interrupted::Leave };
        Ok(cx.each(hosts, manner, ask).await.into())
    }
}

impl Imgload {
    /// What the archive's images are called; each is called something.
    fn names(&self, archive: &Archive) -> Result<Vec<Reference>, Failure> {
        let mut names = Vec::new();
        for found in archive.images() {
            if found.names.is_empty() {
                let why = format!("an image of {} has no name ({})", self.file.display(), found.id);
                return Err(Failure::refused(why).hint("give it one with: --name IMAGE"));
            }
            for name in &found.names {
                names.push(image(name)?);
            }
        }
        Ok(names)
    }

    async fn record(&self, cx: &Context, host: &Node, name: &Reference) -> Result<(), Failure> {
        let found = cx.backends()?.images_on(host)?.inspect(host, name).await?;
        let recorded = Recorded {
            digest: found.and_then(|found| found.digest(name).cloned()),
            ..Recorded::new(name, Source::Load(self.file.display().to_string()))
        };
        cx.make_known(&recorded, self.reason.clone())
    }
}

fn told(names: &[Reference], loaded: Loaded) -> Answer {
    let images: Vec<String> = names.iter().map(ToString::to_string).collect();
    let line = if loaded.changed {
        format!("loaded {}, {} sent, {} were there", images.join(" "), size(loaded.sent), size(loaded.spared))
    } else {
        format!("unchanged {}", images.join(" "))
    };
    let data = json!({ "images": images, "changed": loaded.changed, "sent": loaded.sent, "spared": loaded.spared });
    Answer { data: Some(data), ..Answer::line(line) }
}
