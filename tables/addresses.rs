//! Addresses that several nodes have: two guests with one IP or MAC take each other's traffic.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::objects::nic;
use crate::schema::{self, Table};
use crate::store::Store;
use crate::{Edit, Result, Select, Tables, nics, resolve};

/// An address that more than one node has, or a node and a network's router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// `ip` or `mac`.
    pub attribute: &'static str,
    /// As it is usually written: differences in spelling do not make another address.
    pub address: String,
    /// All nodes with that address, sorted.
    pub nodes: Vec<String>,
    /// The networks (table networks) whose router has it.
    pub gateways: Vec<String>,
}

impl Tables {
    /// The addresses of these nodes that other nodes, defined anywhere, or routers have too. Names that are no nodes
    /// share nothing.
    pub fn shared_addresses(&self, names: &[String]) -> Result<Vec<Shared>> {
        let store = self.store();
        store.read(|| shared(&store, names))
    }
}

impl Edit<'_> {
    /// As [`Tables::shared_addresses`].
    pub fn shared_addresses(&self, names: &[String]) -> Result<Vec<Shared>> {
        shared(self.store(), names)
    }

    /// Every MAC address that any node has, in small letters with colons.
    pub fn macs(&self) -> Result<HashSet<String>> {
        let nodes = self.store().node_names()?;
        let nodes = nodes.to_vec();
        let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
        let mut macs = HashSet::new();
        resolve::each_text(self.store(), &nodes, &[(table("mac"), "mac")], &mut |_, _, cell| {
            macs.extend(nics::macs(cell).map(|(mac, _)| Address::mac(mac).to_string()));
        })?;
        Ok(macs)
    }
}

/// Where addresses stand. Those of the first ones are the node's own ports; the others are of what belongs to it, and
/// nobody's mistake until a port has them.
const COLUMNS: [(&str, &str, Use); 7] = [
    ("hosts", "ip", Use::Ip),
    ("hosts", "otherinterfaces", Use::Named),
    ("nics", "nicips", Use::Ports),
    ("mac", "mac", Use::Macs),
    ("dockerhost", "endpoint", Use::Endpoint),
    ("ipmi", "bmc", Use::Beside),
    ("openbmc", "bmc", Use::Beside),
];

/// How a column holds addresses.
#[derive(Clone, Copy)]
enum Use {
    Ip,
    /// `-suffix:ip,name:ip`
    Named,
    /// `eth1!ip|ip,ib0!ip`
    Ports,
    /// `mac!name|mac`
    Macs,
    /// `ssh://root@ip:port`
    Endpoint,
    Beside,
}

/// An address whatever its spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Address {
    Ip(IpAddr),
    Mac([u8; 6]),
    /// What is neither, such as a host name.
    OtherIp(String),
    OtherMac(String),
}

/// Who has an address: a node by its number, or the router of a network by the number of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Port(usize),
    /// Something that belongs to the node.
    Beside(usize),
    Gateway(usize),
}

/// Looks at the inherited and computed addresses of all nodes, in one reading of the tables.
fn shared(store: &Store, names: &[String]) -> Result<Vec<Shared>> {
    let all = store.node_names()?.to_vec();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let asked: HashSet<&str> = names.iter().map(String::as_str).collect();
    let mut owned: Vec<(Address, Owner)> = Vec::with_capacity(2 * all.len());
    let columns = COLUMNS.map(|(name, column, _)| (table(name), column));
    resolve::each_text(store, &all, &columns, &mut |node, column, cell| {
        each_address(COLUMNS[column].2, cell, &mut |address, beside| {
            owned.push((address, if beside { Owner::Beside(node) } else { Owner::Port(node) }));
        });
    })?;
    let networks = store.rows(table("networks"), Select::All)?;
    let gateways = networks.iter().enumerate().filter_map(|(number, row)| Some((row.get("gateway")?, number)));
    owned.extend(gateways.filter_map(|(text, row)| Some((Address::Ip(text.parse().ok()?), Owner::Gateway(row)))));
    owned.sort_unstable();
    let groups = owned.chunk_by(|one, other| one.0 == other.0).filter(|owners| owners.len() > 1);
    let mut shared: Vec<Shared> = groups
        .filter(|owners| {
            owners.iter().any(|(_, owner)| matches!(owner, Owner::Port(node) if asked.contains(all[*node])))
        })
        .map(|owners| {
            let mut nodes: Vec<&str> = owners.iter().filter_map(|(_, owner)| Some(all[owner.node()?])).collect();
            nodes.sort_unstable();
            nodes.dedup();
            let routed = owners.iter().filter_map(|(_, owner)| networks[owner.row()?].get("netname"));
            Shared {
                attribute: owners[0].0.attribute(),
                address: owners[0].0.to_string(),
                nodes: nodes.into_iter().map(str::to_owned).collect(),
                gateways: routed.map(str::to_owned).collect(),
            }
        })
        .filter(|shared| shared.nodes.len() + shared.gateways.len() > 1)
        .collect();
    shared.sort_by(|a, b| (a.attribute, &a.nodes, &a.address).cmp(&(b.attribute, &b.nodes, &b.address)));
    Ok(shared)
}

