//! Event log: what the machine's own watchman has written down.

use async_trait::async_trait;
use tables::Node;

use crate::Result;

/// Reads and clears the event logs of machines.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Whether the definition says all that is needed, without touching anything.
    fn check(&self, node: &Node) -> Result<()>;

    /// All events, oldest first.
    async fn events(&self, node: &Node) -> Result<Vec<MachineEvent>>;

    /// Forgets them all.
    async fn clear(&self, node: &Node) -> Result<()>;
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineEvent {
    pub number: u16,
    /// Seconds since 1970 by the machine's clock; None before that was set, and for entries without a time.
    pub time: Option<u32>,
    pub text: String,
}
