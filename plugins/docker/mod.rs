//! Backend `docker`: a node is a container on a Docker host.
//!
//! Reading order: `definition` (attributes → what shall be), `body` (→ what the engine is sent), `compare` (what is
//! against what shall be), `places` (the same for its networks), `endpoint`, `wire`, `version` and `engine` (how a host's
//! engine is reached), then one file a capability.

mod answer;
mod body;
mod compare;
mod console;
mod definition;
mod endpoint;
mod engine;
mod engines;
mod exec;
mod fabric;
mod fields;
mod files;
mod frames;
mod guests;
mod handle;
mod host;
mod images;
mod listing;
mod moment;
mod networks;
mod places;
mod power;
mod program;
mod reach;
mod stream;
mod survey;
mod tasks;
mod version;
mod vitals;
mod wire;

use std::sync::Arc;

use tables::Node;
use tokio_util::task::TaskTracker;

pub(crate) use self::endpoint::{login_of, tls_place};
use self::engine::Engine;
use self::engines::Engines;
pub use self::fields::HOSTS_FILE;
use crate::networks::EngineNetworks;
use crate::networks::survey::EngineSurvey;
use crate::ssh::Connections;
use crate::{Backend, Console, Exec, Files, Guests, Hosts, Power, Progress, Reach, Result, Tasks};

/// The word in the `mgt` column.
const NAME: &str = "docker";

/// Whether a node is a container, and no host.
pub fn is_container(node: &Node) -> bool {
    node.get("mgt") == Some(NAME)
}

/// Containers on Docker hosts; connects to a host when the first of its nodes is asked for.
pub(crate) struct Docker {
    engines: Engines,
    progress: Progress,
}

impl Docker {
    /// The backend over connections that others share.
    pub(crate) fn new(connections: Arc<Connections>, progress: &Progress, endings: &TaskTracker) -> Self {
        Self { engines: Engines::new(connections, endings), progress: progress.clone() }
    }

    /// The engine that carries `node`.
    async fn engine(&self, node: &Node) -> Result<Arc<Engine>> {
        self.engines.of(endpoint::host_of(node)?).await
    }
}

impl Backend for Docker {
    fn name(&self) -> &'static str {
        NAME
    }

    fn power(&self) -> Option<&dyn Power> {
        Some(self)
    }

    fn console(&self) -> Option<&dyn Console> {
        Some(self)
    }

    fn exec(&self) -> Option<&dyn Exec> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self)
    }

    fn reach(&self) -> Option<&dyn Reach> {
        Some(self)
    }

    fn guests(&self) -> Option<&dyn Guests> {
        Some(self)
    }

    fn images(&self) -> Option<&dyn crate::Images> {
        Some(self)
    }

    fn networks(&self) -> Option<&dyn EngineNetworks> {
        Some(self)
    }

    fn survey(&self) -> Option<&dyn EngineSurvey> {
        Some(self)
    }

    fn hosts(&self) -> Option<&dyn Hosts> {
        Some(self)
    }

    fn tasks(&self) -> Option<&dyn Tasks> {
        Some(self)
    }
}
