//! Images on hosts: what guests are made from, and where it comes from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use tables::Node;

use crate::archive::Archive;
use crate::registry::Near;
use crate::{Digest, Reference, Result};

/// Brings images onto hosts, tells which are there, and removes them.
#[async_trait]
pub trait Images: Send + Sync {
    /// What `host` has, in no order.
    async fn list(&self, host: &Node) -> Result<Vec<HostImage>>;

    /// One image of `host`; None if it is not there.
    async fn inspect(&self, host: &Node, image: &Reference) -> Result<Option<HostImage>>;

    /// The image as `host` has it, brought there if it has not; asked once for a host however many guests want it.
    async fn have(&self, host: &Node, image: &Reference) -> Result<HostImage>;

    /// Brings `host` in step with the registry: what it has already is asked for, too, but nothing of it is fetched.
    async fn pull(&self, host: &Node, pull: &Pull) -> Result<Pulled>;

    /// The digest that a name has in its registry at this moment, as `host` is told; nothing is fetched.
    async fn meaning(&self, host: &Node, image: &Reference) -> Result<Digest>;

    /// Takes a name away from `host`, and with its last name the image. One in use by a guest stays: that is
    /// [`crate::Error::Refused`].
    async fn remove(&self, host: &Node, image: &Reference) -> Result<Removed>;

    /// Gives an image that `host` has one more name.
    async fn tag(&self, host: &Node, image: &Reference, name: &Reference) -> Result<()>;

    /// Brings the registry of its name in step with `host`.
    async fn push(&self, host: &Node, image: &Reference) -> Result<Pushed>;

    /// Makes an image of a guest as it is, on the guest's host.
    async fn commit(&self, node: &Node, commit: &Commit) -> Result<Committed>;

    /// Brings the images of an archive onto `host`, of which what it has is not sent.
    async fn load(&self, host: &Node, archive: &Arc<Archive>) -> Result<Loaded>;

    /// Writes an image that `host` has as an archive; the bytes of it.
    async fn save(&self, host: &Node, image: &Reference, file: std::fs::File) -> Result<u64>;

    /// Makes an image on `host` as a file of instructions says.
    async fn build(&self, host: &Node, build: &Build) -> Result<Built>;
}

/// What to pull.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pull {
    pub image: Reference,
}

/// How a pull ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pulled {
    /// False if the host had it already.
    pub changed: bool,
    /// The registry that was asked for its content: a mirror, or the one in its name; None for the public one.
    pub from: Option<String>,
    pub image: HostImage,
}

/// How a removal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Removed {
    /// The host did not have it.
    Absent,
    /// The name has gone; the image has others.
    Untagged,
    /// Nothing of it is left but layers of other images.
    Removed,
}

/// An image as a host has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostImage {
    /// The host's own name for the content.
    pub id: String,
    /// Names with tags.
    pub tags: Vec<Reference>,
    /// Names with digests, one for each repository that it was pulled from or pushed to.
    pub digests: Vec<Reference>,
    /// Bytes that it takes on the host, layers of other images among them.
    pub size: u64,
    /// Seconds since 1970.
    pub created: i64,
    /// Whom the host asks for images.
    #[serde(skip)]
    pub near: Arc<Near>,
}

impl HostImage {
    /// The digest that its manifest has in the repository of `image`; None for one that no registry knows.
    pub fn digest(&self, image: &Reference) -> Option<&Digest> {
        let named = self.digests.iter().find(|known| known.is_same_name(image));
        // What a mirror has brought while the registry in the name was gone, or another one that the host asks.
        let brings = |known: &&Reference| {
            let content = known.digest().map(|digest| image.pinned(digest));
            content.is_some_and(|content| self.near.sources(&content).contains(known))
        };
        named.or_else(|| self.digests.iter().find(brings))?.digest()
    }

    /// All digests that its manifest has in a repository of that path, whoever the host asks by now: what may be in use is not
    /// removed.
    pub fn digests_like<'a>(&'a self, image: &'a Reference) -> impl Iterator<Item = &'a Digest> {
        let alike = self.digests.iter().filter(|known| known.repository() == image.repository());
        alike.filter_map(Reference::digest)
    }
}

/// How a push ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// What the host says that the manifest is by now.
    pub digest: Digest,
}

/// The image that a guest becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub image: Reference,
    pub message: Option<String>,
    pub author: String,
    pub labels: BTreeMap<String, String>,
}

/// An image that was made of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Committed {
    pub id: String,
    /// The digest of what the guest was made from; None if that came from no registry.
    pub parent: Option<Digest>,
    /// Directories of the guest that are no part of it, such as volumes.
    pub outside: Vec<String>,
    /// Variables of the guest that its image did not have and this one has.
    pub variables: Vec<String>,
    /// The guest was suspended before, and still is.
    pub was_suspended: bool,
}

/// How a load ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loaded {
    /// False if the host had all of it already.
    pub changed: bool,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes of layers that the host had.
    pub spared: u64,
}

/// What to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    pub image: Reference,
    /// The directory that instructions may copy from.
    pub context: PathBuf,
    /// The instructions; None for `Dockerfile` in the context.
    pub dockerfile: Option<PathBuf>,
    pub arguments: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
}

/// An image that was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Built {
    pub id: String,
    /// Bytes of the context.
    pub sent: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Mirror;

    #[test]
    fn only_whom_the_host_asks_tells_what_a_name_means() {
        let digest = |digit: char| format!("sha256:{}", digit.to_string().repeat(64));
        let near = |registries: &[&str]| {
            let mirrors = vec![
                Mirror { place: "m:1".into(), of: "o:5".into() },
                Mirror { place: "x:1".into(), of: "y:5".into() },
            ];
            Arc::new(Near { registries: registries.iter().map(|name| (*name).to_owned()).collect(), mirrors })
        };
        let check = |known: &[(&str, char)], registries: &[&str], expected: Option<char>| {
            let digests =
                known.iter().map(|(name, digit)| format!("{name}@{}", digest(*digit)).parse().unwrap()).collect();
            let image =
                HostImage { id: "1".into(), tags: vec![], digests, size: 0, created: 0, near: near(registries) };
            let found = image.digest(&"o:5/a:1".parse().unwrap()).map(ToString::to_string);
            assert_eq!(found, expected.map(digest), "{known:?} {registries:?}");
        };
        check(&[("m:1/a", '1'), ("o:5/a", '2')], &["m:1"], Some('2'));
        check(&[("m:1/a", '1')], &["m:1"], Some('1'));
        check(&[("copy:1/a", '1')], &["copy:1"], Some('1'));
        check(&[("x:1/a", '1'), ("m:1/a", '2')], &["x:1", "m:1"], Some('2'));
        check(&[("m:1/a", '1')], &[], None);
        check(&[("m:1/b", '1')], &["m:1"], None);
        check(&[("else:1/a", '1')], &["m:1"], None);
    }
}
