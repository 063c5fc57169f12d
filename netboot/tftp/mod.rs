//! A TFTP server that only reads (RFC 1350, 2347, 2348, 2349, 7440), for firmware and for iPXE.
//!
//! Each transfer has a socket of its own, which is its half of the transfer's identity. It has the address that the client
//! has asked: a client takes no packets from another one, and a server may have several.

mod clients;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod options;
mod packet;
mod source;
mod transfer;
mod window;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::datagrams::{self, Heard};
use crate::events::{Event, Events, Kind, subject};
use crate::http::chain;
use crate::recent::Recent;
use crate::root::{Refused, Root};
use clients::Clients;
use options::Agreed;
use packet::{Mode, Packet, Request, code};
use source::Source;

/// Where firmware asks.
pub const PORT: u16 = 69;

/// A request fits into a frame of Ethernet.
const LONGEST_REQUEST: usize = 1500;
/// A loader that one machine loads is loaded by others at the same moment: so many of so many bytes are kept for that.
const LOADERS: usize = 8;
const LARGEST_LOADER: u64 = 1 << 20;
/// Before a socket that fails is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the files of `root` on a bound socket until `stop`, which ends transfers too: their clients begin anew.
///
/// # Errors
/// If the socket cannot be told to say which of our addresses was asked.
pub async fn serve(socket: UdpSocket, root: Root, events: Events, stop: CancellationToken) -> io::Result<()> {
    datagrams::name_ours(&socket)?;
    let device = socket.device()?;
    let told = Told { events, interface: String::from_utf8_lossy(device.as_deref().unwrap_or_default()).into() };
    let files = Arc::new(Files { root, recent: Recent::new(LOADERS, LARGEST_LOADER) });
    let mut server =
        Server { files, device, told, clients: Clients::default(), sessions: JoinSet::new(), peers: HashMap::new() };
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(ended) = server.sessions.join_next_with_id() => server.ended(match ended {
                Ok((id, ())) => id,
                Err(error) => error.id(),
            }),
            heard = datagrams::hear(&socket, LONGEST_REQUEST) => match heard {
                Ok(heard) => server.answer(heard),
                Err(error) => {
                    warn!(%error, "tftp: cannot receive");
                    sleep(PAUSE).await;
                }
            },
        }
    }
}

/// What is served, and what was just now.
struct Files {
    root: Root,
    recent: Recent,
}

struct Server {
    files: Arc<Files>,
    /// The interface that the server is bound to, if it is; answers leave by no other.
    device: Option<Vec<u8>>,
    told: Told,
    clients: Clients,
    sessions: JoinSet<()>,
    peers: HashMap<tokio::task::Id, SocketAddr>,
}

impl Server {
    fn answer(&mut self, Heard { bytes, peer, ours }: Heard) {
        let packet = packet::decode(&bytes);
        if !matches!(packet, Some(Packet::Read(_) | Packet::Write)) {
            return; // late packets of ended transfers, and whatever else finds the port
        }
        if !self.clients.admit(peer, Instant::now()) {
            return self.told.tell(peer, Kind::Limited, subject::TFTP, "");
        }
        let request = packet.and_then(|packet| match packet {
            Packet::Read(request) => Some(request),
            _ => None,
        });
        let own = Own { address: ours, device: self.device.clone() };
        let session = session(self.files.clone(), request, peer, own, self.told.clone());
        let told = self.told.clone();
        let started = self.sessions.spawn(async move {
            if timeout(clients::LONGEST, session).await.is_err() {
                told.tell(peer, Kind::Broken, subject::LOADER, "it takes too long");
            }
        });
        self.peers.insert(started.id(), peer);
    }

    fn ended(&mut self, id: tokio::task::Id) {
        if let Some(peer) = self.peers.remove(&id) {
            self.clients.ended(peer);
        }
    }
}

