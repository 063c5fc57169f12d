//! Power: is a node on, and switching it.

use async_trait::async_trait;
use serde::Deserialize;
use tables::Node;

use crate::Result;

/// The columns that choose the driver of power and of all else that a machine's BMC does, first set one wins. It may name
/// several: for power they are tried in that order ([`crate::Ways`]), all else is done by the first that can.
pub(crate) const COLUMNS: [&str; 2] = ["power", "mgt"];

/// Queries and changes the power state of nodes.
///
/// Every action is idempotent: `On` of a running node succeeds and changes nothing. An implementation returns when the
/// state is reached or its own time limit has passed, never later.
#[async_trait]
pub trait Power: Send + Sync {
    /// Whether the definition says all that `action` needs and the driver can do it, without touching anything.
    fn check(&self, node: &Node, action: PowerAction) -> Result<()>;

    /// Tells the state now; a node whose guest does not exist is an error ([`crate::Error::Absent`]), not `Off`.
    async fn state(&self, node: &Node) -> Result<PowerReading>;

    /// Carries out one action and tells what was done.
    async fn apply(&self, node: &Node, action: PowerAction) -> Result<Powered>;
}

/// A power state, and the backend's own word for it (`running`, `exited`, `restarting`, …).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerReading {
    pub state: PowerState,
    pub word: String,
}

/// A power state as `rpower stat` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerState {
    On,
    Off,
    Suspended,
    /// Between states or broken; the reading's word says which.
    Other,
}

/// What `rpower` can ask of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PowerAction {
    On,
    /// Graceful where the backend can be, then forced after the node's own time limit.
    Off,
    /// Asks the node to stop and does not force it.
    Softoff,
    /// Restarts a running node; leaves one that is off alone.
    Reset,
    /// `On` if off, else `Reset`.
    Boot,
    /// `Off`, then `On`; an error if the node is off.
    Cycle,
    Suspend,
    Resume,
}

impl PowerAction {
    /// How it is asked for.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Softoff => "softoff",
            Self::Reset => "reset",
            Self::Boot => "boot",
            Self::Cycle => "cycle",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
        }
    }
}

/// What one action did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Powered {
    /// The word to print, as xCAT's ipmi dialect has it (`on`, `off`, `reset`, …).
    pub word: &'static str,
    /// False when the node was in the wanted state already; its status is then left alone.
    pub changed: bool,
    /// True where the node is only on its way: a container runs at once, a server boots for minutes.
    pub under_way: bool,
    /// What the operator should know, such as that a process had to be killed.
    pub warning: Option<String>,
}
