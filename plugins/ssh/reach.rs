//! Does a server answer, and with what.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use tables::Node;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::echo::echo;
use super::{Ssh, target_of};
use crate::{Error, Reach, Reached, Result};

/// What an ssh server may say before it names its protocol.
const LONGEST_GREETING: u64 = 16 << 10;

#[async_trait]
impl Reach for Ssh {
    async fn reach(&self, node: &Node) -> Result<Reached> {
        let settings = self.connections.settings();
        let limit = settings.connect_limit;
        let target = target_of(node, None, settings)?;
        let Some(address) = resolve(&target.host, target.port).await? else { return Ok(Reached::Nothing) };
        // Asked at the same time: a node that is down costs one limit, not two.
        let (knocked, ping) = tokio::join!(knock(address, Instant::now() + limit), timeout(limit, echo(address.ip())));
        Ok(if matches!(ping, Ok(Ok(()))) { knocked.max(Reached::Ping) } else { knocked })
    }
}

/// What listens at that address, by what it has said until `end`.
async fn knock(address: SocketAddr, end: Instant) -> Reached {
    match timeout_at(end, TcpStream::connect(address)).await {
        // Whatever has the port, or refuses it: somebody is at that address.
        Ok(Ok(stream)) => match timeout_at(end, greets(stream)).await {
            Ok(true) => Reached::Sshd,
            Ok(false) | Err(_) => Reached::Ping,
        },
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Reached::Ping,
        _ => Reached::Nothing,
    }
}

/// Whether it says that it speaks ssh; lines of other text may come before that (RFC 4253, section 4.2).
async fn greets(stream: impl AsyncRead + Unpin) -> bool {
    let mut lines = BufReader::new(stream.take(LONGEST_GREETING)).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        if line.starts_with(b"SSH-") {
            return true;
        }
    }
    false
}

async fn resolve(host: &str, port: u16) -> Result<Option<SocketAddr>> {
    let unreachable = |source: io::Error| Error::Unreachable { what: format!("host {host}"), source: source.into() };
    Ok(tokio::net::lookup_host((host, port)).await.map_err(unreachable)?.next())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// How far one gets to what listens and says that, and then waits.
    async fn reached(greeting: &'static [u8]) -> Reached {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(greeting).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.ok();
        });
        let reached = knock(address, Instant::now() + Duration::from_millis(500)).await;
        server.await.unwrap();
        reached
    }

    #[tokio::test]
    async fn only_what_says_so_is_an_ssh_server() {
        assert_eq!(reached(b"SSH-2.0-OpenSSH_9.2p1\r\n").await, Reached::Sshd);
        assert_eq!(reached(b"for members only\r\nSSH-2.0-x\r\n").await, Reached::Sshd);
        assert_eq!(reached(b"HTTP/1.1 400 Bad Request\r\n\r\n").await, Reached::Ping);
        assert_eq!(reached(b"").await, Reached::Ping, "it has the port, and says nothing");
        assert_eq!(reached(&[b'x'; 20_000]).await, Reached::Ping);
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(knock(nobody, Instant::now() + Duration::from_secs(5)).await, Reached::Ping, "it refuses");
    }
}
