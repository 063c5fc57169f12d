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
mod power;
mod reach;
mod wire;

use std::sync::Arc;

use tables::Node;
use tokio_util::task::TaskTracker;

use crate::{Backend, Error, Exec, Files, Power, Reach, Result, Settings};

pub use connection::{Connection, Target};
pub use connections::Connections;
pub use pipe::{Exit, Process, Reader, Stream, Waiter, Writer};

/// The word in the `mgt` column, and the backend of every node that no other one enters.
pub(crate) const NAME: &str = "ssh";

/// Where an sshd listens unless its node says otherwise.
pub(crate) const PORT: u16 = 22;

/// Servers that run an sshd.
pub(crate) struct Ssh {
    connections: Arc<Connections>,
    /// Programs being ended whose caller has left.
    endings: TaskTracker,
}

impl Ssh {
    /// The backend over connections that others share.
    pub(crate) fn new(connections: Arc<Connections>, endings: &TaskTracker) -> Self {
        Self { connections, endings: endings.clone() }
    }

    async fn connect(&self, node: &Node, user: Option<&str>) -> Result<Arc<Connection>> {
        self.connections.get(&target_of(node, user, self.connections.settings())?).await
    }
}

/// Where a node's own sshd is and who logs in there: `user`, else the node's, else the site's.
pub(crate) fn target_of(node: &Node, user: Option<&str>, settings: &Settings) -> Result<Target> {
    let port = match node.get("sshport") {
        None => PORT,
        Some(text) => text.parse().ok().filter(|&port| port > 0).ok_or_else(|| Error::Definition {
            attribute: "sshport".into(),
            why: format!("'{text}' of '{}' is not a port; it takes 1 to 65535", node.name()),
        })?,
    };
    let user = user.or(node.get("sshuser")).unwrap_or(&settings.ssh_user);
    Ok(Target { user: user.into(), host: node.get("ip").unwrap_or(node.name()).into(), port })
}

impl Backend for Ssh {
    fn name(&self) -> &'static str {
        NAME
    }

    fn power(&self) -> Option<&dyn Power> {
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
}

#[cfg(test)]
mod tests;
