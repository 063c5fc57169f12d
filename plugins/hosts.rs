//! Hosts: what a machine that carries guests says of itself.

use async_trait::async_trait;
use serde::Serialize;
use tables::Node;

use crate::Result;

/// Tells about hosts; the driver is chosen as for listing guests.
#[async_trait]
pub trait Hosts: Send + Sync {
    /// What the host's engine is and how it is set up.
    async fn state(&self, host: &Node) -> Result<HostState>;

    /// What it carries, with what matters when the host goes down and comes up again.
    async fn carried(&self, host: &Node) -> Result<Vec<Carried>>;
}

/// The engine of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostState {
    pub engine: String,
    pub api: String,
    pub running: usize,
    pub guests: usize,
    pub storage_driver: String,
    /// Guests go on while the engine restarts.
    pub live_restore: bool,
    pub swarm: bool,
    pub data_root: String,
    /// Pools of the engine's own networks, as `172.20.0.0/16:24`; empty for its built-in ones.
    pub pools: Vec<String>,
}

/// A guest as its host has to deal with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Carried {
    pub name: String,
    pub running: bool,
    /// True when it was made by us.
    pub managed: bool,
    /// The engine's own word, such as `unless-stopped`.
    pub restart: String,
    /// Seconds from the request to stop to the kill.
    pub stop_timeout: u64,
}
