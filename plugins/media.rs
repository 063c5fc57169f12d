//! Virtual media: an image somewhere on the network, which a BMC shows its machine as a disc in a drive.

use async_trait::async_trait;
use tables::Node;

use crate::Result;

/// Puts discs into the virtual drives of machines.
#[async_trait]
pub trait Media: Send + Sync {
    /// Whether the definition says all that is needed, without touching anything.
    fn check(&self, node: &Node) -> Result<()>;

    /// The addresses of the images that are in now.
    async fn inserted(&self, node: &Node) -> Result<Vec<String>>;

    /// Puts an image in as a CD, in the place of one that is in the drive. The BMC fetches it; that is in already is done.
    async fn insert(&self, node: &Node, image: &str) -> Result<()>;

    /// Takes all discs out.
    async fn eject(&self, node: &Node) -> Result<()>;
}
