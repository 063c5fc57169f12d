//! Datagrams with the address of ours that they were sent to, which is the one to answer from: a client takes no answer
//! from another one, and a server may have several.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::libc;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A datagram that came in.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) bytes: Vec<u8>,
    pub(crate) peer: SocketAddr,
    /// Which of our addresses it was sent to, where one can answer from that.
    pub(crate) ours: Option<IpAddr>,
}

/// Has the kernel say with each datagram where it was sent to.
pub(crate) fn name_ours(socket: &UdpSocket) -> io::Result<()> {
    match socket.local_addr()? {
        SocketAddr::V4(_) => setsockopt(socket, Ipv4PacketInfo, &true)?,
        SocketAddr::V6(_) => setsockopt(socket, Ipv6RecvPacketInfo, &true)?,
    }
    Ok(())
}

/// The next datagram, cut off at that length.
pub(crate) async fn hear(socket: &UdpSocket, longest: usize) -> io::Result<Heard> {
    socket.async_io(Interest::READABLE, || receive(socket, longest)).await
}

fn receive(socket: &UdpSocket, longest: usize) -> io::Result<Heard> {
    let mut bytes = vec![0; longest];
    let mut control = nix::cmsg_space!([u8; 64]);
    let mut room = [IoSliceMut::new(&mut bytes)];
    let received =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut room, Some(&mut control), MsgFlags::MSG_DONTWAIT)?;
    let peer = received.address.as_ref().and_then(|from| {
        let v4 = from.as_sockaddr_in().map(|from| SocketAddr::V4((*from).into()));
        v4.or_else(|| from.as_sockaddr_in6().map(|from| SocketAddr::V6((*from).into())))
    });
    let ours = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(IpAddr::V4(u32::from_be(info.ipi_spec_dst.s_addr).into())),
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(IpAddr::V6(info.ipi6_addr.s6_addr.into())),
        _ => None,
    });
    let length = received.bytes;
    let peer = peer.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a packet without a sender"))?;
    bytes.truncate(length);
    Ok(Heard { bytes, peer, ours: ours.filter(|ours| can_answer(*ours)) })
}

/// Sends a datagram from that address of ours; the kernel chooses where there is none. What it cannot take now is lost, as
/// any datagram may be.
pub(crate) fn answer(socket: &UdpSocket, bytes: &[u8], peer: SocketAddr, ours: Option<IpAddr>) -> io::Result<()> {
    let source = match ours {
        Some(IpAddr::V4(ours)) => Some(libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr { s_addr: u32::from(ours).to_be() },
            ipi_addr: libc::in_addr { s_addr: 0 },
        }),
        _ => None,
    };
    let control: Vec<ControlMessage<'_>> = source.iter().map(ControlMessage::Ipv4PacketInfo).collect();
    let peer = SockaddrStorage::from(peer);
    let sent = sendmsg(socket.as_raw_fd(), &[IoSlice::new(bytes)], &control, MsgFlags::MSG_DONTWAIT, Some(&peer));
    sent.map(drop).map_err(io::Error::from)
}

/// A group is nobody's own address, and one of the link alone wants to know the link; the kernel knows better there.
fn can_answer(ours: IpAddr) -> bool {
    let of_link = matches!(ours, IpAddr::V6(ours) if ours.is_unicast_link_local());
    !ours.is_unspecified() && !ours.is_multicast() && !of_link
}
