//! A network of table networks as DHCP sees it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::{IpNetwork, Ipv4Network};
use tables::Row;

use crate::interfaces;
use crate::networks::Ranges;

/// An address of a server; None is this server, whatever address it has there.
pub(crate) type Server = Option<Ipv4Addr>;

/// Who answers on a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    Anybody,
    Only(Ipv4Addr),
    /// A server whose address is not known, so that it is not us.
    Another,
}

/// What stands in place of an address and means this server.
const OURSELVES: &str = "<xcatmaster>";

/// A network whose machines are given addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    pub name: String,
    network: Ipv4Network,
    pub(crate) dynamic: Vec<(Ipv4Addr, Ipv4Addr)>,
    pub(crate) dhcp_server: Answers,
    pub(crate) tftp_server: Server,
    pub(crate) routers: Vec<Server>,
    pub(crate) name_servers: Vec<Server>,
    pub(crate) time_servers: Vec<Server>,
    pub(crate) log_servers: Vec<Server>,
    pub(crate) domain: Option<String>,
    pub(crate) mtu: Option<u16>,
}

/// What is said elsewhere than in the row of a network: by table site for all that do not say it themselves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Site {
    pub(crate) name_servers: Option<String>,
    pub(crate) time_servers: Option<String>,
    pub(crate) domain: Option<String>,
    /// The addresses of the nodes that are named as servers.
    pub(crate) servers: HashMap<String, Ipv4Addr>,
}

impl Subnet {
    /// The network of a row; None if it is none of IPv4.
    pub(crate) fn read(row: &Row, site: &Site) -> Option<Self> {
        let IpNetwork::V4(network) = interfaces::parse(row.get("net")?, row.get("mask")?)? else { return None };
        let cell = |column: &str| row.get(column).map(str::to_owned);
        let list = |cell: Option<String>| cell.as_deref().map(servers).unwrap_or_default();
        let ranges = row.get("dynamicrange").map(Ranges::parse).unwrap_or_default();
        let name = cell("netname").unwrap_or_else(|| network.to_string());
        let tftp_server = site.server(row.get("tftpserver")).unwrap_or_else(|unknown| {
            tracing::warn!(
                network = name,
                tftpserver = unknown,
                "is neither an address nor a node with one: passed over"
            );
            None
        });
        let dhcp_server = match site.server(row.get("dhcpserver")) {
            Ok(None) => Answers::Anybody,
            Ok(Some(address)) => Answers::Only(address),
            Err(unknown) => {
                tracing::warn!(
                    network = name,
                    dhcpserver = unknown,
                    "is neither an address nor a node with one: not ours"
                );
                Answers::Another
            }
        };
        Some(Self {
            name,
            network,
            dynamic: ranges.ends.into_iter().filter_map(|ends| within(ends, network)).collect(),
            dhcp_server,
            tftp_server,
            routers: list(cell("gateway")),
            name_servers: list(cell("nameservers").or_else(|| site.name_servers.clone())),
            time_servers: list(cell("ntpservers").or_else(|| site.time_servers.clone())),
            log_servers: list(cell("logservers")),
            domain: cell("domain").or_else(|| site.domain.clone()),
            mtu: row.get("mtu").and_then(|mtu| mtu.parse().ok()),
        })
    }

    pub fn network(&self) -> Ipv4Network {
        self.network
    }

    /// Whether a machine can have this address there.
    pub(crate) fn has(&self, address: Ipv4Addr) -> bool {
        let ends = [self.network.network(), self.network.broadcast()];
        self.network.contains(address) && (self.network.prefix() > 30 || !ends.contains(&address))
    }

    /// Whether DHCP may give this address to whom it likes.
    pub(crate) fn is_dynamic(&self, address: Ipv4Addr) -> bool {
        self.has(address) && self.dynamic.iter().any(|(first, last)| (first..=last).contains(&&address))
    }

    /// The addresses of servers, where ours is `ours`.
    pub(crate) fn seen_from(servers: &[Server], ours: Ipv4Addr) -> Vec<Ipv4Addr> {
        servers.iter().map(|server| server.unwrap_or(ours)).collect()
    }
}

impl Site {
    /// The first server of a cell, which may be a node's name; an error is what is no server.
    fn server<'c>(&self, cell: Option<&'c str>) -> Result<Server, &'c str> {
        let Some(first) = items(cell.unwrap_or_default()).next() else { return Ok(None) };
        if first == OURSELVES {
            return Ok(None);
        }
        first.parse().ok().or_else(|| self.servers.get(first).copied()).map(Some).ok_or(first)
    }
}

/// The items of a list.
pub(crate) fn items(cell: &str) -> impl Iterator<Item = &str> {
    cell.split([',', ' ']).map(str::trim).filter(|item| !item.is_empty())
}

/// The addresses of a list; what is a name is left out, for DHCP has no room for names.
fn servers(cell: &str) -> Vec<Server> {
    items(cell).filter_map(|item| if item == OURSELVES { Some(None) } else { item.parse().ok().map(Some) }).collect()
}

/// The part of a range that is in the network.
fn within((first, last): (IpAddr, IpAddr), network: Ipv4Network) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let (IpAddr::V4(first), IpAddr::V4(last)) = (first, last) else { return None };
    let (first, last) = (first.max(network.network()), last.min(network.broadcast()));
    (first <= last).then_some((first, last))
}
