//! ssh: connections to hosts, and the backend for servers.

mod channel;
mod connection;
mod connections;
mod driver;
mod echo;
mod exec;
mod files;
mod known_hosts;
mod login;
mod pipe;
mod reach;
mod wire;

use std::sync::Arc;

use tables::Node;

use crate::{Backend, Exec, Files, Reach, Result, Settings};

pub use connection::{Connection, Target};
pub use connections::Connections;
pub use pipe::{Exit, Process, Reader, Stream, Waiter, Writer};

/// The word in the `mgt` column, and the backend of every node that no other one enters.
pub(crate) const NAME: &str = "ssh";

/// Servers that run an sshd.
pub(crate) struct Ssh {
    settings: Settings,
    connections: Arc<Connections>,
    port: u16,
}

impl Ssh {
    /// The backend over connections that others may share.
    pub(crate) fn new(settings: &Settings, connections: Arc<Connections>) -> Self {
        Self { settings: settings.clone(), connections, port: 22 }
    }

    async fn connect(&self, node: &Node, user: Option<&str>) -> Result<Arc<Connection>> {
        self.connections.get(&self.target(node, user)).await
    }

    fn target(&self, node: &Node, user: Option<&str>) -> Target {
        Target {
            user: user.unwrap_or(&self.settings.ssh_user).into(),
            host: node.get("ip").unwrap_or(node.name()).into(),
            port: self.port,
        }
    }
}

impl Backend for Ssh {
    fn name(&self) -> &'static str {
        NAME
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
}

#[cfg(test)]
mod tests;
