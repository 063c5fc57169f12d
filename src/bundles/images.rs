//! Images of a bundle: found in one of our registries, in an archive, or on a host, and taken apart into what a registry takes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plugins::archive::Archive;
use plugins::registry::{Client, Original};
use plugins::{Digest, Reference};
use tables::Node;

use super::archive::Content;
use super::export::Gathered;
use super::held::Held;
use super::list::{Image, Manifest, Member, bare};
use super::parts::Parts;
use super::{Bar, measured, replace};
use crate::context::Context;
use crate::failure::Failure;
use crate::images::registries::Registries;
use crate::own_file;

/// Manifests of one image, and lists within lists.
const MOST: usize = 1000;

/// Where an image is.
enum Whence<'a> {
    /// Its manifests, the image's own last.
    Registry {
        client: &'a Client,
        repository: String,
        tree: Vec<Original>,
    },
    Archive {
        archive: Arc<Archive>,
        number: usize,
    },
    Host(Node),
}

/// An image that was found.
pub(crate) struct Found<'a> {
    /// As a registry elsewhere will have it.
    pub(crate) name: String,
    /// Bytes, as far as that is known before it is fetched.
    pub(crate) size: u64,
    /// What it is, and how much that takes, where a registry told it.
    pub(crate) blobs: Vec<(Digest, u64)>,
    /// As the site names it.
    image: Reference,
    digest: Option<Digest>,
    whence: Whence<'a>,
}

/// Where images are looked for.
pub(crate) struct Places {
    registries: Registries,
    archives: Vec<Arc<Archive>>,
    host: Option<Node>,
}

impl Places {
    pub(crate) fn of(cx: &Context, archives: &[PathBuf], host: Option<&str>) -> Result<Self, Failure> {
        let open = |path: &PathBuf| Ok(Arc::new(Archive::open(path)?));
        let archives = archives.iter().map(open).collect::<Result<_, Failure>>()?;
        let host = host.map(|host| cx.host_of(cx.only_node(host, "one of them has the images")?)).transpose()?;
        Ok(Self { registries: cx.registries()?, archives, host })
    }

    /// Finds an image: in the registry of its name, in an archive, in any registry of ours, on the host.
    pub(crate) async fn find(
        &self,
        cx: &Context,
        image: &Reference,
        digest: Option<&Digest>,
    ) -> Result<Found<'_>, Failure> {
        let own = self.registries.of(image).into_iter();
        for registry in own {
            if let Some(found) = in_registry(&registry.client, image, digest).await? {
                return Ok(found);
            }
        }
        if let Some(found) = self.in_archive(image, digest) {
            return Ok(found);
        }
        // What has the digest is the image, wherever it is.
        if image.registry().is_none() || digest.is_some() {
            for registry in self.registries.iter() {
                if let Some(found) = in_registry(&registry.client, image, digest).await? {
                    return Ok(found);
                }
            }
        }
        if let Some(host) = &self.host
            && let Some(there) = cx.backends()?.images_on(host)?.inspect(host, image).await?
        {
            let whence = Whence::Host(host.clone());
            return Ok(Found { size: there.size, ..Found::new(image, digest, whence) });
        }
        let what = digest.map(|digest| format!(" as {digest}")).unwrap_or_default();
        Err(Failure::refused(format!("image {image} was not found{what}"))
            .hint("it can be in a registry of ours (lsimage), in a file (--archive FILE) or on a host (--from HOST)"))
    }

    fn in_archive(&self, image: &Reference, digest: Option<&Digest>) -> Option<Found<'_>> {
        for archive in &self.archives {
            let is_meant = |name: &String| {
                name.parse::<Reference>()
                    .is_ok_and(|name| name.is_same_name(image) && name.tag_or_latest() == image.tag_or_latest())
            };
            let number = archive.images().iter().position(|found| found.names.iter().any(is_meant));
            if let Some(number) = number {
                let size = archive.images()[number].layers.iter().map(|layer| layer.size).sum();
                let whence = Whence::Archive { archive: archive.clone(), number };
                return Some(Found { size, ..Found::new(image, digest, whence) });
            }
        }
        None
    }
}

async fn in_registry<'a>(
    client: &'a Client,
    image: &Reference,
    digest: Option<&Digest>,
) -> Result<Option<Found<'a>>, Failure> {
    let repository = image.repository();
    let Some(own) = client.original(repository, digest.map_or(image.tag_or_latest(), Digest::as_str)).await? else {
        return Ok(None);
    };
    let (mut tree, mut waiting) = (vec![own.clone()], own.parts);
    while let Some(part) = waiting.pop() {
        if tree.iter().any(|known| known.digest == part) {
            continue;
        }
        let found = client.original(repository, part.as_str()).await?;
        let found = found.ok_or_else(|| {
            Failure::refused(format!("{} has {image} without its part {part}", client.place()))
                .hint("push the image for all processors that it lists, or save the one that is needed: imgsave IMAGE FILE, then --archive FILE")
        })?;
        waiting.extend(found.parts.iter().cloned());
        tree.push(found);
        if tree.len() > MOST {
            return Err(Failure::refused(format!("{image} has more than {MOST} parts")));
        }
    }
    // A registry takes a list only when it has what that lists.
    tree.reverse();
    let of_part = |part: &Original| {
        let blobs = part.blobs.iter().map(|blob| (blob.digest.clone(), blob.size));
        blobs.chain([(part.digest.clone(), part.bytes.len() as u64)]).collect::<Vec<_>>()
    };
    let blobs: Vec<_> = tree.iter().flat_map(of_part).collect();
    let size = blobs.iter().map(|(_, size)| size).sum();
    let whence = Whence::Registry { client, repository: repository.to_owned(), tree };
    Ok(Some(Found { size, blobs, ..Found::new(image, digest, whence) }))
}

