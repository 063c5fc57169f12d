//! How much one client may have, and all of them: pure, the time is given.
//!
//! A request comes from wherever its sender says: what is answered to a forged address is bounded by these limits.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

/// Transfers at once. Each has a socket and a piece of its file in memory, also of one that is wanted as text.
const SESSIONS: usize = 1024;
const SESSIONS_OF_ONE: u32 = 64;
/// Requests a second that are answered in the long run, and in one go.
const RATE: f64 = 100.0;
const BURST: f64 = 200.0;
/// Addresses that are remembered.
const KNOWN: usize = 16384;
const SWEEPING: Duration = Duration::from_secs(1);

/// Who is being served.
#[derive(Debug, Default)]
pub(super) struct Clients {
    sessions: HashSet<SocketAddr>,
    known: HashMap<IpAddr, Client>,
    /// When those that are idle were last forgotten.
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Client {
    sessions: u32,
    /// Requests that it may make now.
    allowance: f64,
    since: Instant,
}

impl Client {
    fn allowance(&self, now: Instant) -> f64 {
        (self.allowance + now.saturating_duration_since(self.since).as_secs_f64() * RATE).min(BURST)
    }
}

impl Clients {
    /// Whether a request is to be answered, which begins a session. One that is repeated while its session lasts is not.
    pub(super) fn admit(&mut self, peer: SocketAddr, now: Instant) -> bool {
        if self.sessions.contains(&peer) || self.sessions.len() >= SESSIONS {
            return false;
        }
        // Not for each request: a flood of forged addresses would have all of them looked at each time.
        if self.known.len() >= KNOWN && self.swept.is_none_or(|swept| now >= swept + SWEEPING) {
            self.swept = Some(now);
            self.known.retain(|_, client| client.sessions > 0 || client.allowance(now) < BURST);
        }
        if self.known.len() >= KNOWN && !self.known.contains_key(&peer.ip()) {
            return false;
        }
        let client = self.known.entry(peer.ip()).or_insert(Client { sessions: 0, allowance: BURST, since: now });
        (client.allowance, client.since) = (client.allowance(now), now);
        if client.sessions >= SESSIONS_OF_ONE || client.allowance < 1.0 {
            return false;
        }
        client.allowance -= 1.0;
        client.sessions += 1;
        self.sessions.insert(peer)
    }

    pub(super) fn ended(&mut self, peer: SocketAddr) {
        if !self.sessions.remove(&peer) {
            return;
        }
        if let Some(client) = self.known.get_mut(&peer.ip()) {
            client.sessions -= 1;
        }
    }
}

/// How long a session may last in all: an image of a gigabyte by the smallest blocks over a slow wire.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(client: u32, port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4((0x0a00_0000 + client).into()), port)
    }

    #[test]
    fn a_repeated_request_begins_no_second_session() {
        let (mut clients, now) = (Clients::default(), Instant::now());
        assert!(clients.admit(peer(1, 5), now));
        assert!(!clients.admit(peer(1, 5), now));
        clients.ended(peer(1, 5));
        assert!(clients.admit(peer(1, 5), now));
    }

    #[test]
    fn one_client_does_not_take_it_all() {
        let (mut clients, now) = (Clients::default(), Instant::now());
        let admitted = (0..500).filter(|port| clients.admit(peer(1, *port), now)).count();
        assert_eq!(admitted, SESSIONS_OF_ONE as usize);
        assert!(clients.admit(peer(2, 1), now));
        let more = (1000..1500).filter(|port| {
            let admitted = clients.admit(peer(3, *port), now);
            clients.ended(peer(3, *port));
            admitted
        });
        assert_eq!(more.count(), 200, "requests at one moment");
        let later = now + Duration::from_millis(100);
        assert_eq!((1000..1500).filter(|port| clients.admit(peer(3, *port), later)).count(), 10);
    }

    #[test]
    fn there_is_an_end_to_sessions_and_to_memory() {
        let (mut clients, now) = (Clients::default(), Instant::now());
        let admitted = (0..3000).filter(|client| clients.admit(peer(*client, 1), now)).count();
        assert_eq!(admitted, SESSIONS);
        (0..3000).for_each(|client| clients.ended(peer(client, 1)));
        for client in 0..40_000 {
            clients.admit(peer(client, 1), now);
            clients.ended(peer(client, 1));
        }
        assert_eq!(clients.known.len(), KNOWN);
        assert!(clients.admit(peer(50_000, 1), now + Duration::from_secs(2)), "those that are idle are forgotten");
        assert_eq!(clients.known.len(), 1);
    }
}
