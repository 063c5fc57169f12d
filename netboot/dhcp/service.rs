//! One packet in, at most one out: looks up who asks, chooses an address, keeps leases. Knows no sockets.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnetwork::Ipv4Network;
use tables::{Lease, Tables};

use super::client::{Client, Source, foreign};
use super::options;
use super::packet::{Kind, Request, To};
use super::pool::Pool;
use super::reply::{Facts, Manner, is_for_another, reply};
use super::subnet::{Answers, Subnet};
use super::view::{Machine, View};
use super::{CLIENT_PORT, SERVER_PORT};
use crate::arrivals::Arrivals;
use crate::events::{self, Event, Events, subject};
use crate::http;
use crate::limit::Limit;
use crate::live::Live;
use crate::mac::Mac;
use crate::sockets;

/// How old the knowledge of our own addresses may be.
const ADDRESSES_FOR: Duration = Duration::from_secs(5);
/// How long no lease is written after one could not be, in seconds: the database is held by another command, and each try
/// keeps all who ask waiting for it.
const NO_LEASES_FOR: u64 = 2;
/// A machine that boots sends a dozen packets, those of its three systems together.
const AT_ONCE: u32 = 20;
const EACH: Duration = Duration::from_millis(200);

/// Said of a client that asks another server for its address, having had an offer of ours.
pub const ANOTHER_SERVER: &str = "it takes the offer of another DHCP server";

/// Said of firmware that is given an address and nothing to load; behind it stands what it is.
pub const NO_LOADER: &str = "and no loader: ";

/// What this server has beside DHCP for those who boot.
#[derive(Debug, Clone, Copy, Default)]
pub struct Served {
    pub tftp: bool,
    /// The port of HTTP.
    pub http: Option<u16>,
    /// Whether it knows names: then it is the name server of those for whom the tables name none.
    pub dns: bool,
}

/// The memory of the DHCP server; all its interfaces share one.
pub struct Service {
    tables: Arc<Tables>,
    view: Live<View>,
    pool: Pool,
    limit: Limit<Mac>,
    manner: Manner,
    served: Served,
    /// Until when no lease is written.
    no_leases_until: u64,
    /// Leases whose machines have not heard of them.
    unwritten: Vec<Lease>,
    events: Events,
    arrivals: Arc<Arrivals>,
}

/// A packet to send, and where.
pub struct Answer {
    pub packet: Vec<u8>,
    pub to: To,
    /// Whether it gives a lease, so that it may be sent only when [`Service::write_leases`] has succeeded.
    pub is_lease: bool,
}

/// An interface that is served, and our addresses there.
#[derive(Debug, Clone)]
pub struct Link {
    pub interface: Arc<str>,
    pub addresses: Vec<Ipv4Network>,
    looked: Duration,
}

impl Link {
    /// An interface as it is at that time; an error if it has no address to answer from.
    pub fn open(interface: &str, now: Duration) -> io::Result<Self> {
        let addresses = sockets::addresses(interface)?;
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "it is not there, or has no IPv4 address"));
        }
        Ok(Self { interface: interface.into(), addresses, looked: now })
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn fixed(interface: &str, addresses: &[Ipv4Network]) -> Self {
        Self { interface: interface.into(), addresses: addresses.to_vec(), looked: Duration::ZERO }
    }

    /// Looks again, now and then. An interface without addresses is silent until it has some again.
    pub(crate) fn refresh(&mut self, now: Duration) {
        if now.abs_diff(self.looked) > ADDRESSES_FOR {
            self.addresses = sockets::addresses(&self.interface).unwrap_or_default();
            self.looked = now;
        }
    }

    fn is_ours(&self, address: Ipv4Addr) -> bool {
        self.addresses.iter().any(|own| own.ip() == address)
    }

    fn is_to_answer(&self, subnet: &Subnet) -> bool {
        match subnet.dhcp_server {
            Answers::Anybody => true,
            Answers::Only(server) => self.is_ours(server),
            Answers::Another => false,
        }
    }
}

/// Where a client is and what it may have there.
struct Standing<'v> {
    subnet: &'v Subnet,
    /// Our own address as the client sees it.
    server: Ipv4Addr,
    machine: Option<&'v Machine>,
    address: Option<Ipv4Addr>,
    /// Whether the address is one of the dynamic range.
    is_dynamic: bool,
}

