//! Images of a bundle into a registry of this site. What it has is not sent again, so that a second run goes on where the first was.

use std::collections::HashMap;
use std::io::Read;

use plugins::registry::Layer;
use plugins::{Digest, Reference};

use super::Bar;
use super::archive::Opened;
use super::held::Held;
use super::list::{Image, Manifest, bare};
use crate::context::Context;
use crate::failure::Failure;
use crate::images::objects::{Recorded, Source};
use crate::images::registries::{Ours, Registries};

/// The registry that images go to: the one of that name, or the only one that is no mirror.
pub(crate) fn chosen<'a>(registries: &'a Registries, name: Option<&str>) -> Result<&'a Ours, Failure> {
    let all: Vec<&Ours> = registries.iter().filter(|registry| registry.config.upstream.is_none()).collect();
    let names = || all.iter().map(|registry| registry.config.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, all.as_slice()) {
        (Some(name), all) => all.iter().copied().find(|registry| registry.config.name == name).ok_or_else(|| {
            Failure::refused(format!("there is no registry '{name}' for images")).hint("lsregistry lists them")
        }),
        (None, [only]) => Ok(only),
        (None, []) => Err(Failure::refused("there are images in it, and this site has no registry for them")
            .hint("make one with: mkregistry NODE; its server can come from a file: --image FILE")),
        (None, _) => Err(Failure::refused(format!("there are several registries: {}", names()))
            .hint("choose one with: --registry NAME")),
    }
}

/// A member's number among those that are carried, and its size; by its digest.
pub(crate) type Pieces<'a> = HashMap<&'a str, (Option<usize>, u64)>;

/// What a bundle has of images, and what was left out.
pub(crate) fn pieces(opened: &Opened) -> Pieces<'_> {
    let mut pieces = Pieces::new();
    let mut number = 0;
    for member in &opened.list.members {
        let place = (!member.left_out).then_some(number);
        number += usize::from(!member.left_out);
        if member.name.starts_with("blobs/") {
            pieces.insert(member.sha256.as_str(), (place, member.size));
        }
    }
    pieces
}

/// Refuses an image of which something was left out that the registry has not.
pub(crate) async fn check(registry: &Ours, image: &Image, pieces: &Pieces<'_>, held: &Held) -> Result<(), Failure> {
    let repository = repository(image)?;
    for digest in image.manifests.iter().flat_map(|part| part.blobs.iter().chain([&part.digest])) {
        if pieces.get(bare(digest)).is_some_and(|(place, _)| place.is_some()) {
            continue;
        }
        let is_manifest = image.manifests.iter().any(|part| part.digest == *digest);
        let has = match is_manifest {
            true => registry.client.head(&repository, digest.as_str()).await?.is_some(),
            false => {
                let elsewhere = held.repository(bare(digest)).filter(|other| *other != repository);
                registry.client.holds(&repository, digest).await?
                    || match elsewhere {
                        Some(other) => registry.client.holds(other, digest).await?,
                        None => false,
                    }
            }
        };
        if !has {
            return Err(Failure::refused(format!(
                "{digest} of image {} was left out of the bundle, and registry {} has it not",
                image.name, registry.config.name
            ))
            .hint("let the bundle be made without --have, or with the record of this site"));
        }
    }
    Ok(())
}

