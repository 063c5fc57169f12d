//! ICMP echo (RFC 792, RFC 4443): the codec, and one question over a socket of the kernel's.
//!
//! An unprivileged ping socket is tried first, a raw one where the kernel allows no ping sockets. Raw IPv4 replies come with
//! their IP header, ping sockets and IPv6 without.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use tokio::net::UdpSocket;

/// What we send and look for in the reply, so that another program's echo is not taken for ours.
const PAYLOAD_LENGTH: usize = 16;

/// Returns when `ip` has answered; the caller sets the time limit.
pub(crate) async fn echo(ip: IpAddr) -> io::Result<()> {
    let payload = payload();
    // Not UDP, but the kernel sends and receives on it by the same calls.
    let socket = UdpSocket::from_std(open(ip)?.into())?;
    socket.send_to(&request(ip, &payload), (ip, 0)).await?;
    let mut buffer = [0; 256];
    loop {
        let (length, _) = socket.recv_from(&mut buffer).await?;
        if is_reply(ip, &buffer[..length], &payload) {
            return Ok(());
        }
    }
}

fn open(ip: IpAddr) -> io::Result<OwnedFd> {
    let (family, protocol) = match ip {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6),
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let unprivileged = socket(family, SockType::Datagram, flags, protocol);
    Ok(unprivileged.or_else(|_| socket(family, SockType::Raw, flags, protocol))?)
}

/// Unlike any other program's and any other call's of this one.
fn payload() -> [u8; PAYLOAD_LENGTH] {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since_boot = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let unique = (u64::from(std::process::id()) << 32) ^ since_boot.as_nanos() as u64;
    let mut payload = [0; PAYLOAD_LENGTH];
    payload[..8].copy_from_slice(&unique.to_be_bytes());
    payload[8..].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    payload
}

/// type(1) code(1) checksum(2) identifier(2) sequence(2) payload
fn request(ip: IpAddr, payload: &[u8]) -> Vec<u8> {
    let kind = if ip.is_ipv4() { 8 } else { 128 };
    let mut packet = vec![kind, 0, 0, 0, 0, 0, 0, 1];
    packet.extend_from_slice(payload);
    // The kernel fills in the checksum of ICMPv6, which covers addresses that it chooses.
    if ip.is_ipv4() {
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

fn is_reply(ip: IpAddr, packet: &[u8], payload: &[u8]) -> bool {
    let kind = if ip.is_ipv4() { 0 } else { 129 };
    let bare = |packet: &[u8]| packet.len() >= 8 && packet[0] == kind && &packet[8..] == payload;
    // An IPv4 header begins with version 4 and its own length in words; an echo reply begins with type 0.
    let header =
        packet.first().filter(|first| ip.is_ipv4() && **first >> 4 == 4).map(|first| usize::from(first & 15) * 4);
    header.map_or_else(|| bare(packet), |length| packet.get(length..).is_some_and(bare))
}

/// RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_and_its_reply_is_known() {
        let v4: IpAddr = "127.0.0.1".parse().unwrap();
        let packet = request(v4, b"abcd");
        assert_eq!(checksum(&packet), 0, "a packet with its checksum sums to zero");
        let mut reply = packet.clone();
        reply[0] = 0;
        assert!(is_reply(v4, &reply, b"abcd"));
        assert!(!is_reply(v4, &reply, b"abce"));
        assert!(!is_reply(v4, &packet, b"abcd"), "our own request");
        let mut raw = vec![0x45; 20];
        raw.extend(&reply);
        assert!(is_reply(v4, &raw, b"abcd"));
        assert!(!is_reply(v4, &[0x4f; 10], b"abcd"), "a header longer than the packet");
        assert!(!is_reply(v4, &[], b"abcd"));
    }

    #[tokio::test]
    async fn loopback_answers() {
        let answer = tokio::time::timeout(std::time::Duration::from_secs(5), echo("127.0.0.1".parse().unwrap()));
        answer.await.expect("within five seconds").unwrap();
    }
}
