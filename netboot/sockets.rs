//! Sockets that hear one interface only, and its addresses.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use ipnetwork::{IpNetwork, Ipv4Network};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

use crate::interfaces;

/// Room for the packets of a thousand machines that are switched on together.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Connections that wait to be taken; the kernel makes it less where its own limit is.
const WAITING: i32 = 4096;

/// A socket for UDP that hears what comes in through `interface`, broadcasts too, and sends through that only. To be
/// called inside of a runtime. A port that another program has is an error: two servers would take each other's packets.
pub fn udp(interface: &str, port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM.nonblocking().cloexec(), None)?;
    socket.set_broadcast(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    // More than the system's limit takes a privilege; without it there is as much as the limit allows.
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    UdpSocket::from_std(socket.into())
}

/// A listener for TCP that hears what comes in through `interface`, and answers through that only. To be called inside of
/// a runtime.
pub fn tcp(interface: &str, port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking().cloexec(), None)?;
    // Connections of the process before this one may still be ending.
    socket.set_reuse_address(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    socket.listen(WAITING)?;
    TcpListener::from_std(socket.into())
}

/// The IPv4 addresses of an interface with their networks, in the kernel's order; none where there is no such interface.
pub fn addresses(interface: &str) -> io::Result<Vec<Ipv4Network>> {
    let all = getifaddrs()?.filter(|address| address.interface_name == interface);
    let v4 = all.filter_map(|address| match interfaces::address(&address)? {
        IpNetwork::V4(network) => Some(network),
        IpNetwork::V6(_) => None,
    });
    Ok(v4.collect())
}
