//! What hosts must have before the first node is touched: the new images, and the old ones for the way back.

use std::collections::{BTreeMap, BTreeSet};

use plugins::{Digest, Reference};
use tables::Node;

use super::Asked;
use super::member::{Member, reference};
use super::standing::finished;
use crate::context::Context;
use crate::failure::Failure;

/// The images of one host.
#[derive(Default)]
struct Needed {
    new: BTreeSet<Reference>,
    old: BTreeSet<Reference>,
}

/// Brings the new images to the hosts of these nodes, and makes sure that their old ones are there.
pub(crate) async fn prepare<'m>(
    cx: &Context,
    asked: &Asked,
    members: impl Iterator<Item = &'m Member>,
) -> Result<(), Failure> {
    let mut hosts: BTreeMap<&str, (&Node, Needed)> = BTreeMap::new();
    for member in members {
        let Some(host) = member.node.host() else { continue };
        let (_, needed) = hosts.entry(host.name()).or_insert_with(|| (host, Needed::default()));
        needed.new.extend(content(&member.update.image, &member.update.digest));
        needed.old.extend(content(&member.update.from_image, &member.update.from_digest));
    }
    let backends = cx.backends()?;
    let nodes = hosts.values().map(|(host, _)| (*host).clone()).collect();
    let ask = async |host: Node| {
        let ((_, needed), images) = (&hosts[host.name()], backends.images_on(&host)?);
        for image in &needed.old {
            images.have(&host, image).await.map_err(|error| no_way_back(image, error.into()))?;
        }
        for image in &needed.new {
            images.have(&host, image).await?;
        }
        Ok(())
    };
    let brought = cx.look_at(nodes, asked.manner, ask).await?;
    finished(brought.looked, "nothing was done: not every host has what it needs")
}

/// By its digest, if it has one.
fn content(provmethod: &str, digest: &str) -> Option<Reference> {
    let image = reference(provmethod)?;
    Some(digest.parse::<Digest>().map_or(image.clone(), |digest| image.pinned(&digest)))
}

fn no_way_back(image: &Reference, failure: Failure) -> Failure {
    Failure { message: format!("there would be no way back to {image}: {}", failure.message), ..failure }
}
