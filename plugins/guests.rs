//! Guests: nodes that exist because we made them (containers now, virtual machines later).

use std::net::IpAddr;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;
use tables::Node;

use crate::{Digest, Reference, Result, Vitals};

/// The columns that choose the driver, first set one wins.
pub(crate) const COLUMNS: [&str; 2] = ["power", "mgt"];

/// Makes, changes, removes and lists guests.
#[async_trait]
pub trait Guests: Send + Sync {
    /// Checks the definition without touching any host; `mkvm` checks every node before it makes the first.
    fn check(&self, node: &Node) -> Result<()>;

    /// The guest's ports in networks that it shares with other nodes, its own first; asks no host.
    fn ports(&self, node: &Node) -> Result<Vec<Port>>;

    /// What the guest is made from, as its definition has it; asks no host. None where no registry could know it.
    fn image(&self, node: &Node) -> Result<Option<WantedImage>>;

    /// Makes the guest, stopped. An equal one is success, a different one [`crate::Error::Differs`] unless `force`.
    async fn create(&self, node: &Node, force: bool) -> Result<Created>;

    /// Removes the guest; a running one only with `force`. `purge` removes its anonymous storage as well. One that is
    /// not there is [`crate::Error::Absent`].
    async fn remove(&self, node: &Node, force: bool, purge: bool) -> Result<()>;

    /// Makes an existing guest equal to its definition: live where the backend can (cpus, memory, restart policy). What
    /// would need a new guest is [`crate::Error::Differs`] unless `recreate`.
    async fn change(&self, node: &Node, recreate: bool) -> Result<Changed>;

    /// What `host` carries, running or not.
    async fn list(&self, host: &Node) -> Result<Vec<Guest>>;

    /// The last lines a guest has written, oldest first; all of them when `lines` is None.
    async fn log(&self, node: &Node, lines: Option<usize>) -> Result<String>;

    /// In what a guest differs from its definition, in the words of the tables; nothing for an equal one.
    async fn differences(&self, node: &Node) -> Result<Vec<String>>;

    /// How a guest fares at this moment.
    async fn vitals(&self, node: &Node) -> Result<Vitals>;

    /// One guest, in ordered `label: value` pairs for people and whole for scripts.
    async fn inspect(&self, node: &Node) -> Result<GuestState>;
}

/// A port of a guest, as its definition has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// As table nics calls it.
    pub name: String,
    pub network: String,
    pub addresses: Vec<IpAddr>,
    pub mac: Option<String>,
}

/// What a guest is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedImage {
    /// As the definition names it, with its tag.
    pub named: Reference,
    /// What is taken whatever the tag means; None before the node is pinned.
    pub digest: Option<Digest>,
}

/// How `create` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    Created,
    Unchanged,
    Recreated,
}

/// How `change` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    Unchanged,
    Live,
    Recreated,
}

/// A line of `lsvm HOST`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guest {
    pub name: String,
    /// The backend's own word, such as `running`.
    pub state: String,
    /// As the guest was made from it.
    pub image: String,
    /// The backend's own name for the content of that.
    pub image_id: String,
    pub ip: Option<String>,
    /// The backend's own name for it.
    pub id: String,
    pub command: String,
    /// Seconds since 1970.
    pub created: i64,
    /// For people, such as `Up 12 minutes`.
    pub status: String,
    /// True when the host's guest was made by us.
    pub managed: bool,
}

/// The details of one guest.
#[derive(Debug, Clone, PartialEq)]
pub struct GuestState {
    pub lines: Vec<(&'static str, String)>,
    pub raw: Value,
}
