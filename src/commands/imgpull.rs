//! `imgpull`: bring an image onto hosts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use clap::Args;
use plugins::{Digest, Pull, Pulled, Reference};
use serde_json::json;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::images::hosts::image;
use crate::images::objects::{Recorded, Source};
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::size::size;

/// Bring an image onto hosts
#[derive(Debug, Args)]
#[command(after_help = "Each host fetches it once, from the nearest registry that has it: those of attribute
dockerregistries in their order (mirrors, see mkregistry --upstream), then the one in the name. It comes under its own
name in any case. Where a mirror is asked, the first host of each fills it before the others ask. Hosts log in as the
first user of our registry or as table passwd has it for another (key registry, authdomain HOST:PORT). A host that has
the same already says 'unchanged'; nothing is fetched then.
The image becomes an object: lsdef -t osimage. With --json there is a line for each piece of progress, too.

Examples:
  imgpull hosts 10.0.0.1:5000/apps/solver:2.1
  imgpull --at-once 4 hosts 10.0.0.1:5000/apps/solver:2.1
  imgpull h[1-8] 10.0.0.1:5000/apps/solver:2.1 --json | jq -c .")]
pub(crate) struct Imgpull {
    /// The hosts
    #[arg(value_name = "HOSTS")]
    noderange: String,
    /// The image, as provmethod of nodes names it
    #[arg(value_name = "IMAGE")]
    image: String,
    /// So many hosts at once; default is site.imagesatonce, else 32
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    at_once: Option<u16>,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Imgpull {
    fn is_audited(&self) -> bool {
        true
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let format = self.shape.format();
        let image = image(&self.image)?;
        cx.tell_progress(format);
        let backends = cx.backends()?;
        let hosts = cx.image_hosts(&self.noderange, format)?;
        let found: Mutex<BTreeMap<String, Pulled>> = Mutex::default();
        let ask = async |host: Node| {
            let pulled = backends.images_on(&host)?.pull(&host, &Pull { image: image.clone() }).await?;
            let answer = told(&image, &pulled);
            found.lock().unwrap_or_else(PoisonError::into_inner).insert(host.name().to_owned(), pulled);
            Ok(answer)
        };
        let manner = Manner { fanout: self.at_once(cx)?, ..Manner::from(&self.shape) };
        let ended = cx.each(hosts, manner, ask).await;
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.record(cx, &image, &found).await?;
        Ok(ended.into())
    }
}

/// Waves spare nobody: over a line of 100 Mbit/s eight hosts had 40 MB in 36 s all at once, in waves of 4 and of 2 alike
/// (`make bench`, `pulls`). It only bounds what a registry is asked at the same time; mirrors are what takes load off it.
const AT_ONCE: u16 = 32;

impl Imgpull {
    fn at_once(&self, cx: &Context) -> Result<usize, Failure> {
        let said = match self.at_once {
            Some(said) => said,
            None => match cx.tables()?.site("imagesatonce")? {
                Some(text) => text.parse().ok().filter(|&number| number > 0).ok_or_else(|| {
                    Failure::refused(format!(
                        "site attribute 'imagesatonce' is '{text}', which is not a number of hosts"
                    ))
                })?,
                None => AT_ONCE,
            },
        };
        Ok(said.into())
    }

    /// Makes the image known as what most hosts have; where somebody moves the tag meanwhile, some have another.
    async fn record(&self, cx: &Context, image: &Reference, found: &BTreeMap<String, Pulled>) -> Result<(), Failure> {
        let mut contents: BTreeMap<Option<&Digest>, Vec<String>> = BTreeMap::new();
        for (host, pulled) in found {
            contents.entry(pulled.image.digest(image)).or_default().push(host.clone());
        }
        if contents.len() > 1 {
            cx.ui.warning("hosts have different content: the tag was moved meanwhile; run the command again");
        }
        let Some((digest, _)) = contents.into_iter().max_by_key(|(_, hosts)| hosts.len()) else { return Ok(()) };
        let recorded = Recorded {
            digest: digest.cloned(),
            size: size_in_registry(cx, image, digest).await?,
            ..Recorded::new(image, Source::Pull)
        };
        cx.make_known(&recorded, self.reason.clone())
    }
}

/// What our registry says; of others nothing is asked.
async fn size_in_registry(cx: &Context, image: &Reference, digest: Option<&Digest>) -> Result<Option<u64>, Failure> {
    let registries = cx.registries()?;
    let (Some(registry), Some(digest)) = (registries.of(image), digest) else { return Ok(None) };
    // The hosts have it; that the registry went down since is no reason to say that they do not.
    let manifest = registry.client.manifest(image.repository(), digest.as_str()).await.ok().flatten();
    Ok(manifest.map(|manifest| manifest.size))
}

fn told(image: &Reference, pulled: &Pulled) -> Answer {
    let verb = if pulled.changed { "pulled" } else { "unchanged" };
    let digest = pulled.image.digest(image);
    let mirror = pulled.from.as_deref().filter(|from| pulled.changed && Some(*from) != image.registry());
    let from = mirror.map(|mirror| format!(" from {mirror}")).unwrap_or_default();
    let line = match digest {
        Some(digest) => format!("{verb} {digest} {}{from}", size(pulled.image.size)),
        None => format!("{verb} {}{from}", size(pulled.image.size)),
    };
    let data = json!({ "image": image, "from": pulled.from, "changed": pulled.changed, "digest": digest, "size": pulled.image.size });
    Answer { data: Some(data), ..Answer::line(line) }
}
