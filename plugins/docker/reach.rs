//! Does a container answer: its engine says that it runs.

use async_trait::async_trait;
use tables::Node;

use super::Docker;
use super::listing::list;
use crate::{Reach, Reached, Result};

#[async_trait]
impl Reach for Docker {
    /// A container behind a host that is down does not answer either.
    async fn reach(&self, node: &Node) -> Result<Reached> {
        let listing = match self.engine(node).await {
            Ok(engine) => list(&engine).await,
            Err(error) => Err(error),
        };
        match listing {
            Ok(listing) => {
                let runs = listing.get(node.name()).is_some_and(|container| container.state == "running");
                Ok(if runs { Reached::Ping } else { Reached::Nothing })
            }
            Err(error) if error.is_unreachable() => Ok(Reached::Nothing),
            Err(error) => Err(error),
        }
    }
}
