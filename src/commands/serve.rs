//! `xcrane serve`: the daemon that machines ask when they boot.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use netboot::dhcp::{Manner, Served};
use tables::Tables;

use super::Run;
use crate::boot::http_port;
use crate::config;
use crate::context::Context;
use crate::daemon::{self, Account, Log, Services};
use crate::diskless::root::keys;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Serve machines that boot over the network, until told to stop
#[derive(Debug, Args)]
#[command(
    after_help = "DHCP answers from the tables as they are at that moment: a node by table mac with its address of table hosts, another
machine with one of networks.dynamicrange or, without that, not at all. Only networks of table networks are served.
Addresses that were given are in table lease and outlive the daemon.

Firmware that boots over the network is given iPXE (undionly.kpxe, snponly.efi, ipxe-arm64.efi, of the distribution's package ipxe)
by TFTP, from here or from networks.tftpserver; Debian 12's package has none for arm64, and what stands as ipxe-arm64.efi beside
the others in /usr/lib/ipxe (of a newer package, or of a build of the site's own) is served; iPXE is given the node's script by HTTP, as nodeset --show writes it. Over HTTP nodes
load their images, their postscripts and the answers of their installers, and say how far they have come: nodelist.status follows. The log goes to stderr.
What is seen of machines is told by bootwhy. A node that is on its way for longer than site.boottimeout (default 900 s) is booted if its
sshd answers, else failed.

A node proves by its token who it is, and by calling from where it is: an address of its own by the tables or by a lease, or one at
which the kernel finds its MAC address. Nodes behind an address translation (NAT) are not served. A DHCP relay is the router of its
network (networks.gateway): what comes through another one does not prove that a node boots, which then stays powering-on until its
sshd answers.

DNS knows the names and addresses that makehosts would write, in both directions; DHCP names this server where neither
networks.nameservers nor site.nameservers names one. Other names are asked of site.forwarders, for machines of the networks of
table networks only; without forwarders they are refused.

With --user the program gives up root for good when its sockets are bound: that user owns the database then, its
directory and nodes/ there, and has no capability. Without it the program stays root, without any capability. Images, the maintenance
system and templates must be readable for it.

Where there is a maintenance system (mknb), a machine that no node has the MAC address of boots that, and tells what it is. It
becomes the node that has its serial number, UUID, BMC or switch port in tables vpd, ipmi and switch, or the next of those that
nodediscoverstart has named, and goes through the node's chain (table chain). All others wait: see nodediscoverls.

Of table site: dhcpinterfaces (interfaces by comma), httpport (default 80), dhcplease (seconds, default 43200), domain, nameservers,
forwarders (addresses by comma), ntpservers, metrics (address and port for Prometheus), boottimeout (seconds).

Examples:
  xcrane serve --interface eth1
  xcrane serve --interface eth1 --proxy     beside the site's own DHCP server
  xcrane serve -i eth1,eth2 --services dhcp
  xcrane serve -i eth1 --user xcrane
  systemctl enable --now xcrane             the interfaces of site.dhcpinterfaces
  echo OPTIONS=--proxy >/etc/default/xcrane what the unit is to be told beside"
)]
pub(crate) struct Serve {
    /// Answer on this interface; several by comma or one each; without it those of site.dhcpinterfaces
    #[arg(short, long = "interface", value_name = "INTERFACE", value_delimiter = ',')]
    interfaces: Vec<String>,
    /// Serve only these
    #[arg(
        long,
        value_enum,
        value_name = "SERVICE",
        value_delimiter = ',',
        default_values_t = [Offer::Dhcp, Offer::Ra, Offer::Dns, Offer::Tftp, Offer::Http]
    )]
    services: Vec<Offer>,
    /// Leave addresses to the DHCP server that is there, say only what to boot from
    #[arg(long)]
    proxy: bool,
    /// How the log is written: for people, or one JSON object a line
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Log::Text)]
    log: Log,
    /// Answer GET /metrics there with numbers for Prometheus; without it at site.metrics, if that is set
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
    /// Go on as this user once the sockets are bound; it is made the owner of the database
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only make USER the owner of the database, serve nothing
    #[arg(long, requires = "user")]
    prepare: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Offer {
    /// Addresses and what to boot from
    Dhcp,
    /// Empty IPv6 router advertisements, which spare iPXE a wait of 13 seconds
    Ra,
    /// Names and addresses of the nodes
    Dns,
    /// iPXE for firmware
    Tftp,
    /// Scripts and images for iPXE, and what nodes say of themselves
    Http,
}

impl Run for Serve {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        daemon::start_log(self.log);
        let home = config::home()?;
        let user = self.user.as_deref().map(Account::find).transpose()?;
        let tables = Tables::open(&home)?;
        if let (true, Some(user)) = (self.prepare, &user) {
            drop(tables);
            user.hand_over(&home)?;
            return Ok(Outcome::Done);
        }
        let interfaces = self.interfaces(&tables)?;
        let mut services = Services::new(&home, interfaces, keys(&cx.settings()?))?;
        let has = |offer| self.services.contains(&offer);
        let port = has(Offer::Http).then(|| http_port(&tables)).transpose()?;
        if has(Offer::Dhcp) {
            let manner = if self.proxy { Manner::Proxy } else { Manner::Authoritative };
            services.start_dhcp(manner, Served { tftp: has(Offer::Tftp), http: port, dns: has(Offer::Dns) })?;
        }
        if has(Offer::Ra) {
            services.start_advertising()?;
        }
        if has(Offer::Dns) {
            services.start_dns()?;
        }
        if has(Offer::Tftp) {
            services.start_tftp()?;
        }
        if let Some(port) = port {
            services.start_http(port)?;
        }
        if let Some(address) = self.metrics(&tables)? {
            services.start_metrics(address)?;
        }
        cx.ui.flush();
        services.daemon.run(&home, user.as_ref()).await
    }
}

impl Serve {
    /// Where numbers are asked for, if anywhere.
    fn metrics(&self, tables: &Tables) -> Result<Option<SocketAddr>, Failure> {
        let listed = tables.site("metrics")?;
        let read = |listed: String| {
            listed.parse().map_err(|_| {
                Failure::refused(format!("site.metrics is '{listed}', which is no address with a port"))
                    .hint("chdef -t site metrics=127.0.0.1:9684, or metrics= for none")
            })
        };
        self.metrics.map_or_else(|| listed.map(read).transpose(), |address| Ok(Some(address)))
    }

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
}
