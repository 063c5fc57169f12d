//! What a client is answered: pure, a request and what is known about its sender in, a reply out.

use std::net::Ipv4Addr;

use super::client::{Client, Source};
use super::options;
use super::packet::{Kind, LONGEST_FILE, Reply, Request, To};
use super::subnet::{Server, Subnet};

/// How we answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Addresses are ours to give: we also say which are wrong.
    Authoritative,
    /// Another server gives addresses; we say what to boot from.
    Proxy,
}

/// What is known of the sender of a request and of the wire where it is.
#[derive(Debug, Clone)]
pub struct Facts<'f> {
    pub manner: Manner,
    /// Our own address as the client sees it.
    pub server: Ipv4Addr,
    pub subnet: &'f Subnet,
    /// The one address that the client may have; None if it is to be given none.
    pub address: Option<Ipv4Addr>,
    /// The name of the node, if it is one.
    pub name: Option<&'f str>,
    /// How long an address is given for, in seconds.
    pub lease: u32,
    pub source: &'f Source,
    /// Whether we are the name server where none is named.
    pub dns: bool,
}

/// The answer; None where silence is the answer.
pub fn reply(request: &Request, facts: &Facts<'_>) -> Option<Reply> {
    match facts.manner {
        Manner::Authoritative => {
            let (kind, address) = verdict(request, facts)?;
            Some(match kind {
                Kind::Nak => refusal(request, facts),
                _ => with_address(request, facts, kind, address),
            })
        }
        Manner::Proxy => proxy(request, facts),
    }
}

/// What the client is told, and the address that it is told to have.
fn verdict(request: &Request, facts: &Facts<'_>) -> Option<(Kind, Ipv4Addr)> {
    let chosen = request.options.address(options::SERVER);
    match request.kind {
        _ if is_for_another(request, facts) => None,
        Kind::Discover => Some((Kind::Offer, facts.address?)),
        Kind::Inform => facts.address.map(|_| (Kind::Ack, Ipv4Addr::UNSPECIFIED)),
        Kind::Request => match (facts.address, request.wanted()) {
            (Some(address), Some(wanted)) if address == wanted => Some((Kind::Ack, address)),
            (Some(address), Some(_)) => Some((Kind::Nak, address)),
            // It was promised one that has been taken out of the tables since.
            (None, Some(wanted)) if chosen.is_some() => Some((Kind::Nak, wanted)),
            (None, _) | (_, None) => None,
        },
        _ => None,
    }
}

pub(crate) fn is_for_another(request: &Request, facts: &Facts<'_>) -> bool {
    request.options.address(options::SERVER).is_some_and(|chosen| chosen != facts.server)
}

fn with_address(request: &Request, facts: &Facts<'_>, kind: Kind, address: Ipv4Addr) -> Reply {
    let mut told = vec![(options::SERVER, facts.server.octets().to_vec())];
    if !address.is_unspecified() {
        told.push((options::LEASE_TIME, facts.lease.to_be_bytes().to_vec()));
    }
    told.push((options::MASK, facts.subnet.network().mask().octets().to_vec()));
    let (file, next_server) = add_boot(&mut told, request, facts);
    add_identity(&mut told, request);
    add_wishes(&mut told, request, facts);
    Reply { kind, to: destination(request, facts.subnet), address, next_server, file, options: told }
}

fn refusal(request: &Request, facts: &Facts<'_>) -> Reply {
    let mut told = vec![
        (options::SERVER, facts.server.octets().to_vec()),
        (options::MESSAGE, b"this address is not yours".to_vec()),
    ];
    add_identity(&mut told, request);
    let to = match destination(request, facts.subnet) {
        To::Client(own) => To::ClientAndEverybody(own),
        to => to,
    };
    let nothing = Ipv4Addr::UNSPECIFIED;
    Reply { kind: Kind::Nak, to, address: nothing, next_server: nothing, file: String::new(), options: told }
}

