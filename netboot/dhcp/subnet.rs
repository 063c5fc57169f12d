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

/// A cell of a network, or a part of one, that means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) network: String,
    pub(crate) column: &'static str,
    pub(crate) value: String,
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
    /// The network of a row; None if it is none of IPv4. What cannot be read of it is added to `unread`.
    pub(crate) fn read(row: &Row, site: &Site, unread: &mut Vec<Unread>) -> Option<Self> {
        let cell = |column: &str| row.get(column).map(str::to_owned);
        let list = |cell: Option<String>| cell.as_deref().map(servers).unwrap_or_default();
        let [net, mask] = ["net", "mask"].map(|column| row.get(column).unwrap_or_default());
        let name = cell("netname").unwrap_or_else(|| format!("{net},{mask}"));
        let mut doubt = |column: &'static str, value: &str| {
            unread.push(Unread { network: name.clone(), column, value: value.to_owned() });
        };
        let network = match interfaces::parse(net, mask) {
            Some(IpNetwork::V4(network)) => network,
            Some(IpNetwork::V6(_)) => return None,
            None => {
                doubt("net", &format!("{net},{mask}"));
                return None;
            }
        };
        let mut dynamic = Vec::new();
        for item in row.get("dynamicrange").into_iter().flat_map(Ranges::items) {
            match Ranges::range(item).and_then(|ends| within(ends, network)) {
                Some(ends) => dynamic.push(ends),
                None => doubt("dynamicrange", item),
            }
        }
        let mtu = row.get("mtu").and_then(|text| text.parse().map_err(|_| doubt("mtu", text)).ok());
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
            dynamic,
            dhcp_server,
            tftp_server,
            routers: list(cell("gateway")),
            name_servers: list(cell("nameservers").or_else(|| site.name_servers.clone())),
            time_servers: list(cell("ntpservers").or_else(|| site.time_servers.clone())),
            log_servers: list(cell("logservers")),
            domain: cell("domain").or_else(|| site.domain.clone()),
            mtu,
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

#[cfg(test)]
mod tests {
    use tables::schema;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_told() {
        let check = |cells: &[(&str, &str)], is_network: bool, expected: &[&str]| {
            let table = schema::find("networks").unwrap();
            let cell = |column: &schema::Column| {
                cells.iter().find(|(name, _)| *name == column.name).map_or("", |(_, value)| value)
            };
            let row = Row::new(table, table.columns.iter().map(cell));
            let mut unread = Vec::new();
            let subnet = Subnet::read(&row, &Site::default(), &mut unread);
            let told: Vec<String> =
                unread.iter().map(|unread| format!("{} {} {}", unread.network, unread.column, unread.value)).collect();
            assert_eq!((subnet.is_some(), told), (is_network, expected.iter().map(|text| (*text).into()).collect()));
        };
        let (net, mask, name) = (("net", "10.1.0.0"), ("mask", "255.255.0.0"), ("netname", "lab"));
        check(&[net, mask, name, ("dynamicrange", "10.1.0.1-10.1.0.9, 10.1.2.0/24"), ("mtu", "9000")], true, &[]);
        check(&[("net", "fd00::"), ("mask", "/64"), name], false, &[]);
        check(&[net, ("mask", "255.0.255.0"), name], false, &["lab net 10.1.0.0,255.0.255.0"]);
        check(&[("net", "10.1"), mask], false, &["10.1,255.255.0.0 net 10.1,255.255.0.0"]);
        let ranges = "10.1.0.9-10.1.0.1,10.1.0.20-10.1.0.29,10.2.0.1-10.2.0.9,x";
        let told = ["lab dynamicrange 10.1.0.9-10.1.0.1", "lab dynamicrange 10.2.0.1-10.2.0.9", "lab dynamicrange x"];
        check(&[net, mask, name, ("dynamicrange", ranges)], true, &told);
        check(&[net, mask, name, ("mtu", "big")], true, &["lab mtu big"]);
    }
}
