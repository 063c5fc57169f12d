//! The services of netboot on interfaces of this machine: each is bound before the first answers anybody.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use netboot::advertise::Advertiser;
use netboot::arrivals::Arrivals;
use netboot::dhcp::{self, Link, Manner, Served, Service};
use netboot::dns::{self, Names};
use netboot::events::Events;
use netboot::http::{self, LiveSite, Server};
use netboot::live::Live;
use netboot::metrics::{self, Metrics};
use netboot::root::{self, Root};
use netboot::{sockets, tftp};
use plugins::chain;
use tables::Tables;
use tokio::net::TcpListener;

use super::Daemon;
use super::reconciler::reconcile;
use super::recorder::Recorder;
use crate::discovery::Registrar;
use crate::failure::Failure;

/// How long an answer may wait for a command that holds the database: a client asks again after a few seconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same where all services wait with it.
const SHORT_PATIENCE: Duration = Duration::from_millis(250);

/// What is served where, and from what.
pub(crate) struct Services {
    pub(crate) daemon: Daemon,
    interfaces: Vec<String>,
    home: PathBuf,
    /// Public keys that open root's account on nodes that are installed.
    keys: Vec<String>,
    site: Arc<LiveSite>,
    /// Whom services tell what they see.
    events: Events,
    metrics: Arc<Metrics>,
    /// What DHCP tells HTTP: which nodes are in their firmware.
    arrivals: Arc<Arrivals>,
}

impl Services {
    /// None yet, but what writes down what they will see.
    pub(crate) fn new(home: &Path, interfaces: Vec<String>, keys: Vec<String>) -> Result<Self, Failure> {
        let open = || connection(home, PATIENCE);
        let site = Arc::new(LiveSite::open(open()?, open()?)?.with_keys(keys.clone()));
        let metrics = Arc::new(Metrics::default());
        let records = open()?;
        let (events, recorder) = Recorder::new(records.clone(), site.clone(), metrics.clone());
        let mut daemon = Daemon::new()?;
        daemon.start(|stop| recorder.run(stop));
        daemon.start(|stop| reconcile(records, events.clone(), stop));
        let kept = home.join("arrivals");
        let arrivals = Arrivals::open(&kept)
            .map_err(|error| Failure::refused(format!("cannot use {}: {error}", kept.display())))?
            .into();
        Ok(Self { daemon, interfaces, home: home.to_owned(), keys, site, events, metrics, arrivals })
    }

    pub(crate) fn start_dhcp(&mut self, manner: Manner, served: Served) -> Result<(), Failure> {
        let proxy = manner == Manner::Proxy;
        let tables = connection(&self.home, SHORT_PATIENCE)?;
        // Beside another server machines boot that we do not hear, and without statuses a blank one says nothing.
        if !proxy && tables.keeps_statuses()? {
            self.arrivals.feed();
        }
        let service = Service::open(tables, manner, served)?;
        let mut service = service.telling(self.events.clone()).noting(self.arrivals.clone());
        let mut ports = vec![dhcp::SERVER_PORT];
        ports.extend(proxy.then_some(dhcp::PROXY_PORT));
        let mut open = Vec::new();
        for interface in &self.interfaces {
            let refused =
                |error| refused("dhcp", interface, &error, "another DHCP server runs on this machine; stop it");
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let link = Link::open(interface, now).map_err(refused)?;
            let networks = service.subnets_on(&link).join(",");
            if networks.is_empty() {
                tracing::warn!(interface, "no network of table networks is there: only relays are answered");
            }
            tracing::info!(interface, networks, proxy, "dhcp");
            for port in &ports {
                open.push((sockets::udp(interface, *port).map_err(refused)?, link.clone()));
            }
        }
        let service = Arc::new(Mutex::new(service));
        for (socket, link) in open {
            let service = service.clone();
            self.daemon.start(|stop| async move { dhcp::serve(socket, link, &service, stop).await });
        }
        Ok(())
    }

    pub(crate) fn start_advertising(&mut self) -> Result<(), Failure> {
        for interface in &self.interfaces {
            let advertiser = Advertiser::open(interface).map_err(|error| refused("ra", interface, &error, ""))?;
            self.daemon.start(|stop| advertiser.serve(stop));
        }
        Ok(())
    }