/// Whom sessions tell of their clients.
#[derive(Clone)]
struct Told {
    events: Events,
    interface: Arc<str>,
}

impl Told {
    fn tell(&self, peer: SocketAddr, kind: Kind, subject: &'static str, detail: impl std::fmt::Display) {
        self.events.tell(|| Event::new(&self.interface, kind, subject).from(peer.ip()).detail(detail));
    }
}

/// Where a session answers from.
struct Own {
    address: Option<IpAddr>,
    device: Option<Vec<u8>>,
}

/// Answers one request; without one the client wanted to write.
async fn session(files: Arc<Files>, request: Option<Request>, peer: SocketAddr, own: Own, told: Told) {
    let socket = match connected(peer, own).await {
        Ok(socket) => socket,
        Err(error) => return warn!(%peer, %error, "tftp: cannot answer"),
    };
    let Some(request) = request else {
        told.tell(peer, Kind::Absent, subject::LOADER, "writing refused");
        return refuse(&socket, code::DENIED, "this server is read-only").await;
    };
    let name = request.name.clone();
    let (source, request) = match source(files, request).await {
        Ok(found) => found,
        Err((code, why)) => {
            told.tell(peer, Kind::Absent, subject::LOADER, format_args!("{name}: {why}"));
            return refuse(&socket, code, &why).await;
        }
    };
    let (agreed, bytes) = (Agreed::on(&request, source.length), source.length);
    told.tell(peer, Kind::Begun, subject::LOADER, &name);
    let ended = transfer::send(&socket, source, &agreed).await;
    match &ended {
        Ok(()) => told.tell(peer, Kind::Sent, subject::LOADER, format_args!("{name}, {bytes} bytes")),
        Err(error) => told.tell(peer, Kind::Broken, subject::LOADER, format_args!("{name}: {}", chain(error))),
    }
    if let Err(transfer::Error::File(_)) = ended {
        refuse(&socket, code::OTHER, "the file cannot be read").await;
    }
}

async fn connected(peer: SocketAddr, own: Own) -> io::Result<UdpSocket> {
    let any = if peer.is_ipv4() { IpAddr::V4([0; 4].into()) } else { IpAddr::V6([0; 16].into()) };
    let socket = UdpSocket::bind((own.address.unwrap_or(any), 0)).await?;
    if own.device.is_some() {
        // Any program may since Linux 5.7, once.
        socket.bind_device(own.device.as_deref())?;
    }
    socket.connect(peer).await?;
    Ok(socket)
}

/// What is to be sent, or the error that the client is told.
async fn source(files: Arc<Files>, request: Request) -> Result<(Source, Request), (u16, String)> {
    let is_octet = request.mode == Mode::Octet;
    if let Some(small) = files.recent.find(&request.name).filter(|_| is_octet) {
        return Ok((Source::whole(small.bytes), request));
    }
    let open = move || -> Result<(Source, Request), (u16, String)> {
        let failed = |error: io::Error| (code::OTHER, error.to_string());
        let opened = files.root.open(&request.name).map_err(|refused| {
            let code = match refused {
                Refused::Absent => code::NOT_FOUND,
                Refused::Denied => code::DENIED,
                Refused::Failed(_) => code::OTHER,
            };
            (code, refused.to_string())
        })?;
        if is_octet && let Some(small) = files.recent.read(request.name.clone(), &opened).map_err(failed)? {
            return Ok((Source::whole(small.bytes), request));
        }
        Ok((Source::new(opened, request.mode).map_err(failed)?, request))
    };
    spawn_blocking(open).await.unwrap_or_else(|error| Err((code::OTHER, error.to_string())))
}

/// Says no. A client that misses it asks again.
async fn refuse(socket: &UdpSocket, code: u16, why: &str) {
    if let Err(error) = socket.send(&packet::error(code, why)).await {
        debug!(%error, "tftp: cannot refuse");
    }
}

#[cfg(test)]
mod tests;
