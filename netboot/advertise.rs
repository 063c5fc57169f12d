//! The router advertisement that says that there is no router.
//!
//! iPXE asks for an IPv6 router before it goes on, and where nobody answers it waits some thirteen seconds (measured). An
//! advertisement of lifetime 0 without prefixes ends the wait and configures nothing (RFC 4861 §6.3.4).

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const SOLICITATION: u8 = 133;
const ADVERTISEMENT: u8 = 134;
/// Type, code, checksum (the kernel's), hop limit 0 (unspecified), flags, lifetime 0, reachable and retransmission time
/// (unspecified).
const NO_ROUTER: [u8; 16] = [ADVERTISEMENT, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// One advertisement is for everybody; more a second serve nobody.
const AT_MOST_EVERY: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(200);

/// A socket that hears the solicitations of one interface.
pub struct Advertiser {
    /// A raw socket; what tokio calls one of UDP sends and receives by the same calls.
    socket: UdpSocket,
    index: u32,
    interface: String,
}

impl Advertiser {
    /// Takes a privilege, as every raw socket. To be called inside of a runtime.
    pub fn open(interface: &str) -> io::Result<Self> {
        let index = if_nametoindex(interface)?;
        let kind = Type::RAW.nonblocking().cloexec();
        let socket = Socket::new(Domain::IPV6, kind, Some(Protocol::ICMPV6))?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.join_multicast_v6(&ALL_ROUTERS, index)?;
        socket.set_multicast_if_v6(index)?;
        // Who receives it checks that no router has passed it on.
        socket.set_multicast_hops_v6(255)?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, index, interface: interface.to_owned() })
    }

    /// Answers what comes in until it is told to stop.
    pub async fn serve(self, stop: CancellationToken) {
        let mut last: Option<Instant> = None;
        loop {
            let heard = tokio::select! {
                () = stop.cancelled() => return,
                heard = self.hear() => heard,
            };
            let answered = match heard {
                Ok(true) if last.is_none_or(|last| last.elapsed() >= AT_MOST_EVERY) => self.advertise(),
                Ok(_) => continue,
                Err(error) => Err(error),
            };
            last = Some(Instant::now());
            if let Err(error) = answered {
                tracing::warn!(interface = self.interface, %error, "no router advertisement");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Whether the next message is a solicitation; the kernel has checked its sum.
    async fn hear(&self) -> io::Result<bool> {
        let mut message = [0; 8];
        let length = self.socket.recv(&mut message).await?;
        Ok(length >= message.len() && message[..2] == [SOLICITATION, 0])
    }

    fn advertise(&self) -> io::Result<()> {
        let everybody = SocketAddrV6::new(ALL_NODES, 0, 0, self.index);
        self.socket.try_send_to(&NO_ROUTER, everybody.into()).map(drop)
    }
}
