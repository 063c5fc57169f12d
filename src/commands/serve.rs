//! `xcrane serve`: the daemon that machines ask when they boot.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use netboot::advertise::Advertiser;
use netboot::dhcp::{self, Link, Manner, Served, Service};
use netboot::sockets;
use tables::Tables;

use super::Run;
use crate::config;
use crate::context::Context;
use crate::daemon::{self, Daemon};
use crate::failure::Failure;
use crate::outcome::Outcome;

/// How long an answer may wait for a command that holds the database: a client asks again after a few seconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Serve machines that boot over the network, until told to stop
#[derive(Debug, Args)]
#[command(after_help = "DHCP answers from the tables as they are at that moment: a node by table mac with its address of table hosts, another
machine with one of networks.dynamicrange or, without that, not at all. Only networks of table networks are served.
Addresses that were given are in table lease and outlive the daemon. Firmware that boots over the network is sent to
networks.tftpserver for iPXE (undionly.kpxe, snponly.efi, ipxe-arm64.efi). The log goes to stderr.

Of table site: dhcpinterfaces (interfaces by comma), dhcplease (seconds, default 43200), domain, nameservers, ntpservers.

Examples:
  xcrane serve --interface eth1
  xcrane serve --interface eth1 --proxy     beside the site's own DHCP server
  xcrane serve -i eth1,eth2 --services dhcp
  systemctl enable --now xcrane             the interfaces of site.dhcpinterfaces")]
pub(crate) struct Serve {
    /// Answer on this interface; several by comma or one each; without it those of site.dhcpinterfaces
    #[arg(short, long = "interface", value_name = "INTERFACE", value_delimiter = ',')]
    interfaces: Vec<String>,
    /// Serve only these
    #[arg(long, value_enum, value_name = "SERVICE", value_delimiter = ',', default_values_t = [Offer::Dhcp, Offer::Ra])]
    services: Vec<Offer>,
    /// Leave addresses to the DHCP server that is there, say only what to boot from
    #[arg(long)]
    proxy: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Offer {
    /// Addresses and what to boot from
    Dhcp,
    /// Empty IPv6 router advertisements, which spare iPXE a wait of 13 seconds
    Ra,
}

impl Run for Serve {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        daemon::start_log();
        let home = config::home()?;
        let tables = Arc::new(Tables::open(&home)?);
        tables.set_patience(PATIENCE)?;
        let interfaces = self.interfaces(&tables)?;
        let mut daemon = Daemon::new()?;
        if self.services.contains(&Offer::Dhcp) {
            self.start_dhcp(&mut daemon, &tables, &interfaces)?;
        }
        if self.services.contains(&Offer::Ra) {
            start_advertising(&mut daemon, &interfaces)?;
        }
        cx.ui.flush();
        daemon.run(&home).await
    }
}

impl Serve {
    /// Those that were named, each once.
    fn interfaces(&self, tables: &Tables) -> Result<Vec<String>, Failure> {
        let mut named = self.interfaces.clone();
        if named.is_empty() {
            let listed = tables.site("dhcpinterfaces")?.unwrap_or_default();
            if listed.contains('|') {
                return Err(Failure::refused(format!(
                    "site.dhcpinterfaces is '{listed}', which names interfaces of other servers too"
                ))
                .hint("name those of this one: xcrane serve --interface eth1"));
            }
            named = listed.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        }
        named.sort();
        named.dedup();
        if named.is_empty() {
            return Err(Failure::refused("no interface is named, and answers go out on no others")
                .hint("xcrane serve --interface eth1, or chdef -t site dhcpinterfaces=eth1"));
        }
        Ok(named)
    }

    fn start_dhcp(&self, daemon: &mut Daemon, tables: &Arc<Tables>, interfaces: &[String]) -> Result<(), Failure> {
        let manner = if self.proxy { Manner::Proxy } else { Manner::Authoritative };
        let mut service = Service::open(tables.clone(), manner, Served::default())?;
        let mut ports = vec![dhcp::SERVER_PORT];
        ports.extend(self.proxy.then_some(dhcp::PROXY_PORT));
        let mut open = Vec::new();
        for interface in interfaces {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let link = Link::open(interface, now).map_err(|error| refused("dhcp", interface, &error))?;
            let networks = service.subnets_on(&link).join(",");
            if networks.is_empty() {
                tracing::warn!(interface, "no network of table networks is there: only relays are answered");
            }
            tracing::info!(interface, networks, proxy = self.proxy, "dhcp");
            for port in &ports {
                let socket = sockets::udp(interface, *port);
                open.push((socket.map_err(|error| refused("dhcp", interface, &error))?, link.clone()));
            }
        }
        let service = Arc::new(Mutex::new(service));
        for (socket, link) in open {
            let service = service.clone();
            daemon.start(|stop| async move { dhcp::serve(socket, link, &service, stop).await });
        }
        Ok(())
    }
}

fn start_advertising(daemon: &mut Daemon, interfaces: &[String]) -> Result<(), Failure> {
    for interface in interfaces {
        let advertiser = Advertiser::open(interface).map_err(|error| refused("ra", interface, &error))?;
        daemon.start(|stop| advertiser.serve(stop));
    }
    Ok(())
}

fn refused(service: &str, interface: &str, error: &std::io::Error) -> Failure {
    let failure = Failure::refused(format!("cannot serve {service} on interface {interface}: {error}"));
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => failure.hint("it takes root to begin; what it took is given away then"),
        std::io::ErrorKind::AddrInUse => failure.hint("another DHCP server runs on this machine; stop it, or name other interfaces"),
        _ => failure,
    }
}