fn table(name: &str) -> &'static Table {
    schema::find(name).expect("the schema has the tables of addresses")
}

/// Gives every address of a cell to `each`, with whether it is only of something beside the node.
fn each_address(kind: Use, cell: &str, each: &mut dyn FnMut(Address, bool)) {
    match kind {
        Use::Ip => each(Address::ip(cell), false),
        Use::Named => {
            let parts = cell.split(',').filter_map(|part| part.split_once(':'));
            parts.for_each(|(_, ip)| each(Address::ip(ip.trim()), false));
        }
        Use::Ports => nic::entries(cell)
            .flat_map(|(_, addresses)| addresses.split('|'))
            .filter(|address| !address.trim().is_empty())
            .for_each(|address| each(Address::ip(address.trim()), false)),
        Use::Macs => nics::macs(cell).for_each(|(mac, _)| each(Address::mac(mac), false)),
        Use::Endpoint => {
            let host = cell.split_once("://").map_or(cell, |(_, rest)| rest.rsplit('@').next().unwrap_or(rest));
            let bare = host.strip_prefix('[').and_then(|rest| rest.split(']').next());
            each(Address::ip(bare.or_else(|| host.split(':').next()).unwrap_or(host)), true);
        }
        Use::Beside => each(Address::ip(cell), true),
    }
}

impl Owner {
    fn node(self) -> Option<usize> {
        match self {
            Self::Port(node) | Self::Beside(node) => Some(node),
            Self::Gateway(_) => None,
        }
    }

    fn row(self) -> Option<usize> {
        match self {
            Self::Gateway(row) => Some(row),
            Self::Port(_) | Self::Beside(_) => None,
        }
    }
}

