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

/// The registry that images are brought to, and the bundle that they are brought from.
pub(crate) struct Store<'a> {
    cx: &'a Context,
    opened: &'a Opened,
    registry: &'a Ours,
    /// A member's number among those that are carried, nothing for one that was left out, and its size; by its digest.
    pieces: HashMap<&'a str, (Option<usize>, u64)>,
}

impl<'a> Store<'a> {
    pub(crate) fn new(cx: &'a Context, opened: &'a Opened, registry: &'a Ours) -> Self {
        let mut pieces = HashMap::new();
        let mut number = 0;
        for member in &opened.list.members {
            let place = (!member.left_out).then_some(number);
            number += usize::from(!member.left_out);
            if member.name.starts_with("blobs/") {
                pieces.insert(member.sha256.as_str(), (place, member.size));
            }
        }
        Self { cx, opened, registry, pieces }
    }

    /// Where the registry is.
    pub(crate) fn place(&self) -> &str {
        self.registry.client.place()
    }

    /// Refuses an image of which something was left out that the registry has not.
    pub(crate) async fn check(&self, image: &Image, held: &Held) -> Result<(), Failure> {
        let client = &self.registry.client;
        let repository = repository(image)?;
        for digest in image.manifests.iter().flat_map(|part| part.blobs.iter().chain([&part.digest])) {
            if self.carried(digest).is_some() {
                continue;
            }
            let is_manifest = image.manifests.iter().any(|part| part.digest == *digest);
            let has = match (is_manifest, elsewhere(held, digest, &repository)) {
                (true, _) => client.head(&repository, digest.as_str()).await?.is_some(),
                (false, None) => client.holds(&repository, digest).await?,
                (false, Some(other)) => client.holds(&repository, digest).await? || client.holds(other, digest).await?,
            };
            if !has {
                return Err(Failure::refused(format!(
                    "{digest} of image {} was left out of the bundle, and registry {} has it not",
                    image.name, self.registry.config.name
                ))
                .hint("let the bundle be made without --have, or with the record of this site"));
            }
        }
        Ok(())
    }

    /// Brings an image; false if the registry had all of it.
    pub(crate) async fn bring(&self, image: &Image, held: &mut Held) -> Result<bool, Failure> {
        let (repository, own) = (repository(image)?, own(image)?);
        let reference = image.reference().ok_or_else(|| Failure::refused(format!("{} is no name", image.name)))?;
        let tag = reference.tag_or_latest();
        let total = image.manifests.iter().flat_map(|part| &part.blobs).map(|blob| self.size(blob)).sum();
        let title = format!("image {}", image.name);
        let mut bar = Bar::new(&self.cx.progress(), self.place().to_owned(), title, total);
        let mut changed = false;
        for part in &image.manifests {
            for blob in &part.blobs {
                changed |= self.bring_blob(&repository, blob, held).await?;
                bar.tell(self.size(blob));
            }
            if self.registry.client.head(&repository, part.digest.as_str()).await?.is_none() {
                self.name(&repository, part, part.digest.as_str()).await?;
                changed = true;
            }
            held.add(bare(&part.digest), self.size(&part.digest), Some(repository.clone()));
        }
        if self.registry.client.head(&repository, tag).await?.as_ref() != Some(&own.digest) {
            self.name(&repository, own, tag).await?;
            changed = true;
        }
        let known = Reference::new(self.place(), &repository, tag).map_err(Failure::refused)?;
        let source = Source::Load("a bundle".to_owned());
        let recorded =
            Recorded { digest: Some(own.digest.clone()), size: Some(total), ..Recorded::new(&known, source) };
        self.cx.make_known(&recorded, None)?;
        Ok(changed)
    }

    /// Brings a layer or a config; false if the registry had it.
    async fn bring_blob(&self, repository: &str, blob: &Digest, held: &mut Held) -> Result<bool, Failure> {
        if !self.pieces.contains_key(bare(blob)) {
            return Ok(false);
        }
        let client = &self.registry.client;
        let has = client.holds(repository, blob).await?;
        if !has {
            let other = elsewhere(held, blob, repository).map(str::to_owned);
            let mounted = match other {
                Some(other) => client.mount(repository, blob, &other).await?,
                None => false,
            };
            if !mounted {
                let number = self.carried(blob).ok_or_else(|| gone(blob))?;
                let layer = Layer { digest: blob.clone(), size: self.size(blob) };
                let content = tokio::fs::File::from_std(self.opened.file_at(number)?);
                let content = tokio::io::AsyncReadExt::take(content, layer.size);
                client.bring(repository, &layer, content, self.cx.settings()?.transfer_limit).await?;
            }
        }
        held.add(bare(blob), self.size(blob), Some(repository.to_owned()));
        Ok(!has)
    }

    /// Gives the registry a manifest under a digest or a tag, whatever it has there.
    async fn name(&self, repository: &str, part: &Manifest, suffix: &str) -> Result<(), Failure> {
        let client = &self.registry.client;
        let text = match self.carried(&part.digest) {
            Some(number) => {
                let mut text = Vec::new();
                let file = self.opened.file_at(number)?;
                file.take(self.size(&part.digest))
                    .read_to_end(&mut text)
                    .map_err(|error| Failure::refused(error.to_string()))?;
                text
            }
            None => {
                let there = client.original(repository, part.digest.as_str()).await?;
                there.ok_or_else(|| gone(&part.digest))?.bytes
            }
        };
        // A tag is given to whatever it is given to.
        if Digest::of(&text) != part.digest {
            return Err(Failure::refused(format!("{} was changed meanwhile", part.digest)));
        }
        Ok(client.name(repository, suffix, &part.media_type, text).await?)
    }

    /// Its number among the members that are carried.
    fn carried(&self, digest: &Digest) -> Option<usize> {
        self.pieces.get(bare(digest)).and_then(|(place, _)| *place)
    }

    fn size(&self, digest: &Digest) -> u64 {
        self.pieces.get(bare(digest)).map_or(0, |(_, size)| *size)
    }
}

/// Another repository of the registry that had it when it was last given something.
fn elsewhere<'h>(held: &'h Held, digest: &Digest, repository: &str) -> Option<&'h str> {
    held.repository(bare(digest)).filter(|other| *other != repository)
}

fn gone(digest: &Digest) -> Failure {
    Failure::refused(format!("{digest} was left out, and the registry has it no more"))
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