    pub(crate) fn start_tftp(&mut self) -> Result<(), Failure> {
        let loaders = root::loaders().ok_or_else(|| {
            Failure::refused("cannot serve tftp: there is no iPXE on this machine for firmware to load")
                .hint("install the package ipxe (ipxe-bootimgs in the Red Hat family)")
                .hint("without it: xcrane serve --services dhcp,ra,dns,http, and networks.tftpserver names who has it")
        })?;
        let root = Root::new([loaders]);
        for interface in &self.interfaces {
            let remedy =
                "another TFTP server runs on this machine; stop it, or go without: --services dhcp,ra,dns,http";
            let socket =
                sockets::udp(interface, tftp::PORT).map_err(|error| refused("tftp", interface, &error, remedy))?;
            let (root, interface, events) = (root.clone(), interface.clone(), self.events.clone());
            tracing::info!(interface, "tftp");
            self.daemon
                .start(|stop| async move { ended("tftp", &interface, tftp::serve(socket, root, events, stop).await) });
        }
        Ok(())
    }

    pub(crate) fn start_dns(&mut self) -> Result<(), Failure> {
        let names = Live::open(connection(&self.home, PATIENCE)?, Names::read)?;
        let server = Arc::new(dns::Server::new(names));
        for interface in &self.interfaces {
            let remedy =
                "another DNS server runs on this machine; stop it, or go without: --services dhcp,ra,tftp,http";
            let refused = |error| refused("dns", interface, &error, remedy);
            let socket = sockets::udp(interface, dns::PORT).map_err(refused)?;
            let listener = sockets::tcp(interface, dns::PORT).map_err(refused)?;
            tracing::info!(interface, "dns");
            let (udp, tcp) = (server.clone(), server.clone());
            let (one, other) = (interface.clone(), interface.clone());
            self.daemon.start(|stop| async move { ended("dns", &one, dns::serve_udp(socket, udp, stop).await) });
            self.daemon.start(|stop| async move { ended("dns", &other, dns::serve_tcp(listener, tcp, stop).await) });
        }
        Ok(())
    }

    /// Numbers for Prometheus, at an address of ours.
    pub(crate) fn start_metrics(&mut self, address: SocketAddr) -> Result<(), Failure> {
        let refused = |error: io::Error| Failure::refused(format!("cannot serve metrics at {address}: {error}"));
        let listener = std::net::TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let listener = TcpListener::from_std(listener).map_err(refused)?;
        let (metrics, tables) = (self.metrics.clone(), connection(&self.home, PATIENCE)?);
        tracing::info!(%address, "metrics");
        let text = move || {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            let leases = tables.leases().unwrap_or_default();
            metrics.write(leases.iter().filter(|lease| lease.until > now).count())
        };
        self.daemon.start(|stop| metrics::serve(listener, text, stop));
        Ok(())
    }

    pub(crate) fn start_http(&mut self, port: u16) -> Result<(), Failure> {
        let server = Server::new(&self.home, self.site.clone()).map_err(|error| Failure::refused(chain(&error)))?;
        let director = Registrar::open(&self.home, self.keys.clone(), PATIENCE)?;
        let server = server.telling(self.events.clone()).noting(self.arrivals.clone());
        let server = Arc::new(server.directed(Arc::new(director)));
        for interface in &self.interfaces {
            let remedy = format!("another program has TCP port {port}; stop it, or chdef -t site httpport=8080");
            let listener =
                sockets::tcp(interface, port).map_err(|error| refused("http", interface, &error, &remedy))?;
            let (server, interface) = (server.clone(), interface.clone());
            tracing::info!(interface, port, "http");
            self.daemon
                .start(|stop| async move { ended("http", &interface, http::serve(listener, server, stop).await) });
        }
        Ok(())
    }
}

/// The end of one service that was not asked for ends all; why stands in the log.
fn ended(service: &str, interface: &str, ended: io::Result<()>) {
    if let Err(error) = ended {
        tracing::error!(service, interface, %error, "cannot go on");
    }
}

/// `taken` is what to do where another program has the port.
fn refused(service: &str, interface: &str, error: &io::Error, taken: &str) -> Failure {
    let failure = Failure::refused(format!("cannot serve {service} on interface {interface}: {error}"));
    match error.kind() {
        io::ErrorKind::PermissionDenied => failure.hint("it takes root to begin; what it took is given away then"),
        io::ErrorKind::AddrInUse => failure.hint(taken),
        _ => failure,
    }
}

/// A connection to the database of a service's own: none waits for another's.
fn connection(home: &Path, patience: Duration) -> Result<Arc<Tables>, Failure> {
    let tables = Tables::open(home)?;
    tables.set_patience(patience)?;
    Ok(Arc::new(tables))
}