impl Address {
    fn ip(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::OtherIp(text.to_owned()), Self::Ip)
    }

    /// Six octets however they are separated; anything else (InfiniBand has twenty) as its digits.
    fn mac(text: &str) -> Self {
        let digits = || text.chars().filter_map(|digit| digit.to_digit(16));
        if digits().count() != 12 {
            return Self::OtherMac(digits().filter_map(|digit| char::from_digit(digit, 16)).collect());
        }
        let number = digits().fold(0_u64, |number, digit| number << 4 | u64::from(digit));
        let [_, _, octets @ ..] = number.to_be_bytes();
        Self::Mac(octets)
    }

    fn attribute(&self) -> &'static str {
        match self {
            Self::Ip(_) | Self::OtherIp(_) => "ip",
            Self::Mac(_) | Self::OtherMac(_) => "mac",
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::OtherIp(text) | Self::OtherMac(text) => f.write_str(text),
            Self::Mac([a, b, c, d, e, g]) => write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::tables::tests::filled;

    /// `expected` has a line `attribute address nodes` for each shared address.
    #[track_caller]
    fn check(rows: &str, names: &[&str], expected: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let shared = filled(rows).shared_addresses(&names).unwrap();
        let line = |shared: &super::Shared| {
            let owners: Vec<&str> = shared.nodes.iter().chain(&shared.gateways).map(String::as_str).collect();
            format!("{} {} {}", shared.attribute, shared.address, owners.join(","))
        };
        assert_eq!(shared.iter().map(line).collect::<Vec<_>>(), expected, "{rows}");
    }

    #[test]
    fn one_address_of_two_nodes_is_found_however_it_is_spelled() {
        let rows = "nodelist n[1-4] groups=all; hosts n1 ip=10.0.0.1; hosts n2 ip=10.0.0.1; hosts n3 ip=fd00::1; \
                    hosts n4 ip=fd00:0::1; mac n1 mac=02:AA:00:00:00:01; mac n4 mac=02-aa-00-00-00-01";
        check(rows, &["n1"], &["ip 10.0.0.1 n1,n2", "mac 02:aa:00:00:00:01 n1,n4"]);
        check(rows, &["n3"], &["ip fd00::1 n3,n4"]);
        check(rows, &["nowhere"], &[]);
    }

    #[test]
    fn inherited_and_computed_addresses_count() {
        let rows = r"nodelist n[1-3] groups=all; hosts all ip=|n(\d+)|10.0.0.($1)|; nodelist x groups=other; hosts x ip=10.0.0.2";
        check(rows, &["n1"], &[]);
        check(rows, &["n1", "n2"], &["ip 10.0.0.2 n2,x"]);
        check("nodelist n[1-3] groups=all; hosts all ip=10.0.0.9", &["n1"], &["ip 10.0.0.9 n1,n2,n3"]);
    }

    #[test]
    fn further_ports_count() {
        let rows = "nodelist n[1-3] groups=all; hosts n1 ip=10.0.0.1; nics n2 nicips=eth1!10.0.0.1,eth2!fd00::1; \
                    hosts n3 otherinterfaces=-ib:fd00::1; mac n1 mac=02:aa:00:00:00:01; \
                    mac n3 mac=|02:aa:00:00:00:09!a|02:AA:00:00:00:01!b";
        check(rows, &["n1"], &["ip 10.0.0.1 n1,n2", "mac 02:aa:00:00:00:01 n1,n3"]);
        check(rows, &["n2"], &["ip 10.0.0.1 n1,n2", "ip fd00::1 n2,n3"]);
        let all = r"nodelist n[1-3] groups=all; nics all nicips=eth1!|n(\d+)|10.0.0.($1)|; hosts n1 ip=10.0.0.3";
        check(all, &["n1"], &["ip 10.0.0.3 n1,n3"]);
    }

    #[test]
    fn what_belongs_to_a_node_is_in_the_way_of_a_port_only() {
        let rows = "nodelist h1 groups=all; nodelist h2 groups=all; nodelist n1 groups=all; hosts n1 ip=10.0.0.7; \
                    dockerhost h1 endpoint=ssh://root@10.0.0.7:22; ipmi h1 bmc=10.0.0.8; ipmi h2 bmc=10.0.0.8";
        check(rows, &["n1"], &["ip 10.0.0.7 h1,n1"]);
        check(rows, &["h1", "h2"], &[]);
        check(
            &rows.replace("root@10.0.0.7:22", "[fd00::1]").replace("ip=10.0.0.7", "ip=fd00::1"),
            &["n1"],
            &["ip fd00::1 h1,n1"],
        );
    }

    #[test]
    fn a_router_has_its_address_alone() {
        let rows = "nodelist n1 groups=all; nodelist r1 groups=all; hosts n1 ip=10.0.0.254; hosts r1 ip=10.1.0.254; \
                    networks 10.0.0.0,255.255.255.0 netname=cluster,gateway=10.0.0.254; \
                    networks 10.1.0.0,255.255.255.0 netname=other,gateway=10.1.0.254";
        check(rows, &["n1"], &["ip 10.0.0.254 n1,cluster"]);
    }

    #[test]
    fn a_node_shares_nothing_with_itself() {
        check("nodelist n1 groups=all; mac n1 mac=02:aa:00:00:00:01!a|02:aa:00:00:00:01!b", &["n1"], &[]);
        check("nodelist n1 groups=all; nodelist n2 groups=all", &["n1", "n2"], &[]);
    }
}
