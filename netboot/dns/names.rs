//! What the tables say of names and addresses, in the form in which DNS asks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use ipnetwork::IpNetwork;
use tables::schema::{self, Table};
use tables::{Node, Select, Tables};

use super::serve::PORT;
use crate::hosts::{self, Entry, Style};
use crate::interfaces;

/// Addresses of one name, names of one address: more fit into no answer that anybody reads.
const MOST: usize = 64;

/// Names and addresses of all nodes. Names are in lower case and have no dot at their end.
#[derive(Debug, Default)]
pub struct Names {
    addresses: HashMap<String, Vec<IpAddr>>,
    pointers: BTreeMap<IpAddr, Vec<String>>,
    /// Names below which there are others.
    above: HashSet<String>,
    /// The domains that are ours.
    domains: Vec<String>,
    /// The networks that are ours.
    networks: Vec<IpNetwork>,
    /// Who is asked for what is not ours.
    pub(super) forwarders: Vec<SocketAddr>,
    /// When this was read: a greater number is younger.
    pub(super) serial: u32,
}

impl Names {
    /// Reads all that DNS needs to know.
    pub fn read(tables: &Tables) -> tables::Result<Self> {
        let style = Style { aliases_everywhere: false, ..Style::read(tables)? };
        let rows = tables.rows(table("networks"), Select::All)?;
        let networks = rows.iter().filter_map(|row| interfaces::parse(row.get("net")?, row.get("mask")?)).collect();
        let domains = style.domain.iter().chain(style.domains.iter().map(|(_, domain)| domain)).map(|name| key(name));
        let forwarders = tables.site("forwarders")?.unwrap_or_default();
        let forwarders = forwarders.split([',', ' ']).filter_map(|item| item.trim().parse::<IpAddr>().ok());
        let mut names = Self {
            domains: domains.collect(),
            networks,
            forwarders: forwarders.map(|address| SocketAddr::new(address, PORT)).collect(),
            serial: SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_secs() as u32),
            ..Self::default()
        };
        for node in nodes(tables)? {
            // What is wrong with a node is for makehosts to say; the others have their names.
            for entry in hosts::entries(&node, &style).unwrap_or_default() {
                names.add(&entry);
            }
        }
        Ok(names)
    }

    fn add(&mut self, entry: &Entry) {
        let pointers = self.pointers.entry(entry.ip).or_default();
        if pointers.len() < MOST {
            pointers.push(key(entry.long_name()));
        }
        for name in entry.all_names().map(|name| key(&name)) {
            self.add_above(&name);
            let addresses = self.addresses.entry(name).or_default();
            if addresses.len() < MOST && !addresses.contains(&entry.ip) {
                addresses.push(entry.ip);
            }
        }
    }

    fn add_above(&mut self, name: &str) {
        let mut rest = name;
        while let Some((_, above)) = rest.split_once('.') {
            if !self.above.insert(above.to_owned()) {
                return;
            }
            rest = above;
        }
    }

    /// The addresses of a name.
    pub(super) fn addresses(&self, name: &str) -> Option<&[IpAddr]> {
        self.addresses.get(name).map(Vec::as_slice)
    }

    /// The names of an address.
    pub(super) fn pointers(&self, address: IpAddr) -> &[String] {
        self.pointers.get(&address).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether there are names below this one.
    pub(super) fn is_above(&self, name: &str) -> bool {
        self.above.contains(name)
    }

    /// The smallest domain of ours that a name is in, itself included.
    pub(super) fn domain_of(&self, name: &str) -> Option<&str> {
        let inside = |domain: &&String| {
            name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.domains.iter().filter(inside).max_by_key(|domain| domain.len()).map(String::as_str)
    }

    /// The domain that our own name is in.
    pub(super) fn own_domain(&self) -> Option<&str> {
        self.domains.first().map(String::as_str)
    }

    /// How many bits of an address there are in the name of the reverse zone of ours that it is in. Zones end between
    /// octets, between half octets for IPv6; a network that does not has several, and small ones have a zone an address.
    pub(super) fn zone_bits(&self, address: IpAddr) -> Option<u8> {
        let (step, least) = if address.is_ipv4() { (8, 8) } else { (4, 16) };
        let holding = self.networks.iter().filter(|network| network.contains(address) && network.prefix() >= least);
        holding.map(|network| network.prefix().div_ceil(step) * step).min()
    }

    /// Whether it is an address of a network of ours.
    pub(super) fn has_network(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }
}

/// The nodes with what makes their names and addresses.
fn nodes(tables: &Tables) -> tables::Result<Vec<Node>> {
    const COLUMNS: [(&str, &str, &str); 4] = [
        ("hosts", "ip", "ip"),
        ("hosts", "hostnames", "hostnames"),
        ("hosts", "otherinterfaces", ""),
        ("nics", "nicips", ""),
    ];
    let names = tables.node_names(true)?.to_vec();
    let columns = COLUMNS.map(|(name, column, _)| (table(name), column));
    let (mut nodes, mut full) = (Vec::new(), Vec::new());
    for (name, cells) in names.iter().zip(tables.cells(&names, &columns)?) {
        // Only few nodes have further addresses, and those are asked for in full.
        if cells[2..].iter().any(|cell| cell.text.is_some()) {
            full.push(name.clone());
            continue;
        }
        let attributes = COLUMNS[..2].iter().zip(cells);
        let attributes = attributes.filter_map(|((_, _, attribute), cell)| Some(((*attribute).to_owned(), cell.text?)));
        nodes.push(Node::new(name, attributes.collect(), None));
    }
    nodes.extend(tables.resolve(&full)?);
    Ok(nodes)
}

/// A name as it is compared.
fn key(name: &str) -> String {
    name.trim_end_matches('.').to_lowercase()
}

fn table(name: &str) -> &'static Table {
    schema::find(name).expect("the schema has the tables of names and networks")
}
