//! The engines that this program has connected to: one connection a host, whoever asks first makes it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tables::Node;
use tokio::sync::OnceCell;
use tokio_util::task::TaskTracker;

use super::endpoint::{Endpoint, endpoint_of};
use super::engine::Engine;
use super::images::{Firsts, Nearby};
use crate::ssh::Connections;
use crate::{Error, Result};

/// A failed connect is kept as well, so that a dead host costs one time limit and not one for each of its nodes.
type Connected = OnceCell<std::result::Result<Arc<Engine>, Arc<Error>>>;

pub(super) struct Engines {
    connections: Arc<Connections>,
    endings: TaskTracker,
    hosts: Mutex<HashMap<(String, Endpoint), Arc<Connected>>>,
    firsts: Arc<Firsts>,
}

impl Engines {
    pub(super) fn new(connections: Arc<Connections>, endings: &TaskTracker) -> Self {
        Self { connections, endings: endings.clone(), hosts: Mutex::default(), firsts: Arc::default() }
    }

    /// Checks the endpoint of a host without connecting to it.
    pub(super) fn check(&self, host: &Node) -> Result<()> {
        endpoint_of(host, self.connections.settings()).map(drop)
    }

    /// The engine of a host node.
    pub(super) async fn of(&self, host: &Node) -> Result<Arc<Engine>> {
        let endpoint = endpoint_of(host, self.connections.settings())?;
        let cell = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            hosts.entry((host.name().to_owned(), endpoint.clone())).or_default().clone()
        };
        let nearby = || Nearby::of(host, &self.connections.settings().mirrors, &self.firsts);
        let connect = async || {
            let engine = Engine::open(host.name(), &endpoint, &self.connections, &self.endings, nearby()).await;
            engine.map(Arc::new).map_err(Arc::new)
        };
        cell.get_or_init(connect).await.clone().map_err(|error| error.again())
    }
}
