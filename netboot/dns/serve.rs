//! Sockets and limits of the DNS server.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::answer::{Asked, Said, answer};
use super::forward;
use super::names::Names;
use crate::datagrams::{self, Heard};
use crate::limit::Limit;
use crate::live::Live;

/// Where it is asked.
pub const PORT: u16 = 53;

/// A question with whatever a client may add to it.
const LONGEST: usize = 4096;
/// Of one client: questions at once and each further; the same for those that others are asked for.
const AT_ONCE: u32 = 2000;
const EACH: Duration = Duration::from_millis(1);
const FORWARDS_AT_ONCE: u32 = 50;
const FORWARDS_EACH: Duration = Duration::from_millis(20);
/// Questions that others are asked at a time, of all clients of an interface.
const FORWARDS: usize = 1024;
/// Connections at once, of all and of one.
const CONNECTIONS: usize = 256;
const CONNECTIONS_OF_ONE: usize = 16;
/// How long a connection may say nothing, or take for an answer.
const IDLE: Duration = Duration::from_secs(10);
/// Before a socket that fails is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// What all interfaces share.
pub struct Server {
    began: Instant,
    names: Mutex<Live<Names>>,
    questions: Mutex<Limit<IpAddr>>,
    forwards: Mutex<Limit<IpAddr>>,
}

/// What is to be sent back.
enum Reply {
    Nothing,
    Now(Vec<u8>),
    Later(BoxFuture<'static, Option<Vec<u8>>>),
}

impl Server {
    /// A server of those names.
    pub fn new(names: Live<Names>) -> Self {
        Self {
            began: Instant::now(),
            names: Mutex::new(names),
            questions: Mutex::new(Limit::new(AT_ONCE, EACH)),
            forwards: Mutex::new(Limit::new(FORWARDS_AT_ONCE, FORWARDS_EACH)),
        }
    }

    fn allows(&self, limit: &Mutex<Limit<IpAddr>>, client: IpAddr) -> bool {
        limit.lock().unwrap_or_else(PoisonError::into_inner).allows(client, self.began.elapsed())
    }

    fn answer(&self, bytes: &[u8], client: IpAddr, ours: IpAddr, tcp: bool) -> Reply {
        if !self.allows(&self.questions, client) {
            debug!(%client, "dns: not answered, it asks too much");
            return Reply::Nothing;
        }
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner).now();
        let IpAddr::V4(ours) = ours else { return Reply::Nothing };
        // Whoever asks from elsewhere may be somebody who has us send answers to others.
        let asked = Asked { ours, forwards: names.has_network(client), tcp };
        match answer(bytes, &names, asked) {
            Said::Nothing => Reply::Nothing,
            Said::Answer(bytes) => Reply::Now(bytes),
            Said::Forward(_) if !self.allows(&self.forwards, client) => {
                debug!(%client, "dns: others are not asked, it asks too much");
                Reply::Nothing
            }
            Said::Forward(query) => {
                let bytes = bytes.to_vec();
                let asking = async move { forward::ask(&bytes, &query, &names.forwarders, tcp).await };
                Reply::Later(Box::pin(asking))
            }
        }
    }
}

/// Answers on a bound socket until `stop`.
///
/// # Errors
/// If the socket cannot be told to say which of our addresses was asked.
pub async fn serve_udp(socket: UdpSocket, server: Arc<Server>, stop: CancellationToken) -> io::Result<()> {
    datagrams::name_ours(&socket)?;
    let socket = Arc::new(socket);
    let mut later = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(_) = later.join_next() => {}
            heard = datagrams::hear(&socket, LONGEST) => match heard {
                Ok(Heard { bytes, peer, ours }) => {
                    let own = ours.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
                    match server.answer(&bytes, peer.ip(), own, false) {
                        Reply::Nothing => {}
                        Reply::Now(bytes) => send(&socket, &bytes, peer, ours),
                        Reply::Later(_) if later.len() >= FORWARDS => debug!(%peer, "dns: too much is asked of others"),
                        Reply::Later(asking) => {
                            let socket = socket.clone();
                            later.spawn(async move {
                                if let Some(bytes) = asking.await {
                                    send(&socket, &bytes, peer, ours);
                                }
                            });
                        }
                    }
                }
                Err(error) => {
                    warn!(%error, "dns: cannot receive");
                    sleep(PAUSE).await;
                }
            },
        }
    }
}

fn send(socket: &UdpSocket, bytes: &[u8], peer: SocketAddr, ours: Option<IpAddr>) {
    if let Err(error) = datagrams::answer(socket, bytes, peer, ours) {
        debug!(%peer, %error, "dns: cannot answer");
    }
}

/// Answers on a listener until `stop`.
///
/// # Errors
/// If the listener has no address.
pub async fn serve_tcp(listener: TcpListener, server: Arc<Server>, stop: CancellationToken) -> io::Result<()> {
    listener.local_addr()?;
    let mut running = JoinSet::new();
    let mut clients = HashMap::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()), // who asks anew is answered by the next
            Some(ended) = running.join_next_with_id() => {
                clients.remove(&match ended {
                    Ok((id, ())) => id,
                    Err(error) => error.id(),
                });
            }
            accepted = listener.accept(), if running.len() < CONNECTIONS => match accepted {
                Ok((stream, peer)) => {
                    if clients.values().filter(|client| **client == peer.ip()).count() >= CONNECTIONS_OF_ONE {
                        debug!(%peer, "dns: refused, it has too many connections");
                        continue;
                    }
                    let server = server.clone();
                    let started = running.spawn(async move {
                        if let Err(error) = connection(stream, peer, &server).await {
                            debug!(%peer, %error, "dns: connection ended");
                        }
                    });
                    clients.insert(started.id(), peer.ip());
                }
                Err(error) => {
                    warn!(%error, "dns: cannot accept");
                    sleep(PAUSE).await;
                }
            },
        }
    }
}

/// One question after the other, each behind its length (RFC 1035 §4.2.2, RFC 7766).
async fn connection(mut stream: TcpStream, peer: SocketAddr, server: &Server) -> io::Result<()> {
    let ours = stream.local_addr()?.ip();
    loop {
        let mut bytes = Vec::new();
        timeout(IDLE, async {
            bytes = vec![0; usize::from(stream.read_u16().await?)];
            stream.read_exact(&mut bytes).await
        })
        .await??;
        let reply = match server.answer(&bytes, peer.ip(), ours, true) {
            Reply::Nothing => return Ok(()),
            Reply::Now(bytes) => bytes,
            Reply::Later(asking) => asking.await.ok_or(io::ErrorKind::Other)?,
        };
        let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
        timeout(IDLE, stream.write_all(&[&length.to_be_bytes(), reply.as_slice()].concat())).await??;
    }
}