/// Brings an image; false if the registry had all of it.
pub(crate) async fn bring(
    cx: &Context,
    opened: &Opened,
    registry: &Ours,
    image: &Image,
    pieces: &Pieces<'_>,
    held: &mut Held,
) -> Result<bool, Failure> {
    let (repository, own) = (repository(image)?, own(image)?);
    let reference = image.reference().ok_or_else(|| Failure::refused(format!("{} is no name", image.name)))?;
    let tag = reference.tag_or_latest();
    let size = |digest: &Digest| pieces.get(bare(digest)).map_or(0, |(_, size)| *size);
    let total = image.manifests.iter().flat_map(|part| &part.blobs).map(size).sum();
    let mut bar = Bar::new(&cx.progress(), registry.client.place().to_owned(), format!("image {}", image.name), total);
    let mut changed = false;
    for part in &image.manifests {
        for blob in &part.blobs {
            changed |= brought(cx, opened, registry, &repository, blob, pieces, held).await?;
            bar.tell(size(blob));
        }
        changed |= named(opened, registry, &repository, part, part.digest.as_str(), pieces).await?;
        held.add(bare(&part.digest), size(&part.digest), Some(repository.clone()));
    }
    if registry.client.head(&repository, tag).await?.as_ref() != Some(&own.digest) {
        named_so(opened, registry, &repository, own, tag, pieces).await?;
        changed = true;
    }
    let known = Reference::new(registry.client.place(), &repository, tag).map_err(Failure::refused)?;
    let source = Source::Load("a bundle".to_owned());
    cx.make_known(
        &Recorded { digest: Some(own.digest.clone()), size: Some(total), ..Recorded::new(&known, source) },
        None,
    )?;
    Ok(changed)
}

async fn brought(
    cx: &Context,
    opened: &Opened,
    registry: &Ours,
    repository: &str,
    blob: &Digest,
    pieces: &Pieces<'_>,
    held: &mut Held,
) -> Result<bool, Failure> {
    let Some(&(place, size)) = pieces.get(bare(blob)) else { return Ok(false) };
    let client = &registry.client;
    let mut changed = false;
    if !client.holds(repository, blob).await? {
        changed = true;
        let other = held.repository(bare(blob)).filter(|other| *other != repository).map(str::to_owned);
        let mounted = match other {
            Some(other) => client.mount(repository, blob, &other).await?,
            None => false,
        };
        if !mounted {
            let lacking = || Failure::refused(format!("{blob} was left out, and the registry has it no more"));
            let number = place.ok_or_else(lacking)?;
            let layer = Layer { digest: blob.clone(), size };
            let content = tokio::fs::File::from_std(opened.file_at(number)?);
            let content = tokio::io::AsyncReadExt::take(content, size);
            client.bring(repository, &layer, content, cx.settings()?.transfer_limit).await?;
        }
    }
    held.add(bare(blob), size, Some(repository.to_owned()));
    Ok(changed)
}

/// Gives the registry a manifest by its digest unless it has it.
async fn named(
    opened: &Opened,
    registry: &Ours,
    repository: &str,
    part: &Manifest,
    suffix: &str,
    pieces: &Pieces<'_>,
) -> Result<bool, Failure> {
    if registry.client.head(repository, suffix).await?.is_some() {
        return Ok(false);
    }
    named_so(opened, registry, repository, part, suffix, pieces).await.map(|()| true)
}

async fn named_so(
    opened: &Opened,
    registry: &Ours,
    repository: &str,
    part: &Manifest,
    suffix: &str,
    pieces: &Pieces<'_>,
) -> Result<(), Failure> {
    let text = match pieces.get(bare(&part.digest)) {
        Some((Some(number), size)) => {
            let mut text = Vec::new();
            let file = opened.file_at(*number)?;
            file.take(*size).read_to_end(&mut text).map_err(|error| Failure::refused(error.to_string()))?;
            text
        }
        _ => {
            let there = registry.client.original(repository, part.digest.as_str()).await?;
            let gone = || Failure::refused(format!("{} was left out, and the registry has it no more", part.digest));
            there.ok_or_else(gone)?.bytes
        }
    };
    // A tag is given to whatever it is given to.
    if Digest::of(&text) != part.digest {
        return Err(Failure::refused(format!("{} was changed meanwhile", part.digest)));
    }
    Ok(registry.client.name(repository, suffix, &part.media_type, text).await?)
}

fn repository(image: &Image) -> Result<String, Failure> {
    let reference = image.reference();
    reference
        .map(|name| name.repository().to_owned())
        .ok_or_else(|| Failure::refused(format!("{} is no name", image.name)))
}

fn own(image: &Image) -> Result<&Manifest, Failure> {
    image.own().ok_or_else(|| Failure::refused(format!("image {} has no manifest", image.name)))
}
