//! The loop that owns a socket of DHCP.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::packet::To;
use super::service::{Link, Service};

/// Where servers and relays listen.
pub const SERVER_PORT: u16 = 67;
/// Where firmware asks a server of boot files once more when it has an address.
pub const PROXY_PORT: u16 = 4011;
/// Where clients listen, and send from.
pub(super) const CLIENT_PORT: u16 = 68;
/// No packet of DHCP is longer; what is gets cut off and is none.
const LONGEST: usize = 4096;
/// As many packets are answered before the first of their answers is sent.
const AT_ONCE: usize = 64;
/// How long a broken socket is left alone.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers what comes in until it is told to stop.
pub async fn serve(socket: UdpSocket, mut link: Link, service: &Mutex<Service>, stop: CancellationToken) {
    let port = socket.local_addr().map_or(SERVER_PORT, |own| own.port());
    let mut packet = vec![0; LONGEST];
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = socket.recv_from(&mut packet) => received,
        };
        let (length, from) = match received {
            Ok(received) => received,
            Err(error) => {
                tracing::warn!(interface = %link.interface, %error, "dhcp cannot receive");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let now = now();
        link.refresh(now);
        let mut answers = Vec::new();
        {
            let mut service = service.lock().unwrap_or_else(PoisonError::into_inner);
            let mut received = Some((length, from));
            // What has come meanwhile is answered along, so that its leases are written at once.
            for _ in 0..AT_ONCE {
                let Some((length, from)) = received else { break };
                let answer = service.consider(&packet[..length], from, &link, now);
                answers.extend(answer.map(|answer| (answer, from)));
                received = socket.try_recv_from(&mut packet).ok();
            }
            let written = service.write_leases(now);
            answers.retain(|(answer, _)| written || !answer.is_lease);
        }
        for (answer, from) in answers {
            let places = if port == PROXY_PORT { vec![from] } else { addresses(answer.to) };
            for to in places {
                // A send buffer that is full loses the answer as a wire may; the client asks again.
                if let Err(error) = socket.try_send_to(&answer.packet, to) {
                    tracing::warn!(interface = %link.interface, %to, %error, "dhcp cannot send");
                }
            }
        }
    }
}

/// The time since 1970 began, by which leases are counted.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn addresses(to: To) -> Vec<SocketAddr> {
    let everybody = (Ipv4Addr::BROADCAST, CLIENT_PORT).into();
    match to {
        To::Everybody => vec![everybody],
        To::Client(address) => vec![(address, CLIENT_PORT).into()],
        To::ClientAndEverybody(address) => vec![(address, CLIENT_PORT).into(), everybody],
        To::Relay(address) => vec![(address, SERVER_PORT).into()],
    }
}
