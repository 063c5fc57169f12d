//! Reach: does a node answer, and with what.

use async_trait::async_trait;
use tables::Node;

use crate::Result;

/// Tells whether nodes answer; the driver is chosen as for [`crate::Exec`].
#[async_trait]
pub trait Reach: Send + Sync {
    /// Asks once, within the connect limit. A node that does not answer is [`Reached::Nothing`], not an error.
    async fn reach(&self, node: &Node) -> Result<Reached>;
}

/// How far one gets to a node; each includes the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    Nothing,
    /// It is there: it answers an echo request, or its engine says that it runs.
    Ping,
    /// Its ssh server says that it is one.
    Sshd,
}
