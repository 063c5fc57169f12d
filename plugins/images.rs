//! Images on hosts: what guests are made from, and where it comes from.

use async_trait::async_trait;
use serde::Serialize;
use tables::Node;

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

    /// Takes a name away from `host`, and with its last name the image. One in use by a guest stays: that is
    /// [`crate::Error::Refused`].
    async fn remove(&self, host: &Node, image: &Reference) -> Result<Removed>;
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
}

impl HostImage {
    /// The digest that its manifest has in the repository of `image`; None for one that no registry knows.
    pub fn digest(&self, image: &Reference) -> Option<&Digest> {
        self.digests.iter().find(|known| known.is_same_name(image))?.digest()
    }
}
