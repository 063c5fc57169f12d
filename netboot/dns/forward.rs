//! Questions that are not ours, asked of others: the message as it came, under a number of our own.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tracing::debug;

use super::answer;

/// How long one of them is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many are asked in turn.
const ASKED: usize = 3;
/// More than anybody sends who heeds what the client has said.
const LONGEST: usize = 4096;

/// What others say to that message, whose question is `query`; that they say nothing is an answer too.
pub(super) async fn ask(bytes: &[u8], query: &Message, forwarders: &[SocketAddr], tcp: bool) -> Option<Vec<u8>> {
    for forwarder in forwarders.iter().take(ASKED) {
        // Nobody can guess it who does not see it, nor the port that the kernel chooses.
        let [high, low, ..] = RandomState::new().hash_one(forwarder).to_be_bytes();
        let mut question = bytes.to_vec();
        question[..2].copy_from_slice(&[high, low]);
        let asking = async {
            if tcp { by_tcp(&question, query, *forwarder).await } else { by_udp(&question, query, *forwarder).await }
        };
        match timeout(PATIENCE, asking).await {
            Ok(Ok(mut reply)) if tcp || reply.len() <= answer::room(query) => {
                reply[..2].copy_from_slice(&bytes[..2]);
                return Some(reply);
            }
            Ok(Ok(_)) => return answer::failed(query, ResponseCode::NoError, true),
            Ok(Err(error)) => debug!(%forwarder, %error, "dns: another server is not reached"),
            Err(_) => debug!(%forwarder, "dns: another server does not answer"),
        }
    }
    answer::failed(query, ResponseCode::ServFail, false)
}

async fn by_udp(question: &[u8], query: &Message, forwarder: SocketAddr) -> io::Result<Vec<u8>> {
    let any: IpAddr = if forwarder.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(forwarder).await?;
    if socket.local_addr()?.ip() == forwarder.ip() && !forwarder.ip().is_loopback() {
        return Err(io::Error::other("it is this machine itself"));
    }
    socket.send(question).await?;
    let mut reply = vec![0; LONGEST];
    loop {
        let length = socket.recv(&mut reply).await?;
        if is_answer(&reply[..length], question, query) {
            reply.truncate(length);
            return Ok(reply);
        }
    }
}

async fn by_tcp(question: &[u8], query: &Message, forwarder: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(forwarder).await?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let mut reply = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut reply).await?;
    if is_answer(&reply, question, query) { Ok(reply) } else { Err(io::Error::other("it answers something else")) }
}

/// Whether these bytes answer that question: anybody may have sent them.
pub(super) fn is_answer(reply: &[u8], question: &[u8], query: &Message) -> bool {
    let Ok(reply) = Message::from_vec(reply) else { return false };
    reply.metadata.message_type == MessageType::Response
        && reply.metadata.id.to_be_bytes() == question[..2]
        && reply.queries == query.queries
}
