//! Beacon: the light by which a machine is found in its rack.

use async_trait::async_trait;
use tables::Node;

use crate::Result;

/// Switches the lights of machines.
#[async_trait]
pub trait Beacon: Send + Sync {
    /// Whether the definition says all that is needed, without touching anything.
    fn check(&self, node: &Node) -> Result<()>;

    /// None where the machine does not tell.
    async fn state(&self, node: &Node) -> Result<Option<BeaconState>>;

    /// Switches it until further notice.
    async fn switch(&self, node: &Node, on: bool) -> Result<()>;
}

/// What the light does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeaconState {
    Off,
    On,
    /// On for some seconds only.
    Blinking,
}