impl Service {
    /// With the leases that are known of.
    pub fn open(tables: Arc<Tables>, manner: Manner, served: Served) -> tables::Result<Self> {
        let view = Live::open(tables.clone(), View::read)?;
        let pool = Pool::new(&tables.leases()?);
        Ok(Self {
            tables,
            view,
            pool,
            limit: Limit::new(AT_ONCE, EACH),
            manner,
            served,
            no_leases_until: 0,
            unwritten: Vec::new(),
            events: Events::default(),
            arrivals: Arc::default(),
        })
    }

    /// Tells what is seen of machines.
    #[must_use]
    pub fn telling(self, events: Events) -> Self {
        Self { events, ..self }
    }

    /// Notes there which nodes are in their firmware.
    #[must_use]
    pub fn noting(self, arrivals: Arc<Arrivals>) -> Self {
        Self { arrivals, ..self }
    }

    /// The packet that answers one that came in through `link`, and where it goes. `now` is the time since 1970 began.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn answer(&mut self, packet: &[u8], link: &Link, now: Duration) -> Option<(Vec<u8>, To)> {
        let answer = self.consider(packet, (Ipv4Addr::UNSPECIFIED, CLIENT_PORT).into(), link, now)?;
        (self.write_leases(now) || !answer.is_lease).then_some((answer.packet, answer.to))
    }

    /// What answers a packet that came in through `link` from there. `now` is the time since 1970 began.
    pub fn consider(&mut self, packet: &[u8], from: SocketAddr, link: &Link, now: Duration) -> Option<Answer> {
        let before = self.unwritten.len();
        let (packet, to) = self.decide(packet, from, link, now)?;
        Some(Answer { packet, to, is_lease: self.unwritten.len() > before })
    }

    fn decide(&mut self, packet: &[u8], from: SocketAddr, link: &Link, now: Duration) -> Option<(Vec<u8>, To)> {
        let request = Request::read(packet)?;
        if !self.limit.allows(request.mac, now) {
            self.events.tell(|| Event::new(&link.interface, events::Kind::Limited, subject::DHCP).of(request.mac));
            return None;
        }
        let view = self.view.now();
        let Some(standing) = self.standing(&request, link, &view, now.as_secs()) else {
            self.tell_silent(&request, link, view.machine(request.mac), || self.unwelcome(&request, link, &view));
            return None;
        };
        if is_in_firmware(&request, from, &standing) {
            self.arrivals.saw(request.mac);
        }
        match request.kind {
            Kind::Release => self.release(&request, &standing, link, now.as_secs()),
            Kind::Decline => self.decline(&request, &standing, link, now.as_secs()),
            _ => return self.reply(&request, &standing, link, &view, now.as_secs()),
        }
        None
    }

    /// Forgets who has asked and who was given what.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn forget_all(&mut self) {
        (self.pool, self.limit, self.no_leases_until) = (Pool::default(), Limit::new(AT_ONCE, EACH), 0);
        self.unwritten.clear();
    }

    /// None where we have nothing to say.
    fn standing<'v>(&mut self, request: &Request, link: &Link, view: &'v View, now: u64) -> Option<Standing<'v>> {
        let machine = view.machine(request.mac);
        if machine.is_some_and(|machine| !machine.bound || (self.manner == Manner::Proxy && !machine.proxy)) {
            return None;
        }
        let mut places = places(request, link, view);
        if self.manner == Manner::Authoritative {
            places.retain(|(subnet, _)| link.is_to_answer(subnet));
        }
        let own = machine.and_then(|machine| machine.address);
        let known = own.and_then(|own| places.iter().find(|(subnet, _)| subnet.has(own)));
        if let Some((subnet, server)) = known.copied() {
            return Some(Standing { subnet, server, machine, address: own, is_dynamic: false });
        }
        let (subnet, server) = *places.iter().find(|(subnet, _)| !subnet.dynamic.is_empty()).or(places.first())?;
        // Beside another server the range gives no addresses, it says that strangers are welcome: the wire may be shared
        // with machines that are none of ours, and would boot from us.
        if self.manner == Manner::Proxy && machine.is_none() && subnet.dynamic.is_empty() {
            return None;
        }
        let may = |address| !view.is_taken(address) && !link.is_ours(address);
        let address = self.pool.choose(request.mac, request.wanted(), subnet, now, may);
        Some(Standing { subnet, server, machine, address, is_dynamic: true })
    }

    fn reply(
        &mut self,
        request: &Request,
        standing: &Standing<'_>,
        link: &Link,
        view: &View,
        now: u64,
    ) -> Option<(Vec<u8>, To)> {
        let source = Source {
            tftp: standing.subnet.tftp_server.or(self.served.tftp.then_some(standing.server)),
            http: self.served.http.map(|port| http::address((standing.server, port).into())),
        };
        let facts = Facts {
            manner: self.manner,
            server: standing.server,
            subnet: standing.subnet,
            address: standing.address,
            name: standing.machine.map(|machine| machine.name.as_str()),
            lease: view.lease,
            source: &source,
            dns: self.served.dns,
        };
        let Some(reply) = reply(request, &facts) else {
            // Beside another server most of what is asked is for that one.
            if self.manner == Manner::Authoritative {
                self.tell_silent(request, link, standing.machine, || unanswered(request, &facts));
            }
            return None;
        };
        let address = reply.address;
        if standing.is_dynamic && !address.is_unspecified() {
            match reply.kind {
                Kind::Offer => self.pool.offer(request.mac, address, now),
                _ => self.lease(request, address, now, view.lease)?,
            }
        }
        let kind = match reply.kind {
            Kind::Offer => events::Kind::Offer,
            Kind::Nak => events::Kind::Nak,
            _ => events::Kind::Ack,
        };
        self.events.tell(|| {
            let event = seen(kind, request, link, standing.machine);
            let event = if address.is_unspecified() { event } else { event.from(address.into()) };
            match Client::of(request) {
                Client::Foreign(architecture) => {
                    event.detail(format_args!("{address} {NO_LOADER}{}", foreign(architecture)))
                }
                _ => event.detail(format_args!("{address} {}", reply.file)),
            }
        });
        Some((reply.write(request), reply.to))
    }

    /// Writes down the leases that were decided on, at once: one change of the database costs as much as many. Nobody hears of
    /// a lease where that fails: the machine asks again.
    pub fn write_leases(&mut self, now: Duration) -> bool {
        let leases = std::mem::take(&mut self.unwritten);
        if leases.is_empty() {
            return true;
        }
        let Err(error) = self.tables.keep_leases(&leases) else { return true };
        let now = now.as_secs();
        tracing::error!(count = leases.len(), error = &error as &dyn std::error::Error, "leases are not given");
        self.no_leases_until = now + NO_LEASES_FOR;
        for lease in leases {
            if let Ok(mac) = lease.mac.parse() {
                self.pool.withdraw(mac, lease.ip, now);
            }
        }
        false
    }

    fn lease(&mut self, request: &Request, ip: Ipv4Addr, now: u64, seconds: u32) -> Option<()> {
        if !self.writes(now) {
            return None;
        }
        let until = now + u64::from(seconds);
        let class = request.options.get(options::CLASS).unwrap_or_default();
        let client = String::from_utf8_lossy(class).chars().filter(|letter| !letter.is_control()).take(64).collect();
        let lease = Lease { ip, mac: request.mac.to_string(), until, client };
        self.unwritten.push(lease);
        self.pool.lease(request.mac, ip, until);
        Some(())
    }

    /// Whether leases are written now. A clock that is set back does not keep us silent.
    fn writes(&self, now: u64) -> bool {
        !(now..=now + NO_LEASES_FOR).contains(&self.no_leases_until)
    }

    fn release(&mut self, request: &Request, standing: &Standing<'_>, link: &Link, now: u64) {
        if self.writes(now) && self.pool.release(request.mac, request.own) {
            self.events.tell(|| seen(events::Kind::Release, request, link, standing.machine).detail(request.own));
            self.forget(request.mac, request.own, now);
        }
    }

    fn decline(&mut self, request: &Request, standing: &Standing<'_>, link: &Link, now: u64) {
        let Some(address) = request.wanted() else { return };
        self.events.tell(|| seen(events::Kind::Decline, request, link, standing.machine).detail(address));
        if self.pool.decline(request.mac, address, now) && self.writes(now) {
            self.forget(request.mac, address, now);
        }
    }

    fn forget(&mut self, mac: Mac, ip: Ipv4Addr, now: u64) {
        self.unwritten.retain(|lease| lease.ip != ip);
        if let Err(error) = self.tables.forget_lease(ip) {
            tracing::error!(%mac, %ip, error = &error as &dyn std::error::Error, "a lease is not forgotten");
            self.no_leases_until = now + NO_LEASES_FOR;
        }
    }

    fn tell_silent(
        &self,
        request: &Request,
        link: &Link,
        machine: Option<&Machine>,
        why: impl FnOnce() -> &'static str,
    ) {
        self.events.tell(|| {
            let asked = request.kind.word();
            seen(events::Kind::Silent, request, link, machine).detail(format_args!("{asked}: {}", why()))
        });
    }

    /// Why a client has no standing with us.
    fn unwelcome(&self, request: &Request, link: &Link, view: &View) -> &'static str {
        let places = places(request, link, view);
        match view.machine(request.mac) {
            Some(machine) if !machine.bound => "its MAC address is marked *NOIP*",
            Some(machine) if self.manner == Manner::Proxy && !machine.proxy => "noderes.proxydhcp is no",
            _ if places.is_empty() => "no network of table networks is there",
            _ if self.manner == Manner::Proxy => "no node has its MAC address, and the network has no dynamicrange",
            _ => "networks.dhcpserver names another server",
        }
    }

    /// Who we are to those who ask through this server, for what is logged when it starts.
    pub fn subnets_on(&mut self, link: &Link) -> Vec<String> {
        let view = self.view.now();
        let ours = |subnet: &&Subnet| link.addresses.iter().any(|own| subnet.network().contains(own.ip()));
        view.subnets.iter().filter(ours).map(|subnet| subnet.name.clone()).collect()
    }
}