impl<'a> Found<'a> {
    fn new(image: &Reference, digest: Option<&Digest>, whence: Whence<'a>) -> Self {
        let name = name(image);
        Self { name, size: 0, blobs: Vec::new(), image: image.clone(), digest: digest.cloned(), whence }
    }

    /// Brings all of it together that the other site has not.
    pub(crate) async fn gather(
        self,
        cx: &Context,
        parts: &Parts,
        held: &Held,
        gathered: &mut Gathered,
    ) -> Result<(), Failure> {
        match &self.whence {
            Whence::Registry { client, repository, tree } => {
                self.of_registry(cx, client, repository, tree, parts, held, gathered).await
            }
            Whence::Archive { archive, number } => self.of_archive(archive, *number, parts, held, gathered).await,
            Whence::Host(host) => {
                let file = parts.work("engine")?.join("image.tar");
                let to = own_file::aside(&file, 0o600)
                    .map_err(|error| Failure::refused(format!("cannot write {}: {error}", file.display())))?;
                cx.backends()?.images_on(host)?.save(host, &self.image, to).await?;
                let archive = Arc::new(Archive::open(&file)?);
                self.of_archive(&archive, 0, parts, held, gathered).await
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a variant, of which each is used once")]
    async fn of_registry(
        &self,
        cx: &Context,
        client: &Client,
        repository: &str,
        tree: &[Original],
        parts: &Parts,
        held: &Held,
        gathered: &mut Gathered,
    ) -> Result<(), Failure> {
        let mut bar =
            Bar::new(&cx.progress(), client.place().to_owned(), format!("fetch image {}", self.name), self.size);
        let mut manifests = Vec::new();
        for part in tree {
            for blob in &part.blobs {
                let hex = bare(&blob.digest);
                let target = parts.blob(hex);
                let has = fs::metadata(&target).is_ok_and(|found| found.len() == blob.size);
                if !has && !held.has(hex) {
                    let begun = super::part(&target);
                    let mut file = opened(&begun)?;
                    client.fetch(repository, blob, &mut file, |count| bar.tell(count)).await?;
                    rename(&begun, &target)?;
                }
                gathered.add(Member::blob(&blob.digest, blob.size), Content::File(target), held);
            }
            let target = parts.blob(bare(&part.digest));
            replace(&target, &part.bytes)?;
            let blobs = part.blobs.iter().map(|blob| blob.digest.clone()).collect();
            manifests.push(Manifest { digest: part.digest.clone(), media_type: part.media_type.clone(), blobs });
            gathered.add(Member::blob(&part.digest, part.bytes.len() as u64), Content::File(target), held);
        }
        gathered.add_image(Image { name: self.name.clone(), manifests })
    }

    async fn of_archive(
        &self,
        archive: &Arc<Archive>,
        number: usize,
        parts: &Parts,
        held: &Held,
        gathered: &mut Gathered,
    ) -> Result<(), Failure> {
        let directory = parts.work("blobs")?;
        let (reader, to) = (archive.clone(), directory.clone());
        let splitting = tokio::task::spawn_blocking(move || reader.split(&reader.images()[number], &to));
        let split = splitting.await.map_err(|error| Failure::refused(error.to_string()))??;
        let digest = Digest::of(&split.manifest);
        if let Some(wanted) = self.digest.as_ref().filter(|wanted| **wanted != digest) {
            return Err(Failure::refused(format!("image {} would be {digest}, and {wanted} is required", self.name))
                .hint(
                    "only registries and OCI layouts keep an image's digest: push it into a registry of ours first",
                ));
        }
        for blob in &split.blobs {
            gathered.add(Member::blob(&blob.digest, blob.size), Content::File(parts.blob(bare(&blob.digest))), held);
        }
        let target = parts.blob(bare(&digest));
        replace(&target, &split.manifest)?;
        gathered.add(Member::blob(&digest, split.manifest.len() as u64), Content::File(target), held);
        let blobs = split.blobs.iter().map(|blob| blob.digest.clone()).collect();
        let manifests = vec![Manifest { digest, media_type: split.media_type, blobs }];
        gathered.add_image(Image { name: self.name.clone(), manifests })
    }
}

/// What an image is called in a bundle, and in the registry of the site that takes it.
pub(super) fn name(image: &Reference) -> String {
    format!("{}:{}", image.repository(), tag(image))
}

/// An image that is known by its digest alone is no site's `latest`.
pub(super) fn tag(image: &Reference) -> &str {
    match (image.tag(), image.digest()) {
        (None, Some(digest)) => digest.short(),
        _ => image.tag_or_latest(),
    }
}

/// What a broken-off run has left is gone on with.
fn opened(path: &Path) -> Result<File, Failure> {
    own_file::open(path).map_err(|error| Failure::refused(format!("cannot write {}: {error}", path.display())))
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::rename(from, to).map_err(|error| Failure::refused(format!("cannot write {}: {error}", to.display())))
}

/// A piece that is a file and has no digest yet.
pub(super) async fn member_of(name: String, path: &Path) -> Result<Member, Failure> {
    let measured = measured(path).await;
    let (size, sha256) =
        measured.map_err(|error| Failure::refused(format!("cannot read {}: {error}", path.display())))?;
    Ok(Member { name, size, sha256, executable: false, left_out: false })
}
