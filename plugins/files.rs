//! Files: copying to and from a node.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tables::Node;

use crate::Result;

/// Copies files and directories; the driver is chosen as for [`crate::Exec`]. `user` is who logs in, where one does.
#[async_trait]
pub trait Files: Send + Sync {
    /// Copies `sources` (directories whole) to `destination` on the node, as `cp -rp` would: into it when it is a
    /// directory, else under that name.
    async fn put(&self, node: &Node, user: Option<&str>, sources: &[PathBuf], destination: &str) -> Result<()>;

    /// Copies `sources` of the node into the local directory.
    async fn get(&self, node: &Node, user: Option<&str>, sources: &[String], directory: &Path) -> Result<()>;
}
