//! Does a server answer, and with what.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use tables::Node;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::echo::echo;
use super::{Ssh, target_of};
use crate::{Error, Reach, Reached, Result};

#[async_trait]
impl Reach for Ssh {
    async fn reach(&self, node: &Node) -> Result<Reached> {
        let settings = self.connections.settings();
        let limit = settings.connect_limit;
        let target = target_of(node, None, settings)?;
        let Some(address) = resolve(&target.host, target.port).await? else { return Ok(Reached::Nothing) };
        // Asked at the same time: a node that is down costs one limit, not two.
        let (ssh, ping) = tokio::join!(timeout(limit, TcpStream::connect(address)), timeout(limit, echo(address.ip())));
        Ok(match (ssh, ping) {
            (Ok(Ok(_)), _) => Reached::Sshd,
            (_, Ok(Ok(()))) => Reached::Ping,
            // Someone at that address refused: it is there.
            (Ok(Err(error)), _) if error.kind() == io::ErrorKind::ConnectionRefused => Reached::Ping,
            _ => Reached::Nothing,
        })
    }
}

async fn resolve(host: &str, port: u16) -> Result<Option<SocketAddr>> {
    let unreachable = |source: io::Error| Error::Unreachable { what: format!("host {host}"), source: source.into() };
    Ok(tokio::net::lookup_host((host, port)).await.map_err(unreachable)?.next())
}