fn seen(kind: events::Kind, request: &Request, link: &Link, machine: Option<&Machine>) -> Event {
    let subject = match Client::of(request) {
        Client::Ipxe => subject::IPXE,
        Client::Pxe(_) | Client::Http(_) | Client::Foreign(_) => subject::FIRMWARE,
        Client::System => subject::SYSTEM,
    };
    Event::new(&link.interface, kind, subject).of(request.mac).node(machine.map(|machine| machine.node.as_str()))
}

/// Whether it is surely the machine of a node, and in its firmware: users of a system that runs send nothing without an address or
/// from such a port. What came through a relay counts if that is the network's router, whose address is on no machine of others.
fn is_in_firmware(request: &Request, from: SocketAddr, standing: &Standing<'_>) -> bool {
    let at_home = |machine: &Machine| machine.address.is_none() || !standing.is_dynamic;
    let by_router = || standing.subnet.routers.contains(&Some(request.relay)) && from.ip() == request.relay;
    let is_below = match request.relay.is_unspecified() {
        true => request.own.is_unspecified() && from == (Ipv4Addr::UNSPECIFIED, CLIENT_PORT).into(),
        false => from.port() == SERVER_PORT && by_router(),
    };
    is_below && standing.machine.is_some_and(at_home) && boots_from_us(request)
}

fn boots_from_us(request: &Request) -> bool {
    match Client::of(request) {
        Client::Ipxe | Client::Pxe(_) | Client::Http(_) => true,
        Client::Foreign(_) | Client::System => false,
    }
}

/// Why a client that has a standing gets no reply.
fn unanswered(request: &Request, facts: &Facts<'_>) -> &'static str {
    if is_for_another(request, facts) {
        ANOTHER_SERVER
    } else if facts.address.is_none() {
        match facts.name {
            Some(_) => "hosts.ip is not set or in no network there, and the network has no free dynamicrange",
            None => "no node has its MAC address, and the network has no free dynamicrange",
        }
    } else {
        "it asks for no address"
    }
}

/// The networks where the client can be, each with our address there: the one that its relay names, or all of the wire.
fn places<'v>(request: &Request, link: &Link, view: &'v View) -> Vec<(&'v Subnet, Ipv4Addr)> {
    if let Some(relayed) = request.link() {
        let server = link.addresses.first().map(|own| own.ip());
        return view.subnet_of(relayed).zip(server).into_iter().collect();
    }
    let own = link.addresses.iter().map(|own| own.ip());
    own.filter_map(|own| Some((view.subnet_of(own)?, own))).collect()
}