/// Only firmware and iPXE are told anything, and only what to boot from. A request comes by unicast to our own port.
fn proxy(request: &Request, facts: &Facts<'_>) -> Option<Reply> {
    let kind = match request.kind {
        Kind::Discover => Kind::Offer,
        // Who has no address yet asks the other server for one.
        Kind::Request if !request.own.is_unspecified() && !is_for_another(request, facts) => Kind::Ack,
        _ => return None,
    };
    let mut told = vec![(options::SERVER, facts.server.octets().to_vec())];
    let client = Client::of(request);
    let (file, next_server) = add_boot(&mut told, request, facts);
    client.boot_file(facts.source, request)?;
    if !matches!(client, Client::Http(_)) {
        told.push((options::CLASS, b"PXEClient".to_vec()));
        // Sub-option 6, bit 3: load the file that is named here, ask nobody else.
        told.push((options::VENDOR, vec![6, 1, 8, 255]));
    }
    add_identity(&mut told, request);
    Some(Reply {
        kind,
        to: destination(request, facts.subnet),
        address: Ipv4Addr::UNSPECIFIED,
        next_server,
        file,
        options: told,
    })
}

/// Says what to boot from: the file for the packet's own field, and the server of it.
fn add_boot(told: &mut Vec<(u8, Vec<u8>)>, request: &Request, facts: &Facts<'_>) -> (String, Ipv4Addr) {
    let client = Client::of(request);
    if client == Client::Ipxe && facts.manner == Manner::Authoritative {
        // No other server will say more: without this iPXE waits three seconds for one.
        told.push((options::IPXE, vec![176, 1, 1]));
    }
    let nothing = (String::new(), Ipv4Addr::UNSPECIFIED);
    let Some(file) = client.boot_file(facts.source, request) else { return nothing };
    if matches!(client, Client::Http(_)) {
        told.push((options::CLASS, b"HTTPClient".to_vec()));
    }
    let next_server = facts.source.tftp.unwrap_or(facts.server);
    if file.len() > LONGEST_FILE {
        told.push((options::BOOT_FILE, file.into_bytes()));
        return (String::new(), next_server);
    }
    (file, next_server)
}

/// What a client has said of itself comes back, as RFC 6842 and the PXE specification have it.
fn add_identity(told: &mut Vec<(u8, Vec<u8>)>, request: &Request) {
    for code in [options::CLIENT_ID, options::MACHINE] {
        told.extend(request.options.get(code).map(|value| (code, value.to_vec())));
    }
}

/// What the tables say of the network, as far as the client asks for it.
fn add_wishes(told: &mut Vec<(u8, Vec<u8>)>, request: &Request, facts: &Facts<'_>) {
    let subnet = facts.subnet;
    let mut add = |code: u8, value: Vec<u8>| {
        if !value.is_empty() && request.asks_for(code) {
            told.push((code, value));
        }
    };
    let list = |servers: &[Server]| options::addresses(&Subnet::seen_from(servers, facts.server));
    add(options::ROUTERS, list(&subnet.routers));
    let ourselves = [None];
    let is_ours = facts.dns && subnet.name_servers.is_empty();
    add(options::NAME_SERVERS, list(if is_ours { &ourselves } else { &subnet.name_servers }));
    add(options::HOST_NAME, facts.name.unwrap_or_default().as_bytes().to_vec());
    add(options::DOMAIN, subnet.domain.clone().unwrap_or_default().into_bytes());
    add(options::BROADCAST, subnet.network().broadcast().octets().to_vec());
    add(options::MTU, subnet.mtu.map(|mtu| mtu.to_be_bytes().to_vec()).unwrap_or_default());
    add(options::TIME_SERVERS, list(&subnet.time_servers));
    add(options::LOG_SERVERS, list(&subnet.log_servers));
}

/// An address that is not of the client's network is forged, or of a network that it has left.
fn destination(request: &Request, subnet: &Subnet) -> To {
    if !request.relay.is_unspecified() {
        To::Relay(request.relay)
    } else if subnet.has(request.own) {
        To::Client(request.own)
    } else {
        To::Everybody
    }
}
