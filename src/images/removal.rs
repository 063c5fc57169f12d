//! What it takes to remove an image: names of hosts, a tag or a manifest of a registry.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use plugins::{Digest, Reference};

use super::registries::Ours;
use super::uses::{Content, Held};
use crate::failure::Failure;

/// How many tags a registry is asked about at once.
const AT_ONCE: usize = 16;

/// What is to be removed.
pub(crate) struct Removal<'r> {
    /// By host, the names that go; with the last of them the content does.
    pub(crate) hosts: BTreeMap<String, Vec<Reference>>,
    /// By host, the containers for which the content has to stay.
    pub(crate) kept: BTreeMap<String, Vec<String>>,
    pub(crate) registry: Option<InRegistry<'r>>,
}

/// What goes from a registry.
pub(crate) struct InRegistry<'r> {
    pub(crate) ours: &'r Ours,
    image: Reference,
    digest: Digest,
    /// Further tags that mean the same.
    shared: Vec<String>,
    /// Manifests of an index, that no other tag has.
    parts: Vec<Digest>,
}

/// What is there of `content`, and has to go.
pub(crate) async fn plan<'r>(
    content: &Content,
    held: &BTreeMap<String, Held>,
    registry: Option<&'r Ours>,
) -> Result<Removal<'r>, Failure> {
    let mut removal = Removal { hosts: BTreeMap::new(), kept: BTreeMap::new(), registry: None };
    for (host, held) in held {
        let names = names_on(content, held);
        let guests = content.running(held);
        match (names.is_empty(), guests.is_empty()) {
            (true, _) => {}
            (false, true) => drop(removal.hosts.insert(host.clone(), names)),
            (false, false) => drop(removal.kept.insert(host.clone(), guests)),
        }
    }
    if let Some(ours) = registry {
        removal.registry = InRegistry::of(ours, content).await?;
    }
    Ok(removal)
}

impl Removal<'_> {
    /// Whether nobody has it.
    pub(crate) fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.kept.is_empty() && self.registry.is_none()
    }
}

/// The tag, and the digest unless another tag of the same repository holds the content.
fn names_on(content: &Content, held: &Held) -> Vec<Reference> {
    let mut names = Vec::new();
    for image in &held.images {
        let is_tagged = image.tags.contains(&content.image);
        names.extend(is_tagged.then(|| content.image.clone()));
        let others = image.tags.iter().any(|tag| *tag != content.image && tag.is_same_name(&content.image));
        let by_digest = image.digest(&content.image).filter(|digest| Some(*digest) == content.digest.as_ref());
        // With the last tag of a repository its digests go by themselves.
        if let Some(digest) = by_digest.filter(|_| !is_tagged && !others) {
            names.push(content.image.pinned(digest));
        }
    }
    names
}

impl<'r> InRegistry<'r> {
    async fn of(ours: &'r Ours, content: &Content) -> Result<Option<Self>, Failure> {
        let image = content.image.clone();
        let suffix = image.suffix().to_owned();
        let repository = image.repository().to_owned();
        let Some(manifest) = ours.client.manifest(&repository, &suffix).await? else { return Ok(None) };
        let others = ours.client.tags(&repository).await?.into_iter().filter(|tag| image.tag() != Some(tag));
        let look = |tag: String| {
            let repository = &repository;
            async move { Ok::<_, Failure>((ours.client.manifest(repository, &tag).await?, tag)) }
        };
        let others: Vec<_> = stream::iter(others).map(look).buffered(AT_ONCE).try_collect().await?;
        let of_others: BTreeSet<&Digest> =
            others.iter().filter_map(|(manifest, _)| manifest.as_ref()).flat_map(|manifest| &manifest.parts).collect();
        let parts = manifest.parts.iter().filter(|part| !of_others.contains(part)).cloned().collect();
        let means_it = |other: &Option<plugins::registry::Manifest>| {
            other.as_ref().is_some_and(|other| other.digest == manifest.digest)
        };
        let shared: Vec<String> =
            others.iter().filter(|(other, _)| means_it(other)).map(|(_, tag)| tag.clone()).collect();
        if image.digest().is_some() && !shared.is_empty() {
            return Err(Failure::refused(format!("{image} has tags: {}", shared.join(", "))).hint(format!(
                "remove these: rmimage {}:{}",
                image.name(),
                shared[0]
            )));
        }
        Ok(Some(Self { ours, digest: manifest.digest, image, shared, parts }))
    }

    /// Whether content goes, and not only a name.
    pub(crate) fn frees(&self) -> bool {
        self.shared.is_empty()
    }

    /// What is to be done.
    pub(crate) fn title(&self) -> String {
        self.told("delete")
    }

    /// What was done.
    pub(crate) fn done(&self) -> String {
        self.told("deleted")
    }

    fn told(&self, verb: &str) -> String {
        let (name, digest) = (&self.ours.config.name, &self.digest);
        let what = format!("{}:{}", self.image.repository(), self.image.suffix());
        match self.frees() {
            true => format!("registry {name}: {verb} {what} ({digest})"),
            false => format!("registry {name}: {verb} tag {what}; its content stays, as {}", self.shared.join(", ")),
        }
    }

    pub(crate) async fn remove(&self) -> Result<(), Failure> {
        let (client, repository) = (&self.ours.client, self.image.repository());
        if !self.frees() {
            return Ok(client.untag(repository, self.image.tag_or_latest()).await?);
        }
        client.delete(repository, &self.digest).await?;
        for part in &self.parts {
            client.delete(repository, part).await?;
        }
        Ok(())
    }
}
