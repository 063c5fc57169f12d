//! A few UDP sockets for all BMCs: who an answer is for is told by the number of its session, outside of sessions by the
//! address it comes from.
//!
//! What is sent to an address that nobody has stays in its socket's buffer for seconds, while the kernel asks who has it. So
//! that hundreds of these do not keep the others waiting, each socket has a share of the addresses.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use super::packet::Packet;
use super::plain;
use crate::secret::random_bytes;
use crate::{Error, Result};

/// Sockets for each of IPv4 and IPv6.
const SHARES: u16 = 32;
/// Thousands answer at once, and hundreds may not be there; what the kernel cannot keep until we read it is lost.
const BUFFER: usize = 8 << 20;
/// How long a packet may wait for room in the buffer.
const ROOM: Duration = Duration::from_millis(20);
/// Larger than any packet of a BMC.
const LARGEST: usize = 2048;
/// Answers that may wait for one session.
const WAITING: usize = 16;

/// The sockets, made on first use.
#[derive(Default)]
pub(super) struct Wire(Mutex<HashMap<Share, Arc<Socket>>>);

/// Whose socket: whether of IPv6, and which of [`SHARES`].
type Share = (bool, u16);

impl Wire {
    /// A line to a BMC, with a number for the session that nothing else uses.
    pub(super) fn line(&self, peer: SocketAddr) -> Result<Line> {
        self.socket(peer)?.line(peer)
    }

    /// A line to a BMC outside of any session; there is one at a time.
    pub(super) fn plain(&self, peer: SocketAddr) -> Result<Line> {
        Ok(self.socket(peer)?.plain(peer))
    }

    fn socket(&self, peer: SocketAddr) -> Result<Arc<Socket>> {
        let any: SocketAddr = match peer {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        Ok(match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(share(peer)) {
            Entry::Occupied(kept) => kept.get().clone(),
            Entry::Vacant(place) => {
                let opened = Socket::open(any).map_err(|source| cannot_send(peer, source))?;
                place.insert(Arc::new(opened)).clone()
            }
        })
    }
}

/// Neighbours have different ones, as have many at one address.
fn share(peer: SocketAddr) -> Share {
    let last = match peer.ip() {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(ip) => ip.octets()[15],
    };
    (peer.is_ipv6(), peer.port().wrapping_add(last.into()) % SHARES)
}

fn cannot_send(peer: SocketAddr, source: std::io::Error) -> Error {
    Error::Unreachable { what: format!("BMC {}", peer.ip()), source: source.into() }
}

type Inboxes = Arc<Mutex<HashMap<Whose, Inbox>>>;

/// What tells whose an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    Session(u32),
    Peer(IpAddr, u16),
}

struct Inbox {
    peer: SocketAddr,
    sender: mpsc::Sender<Vec<u8>>,
}

struct Socket {
    udp: Arc<UdpSocket>,
    inboxes: Inboxes,
    reader: AbortHandle,
}

impl Socket {
    fn open(any: SocketAddr) -> std::io::Result<Self> {
        let socket = std::net::UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        // The first of them needs root, the second goes as far as the machine allows; a small buffer only costs retries.
        if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &BUFFER).ok();
        }
        if setsockopt(&socket, sockopt::SndBufForce, &BUFFER).is_err() {
            setsockopt(&socket, sockopt::SndBuf, &BUFFER).ok();
        }
        let udp = Arc::new(UdpSocket::from_std(socket)?);
        let inboxes = Inboxes::default();
        let reader = tokio::spawn(sort(udp.clone(), inboxes.clone())).abort_handle();
        Ok(Self { udp, inboxes, reader })
    }

    fn line(self: Arc<Self>, peer: SocketAddr) -> Result<Line> {
        let (sender, inbox) = mpsc::channel(WAITING);
        let mut inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        let console = loop {
            let number = u32::from_le_bytes(random_bytes()?);
            // 0 stands for: no session.
            if number != 0 && !inboxes.contains_key(&Whose::Session(number)) {
                break number;
            }
        };
        let whose = Whose::Session(console);
        inboxes.insert(whose, Inbox { peer, sender });
        drop(inboxes);
        Ok(Line { socket: self, peer, whose, console, inbox })
    }

    fn plain(self: Arc<Self>, peer: SocketAddr) -> Line {
        let (sender, inbox) = mpsc::channel(WAITING);
        let whose = Whose::Peer(peer.ip(), peer.port());
        let mut inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        inboxes.insert(whose, Inbox { peer, sender });
        drop(inboxes);
        Line { socket: self, peer, whose, console: 0, inbox }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Puts what comes in into the inboxes; what belongs to nobody is dropped.
async fn sort(udp: Arc<UdpSocket>, inboxes: Inboxes) {
    let mut buffer = vec![0; LARGEST];
    loop {
        let (length, from) = match udp.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                // Such as an ICMP message about somebody who was sent to before.
                debug!(%error, "ipmi socket");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let bytes = &buffer[..length];
        let whose = match Packet::read(bytes).and_then(|packet| packet.console()) {
            Some(console) => Whose::Session(console),
            None if plain::read(bytes).is_some() => Whose::Peer(from.ip(), from.port()),
            None => continue,
        };
        let inboxes = inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inbox) = inboxes.get(&whose)
            && (inbox.peer.ip(), inbox.peer.port()) == (from.ip(), from.port())
        {
            // A full inbox is as good as a lost packet, which is asked for again.
            inbox.sender.try_send(bytes.to_vec()).ok();
        }
    }
}

/// The way to one BMC for one session, or for what is said outside of any.
pub(super) struct Line {
    socket: Arc<Socket>,
    pub(super) peer: SocketAddr,
    whose: Whose,
    /// Our number for the session; 0 outside of one.
    pub(super) console: u32,
    inbox: mpsc::Receiver<Vec<u8>>,
}

impl Line {
    /// Sends a packet; what is full now is as good as a lost packet, a missing route is an error.
    pub(super) async fn send(&self, bytes: &[u8]) -> Result<()> {
        use std::io::ErrorKind;
        let Ok(sent) = timeout(ROOM, self.socket.udp.send_to(bytes, self.peer)).await else {
            debug!(bmc = %self.peer, "not sent: no room");
            return Ok(());
        };
        match sent {
            Ok(_) => Ok(()),
            Err(error) => match error.kind() {
                ErrorKind::NetworkUnreachable | ErrorKind::PermissionDenied | ErrorKind::InvalidInput => {
                    Err(cannot_send(self.peer, error))
                }
                _ => {
                    debug!(bmc = %self.peer, %error, "not sent");
                    Ok(())
                }
            },
        }
    }

    /// The next packet from this BMC; None when there is none until then.
    pub(super) async fn receive(&mut self, until: Instant) -> Option<Vec<u8>> {
        timeout_at(until, self.inbox.recv()).await.ok().flatten()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.socket.inboxes.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.whose);
    }
}
