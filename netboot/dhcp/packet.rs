//! DHCP's packets (RFC 2131): a request out of bytes, bytes out of a reply. No sockets here, and no panic on any input.

use std::net::Ipv4Addr;

use super::options::{self, Options, Writer};
use crate::mac::Mac;

/// Fields before the options, with the cookie that stands between them.
const HEADER: usize = 240;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const SERVER_NAME: std::ops::Range<usize> = 44..108;
const FILE: std::ops::Range<usize> = 108..236;
/// The longest name that field `file` holds with the zero behind it.
pub(crate) const LONGEST_FILE: usize = 127;
/// Relays of old drop what is shorter than a packet of BOOTP.
const SHORTEST: usize = 300;
/// A packet with its IP and UDP headers that everybody takes, and one that passes any wire: some firmware promises more
/// than it can receive.
const SURE_SIZE: usize = 576;
const WIRE_SIZE: usize = 1472;
const IP_AND_UDP: usize = 28;
const BROADCAST_FLAG: u16 = 0x8000;

/// What a packet is about; those of servers and those of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Discover,
    Offer,
    Request,
    Decline,
    Ack,
    Nak,
    Release,
    Inform,
}

impl Kind {
    const ALL: [Self; 8] =
        [Self::Discover, Self::Offer, Self::Request, Self::Decline, Self::Ack, Self::Nak, Self::Release, Self::Inform];

    /// The word for logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::Offer => "offer",
            Self::Request => "request",
            Self::Decline => "decline",
            Self::Ack => "ack",
            Self::Nak => "nak",
            Self::Release => "release",
            Self::Inform => "inform",
        }
    }

    /// By the number that it has in packets.
    fn numbered(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    fn number(self) -> u8 {
        Self::ALL.iter().zip(1..).find(|(kind, _)| **kind == self).map_or(0, |(_, number)| number)
    }
}

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub kind: Kind,
    pub mac: Mac,
    pub(crate) transaction: [u8; 4],
    pub(crate) flags: u16,
    /// The address that the client has and can be reached at; else unspecified.
    pub(crate) own: Ipv4Addr,
    /// The relay that the packet came through; else unspecified.
    pub(crate) relay: Ipv4Addr,
    pub(crate) options: Options,
}

impl Request {
    /// None where the bytes are no request of DHCP from an Ethernet port.
    pub fn read(packet: &[u8]) -> Option<Self> {
        let (header, rest) = packet.split_at_checked(HEADER)?;
        let ethernet_request = header[..3] == [1, 1, 6];
        if !ethernet_request || header[HEADER - 4..] != COOKIE {
            return None;
        }
        let address = |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
        let mut read = Options::default();
        read.read(rest);
        let overload = read.get(options::OVERLOAD).and_then(<[u8]>::first).copied().unwrap_or_default();
        for (bit, field) in [(1, FILE), (2, SERVER_NAME)] {
            if overload & bit != 0 {
                read.read(&header[field]);
            }
        }
        let [kind] = *read.get(options::MESSAGE_TYPE)? else { return None };
        let kind = Kind::numbered(kind)?;
        let of_client = !matches!(kind, Kind::Offer | Kind::Ack | Kind::Nak);
        of_client.then_some(Self {
            kind,
            mac: Mac(header[28..34].try_into().ok()?),
            transaction: header[4..8].try_into().ok()?,
            flags: u16::from_be_bytes([header[10], header[11]]),
            own: address(12),
            relay: address(24),
            options: read,
        })
    }

    /// The address that the client wants to have or has.
    pub(crate) fn wanted(&self) -> Option<Ipv4Addr> {
        let own = Some(self.own).filter(|own| !own.is_unspecified());
        self.options.address(options::WANTED_ADDRESS).or(own)
    }

    /// An address of the wire where the client is, if the packet came through a relay.
    pub(crate) fn link(&self) -> Option<Ipv4Addr> {
        let mut chosen = Options::default();
        chosen.read(self.options.get(options::RELAY).unwrap_or_default());
        let relay = Some(self.relay).filter(|relay| !relay.is_unspecified())?;
        chosen.address(LINK_SELECTION).or(Some(relay))
    }

    /// Whether the client asks for this option; one that asks for none in particular is given all.
    pub(crate) fn asks_for(&self, option: u8) -> bool {
        self.options.get(options::ASKED).is_none_or(|asked| asked.contains(&option))
    }
}

/// Of what a relay says: the wire is another than that of the relay's own address (RFC 3527).
const LINK_SELECTION: u8 = 5;

/// What a client is told, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub kind: Kind,
    pub to: To,
    /// The address that the client is given; unspecified where it is given none.
    pub address: Ipv4Addr,
    pub(crate) next_server: Ipv4Addr,
    pub(crate) file: String,
    /// What matters most stands first.
    pub(crate) options: Vec<(u8, Vec<u8>)>,
}

/// Where a reply goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Everybody on the wire: the client has no address yet, and cannot answer ARP.
    Everybody,
    /// The client at the address that it has.
    Client(Ipv4Addr),
    /// Both: a client that renews its lease hears only what comes to its address, which may be another's by now.
    ClientAndEverybody(Ipv4Addr),
    Relay(Ipv4Addr),
}

impl Reply {
    /// The packet that answers `request`.
    pub fn write(&self, request: &Request) -> Vec<u8> {
        let room = request.options.number(options::MAX_SIZE).map_or(SURE_SIZE, usize::from);
        let limit = room.clamp(SURE_SIZE, WIRE_SIZE) - IP_AND_UDP;
        // A client whose address is refused hears from its relay only what is for everybody.
        let refused_behind_relay = self.kind == Kind::Nak && matches!(self.to, To::Relay(_));
        let flags = request.flags | if refused_behind_relay { BROADCAST_FLAG } else { 0 };
        let mut packet = vec![2, 1, 6, 0];
        packet.extend(request.transaction);
        packet.extend([0, 0]);
        packet.extend(flags.to_be_bytes());
        let own = if self.kind == Kind::Nak { Ipv4Addr::UNSPECIFIED } else { request.own };
        for address in [own, self.address, self.next_server, request.relay] {
            packet.extend(address.octets());
        }
        packet.extend(request.mac.0);
        packet.resize(FILE.start, 0);
        packet.extend(self.file.bytes().take(LONGEST_FILE));
        packet.resize(FILE.end, 0);
        packet.extend(COOKIE);
        self.write_options(request, &mut packet, limit);
        packet.resize(packet.len().max(SHORTEST), 0);
        packet
    }

    fn write_options(&self, request: &Request, packet: &mut Vec<u8>, limit: usize) {
        // What is longer than one option was made up by nobody who relays.
        let relay = request.options.get(options::RELAY).filter(|relay| relay.len() <= 255);
        let kept = relay.map_or(0, |relay| relay.len() + 2) + 1;
        let mut writer = Writer { packet, limit: limit.saturating_sub(kept) };
        writer.add(options::MESSAGE_TYPE, &[self.kind.number()]);
        self.options.iter().for_each(|(code, value)| writer.add(*code, value));
        if let Some(relay) = relay {
            // Byte for byte and last, as RFC 3046 has it: the relay finds its client by that.
            writer.limit = limit - 1;
            writer.add(options::RELAY, relay);
        }
        writer.end();
    }
}
