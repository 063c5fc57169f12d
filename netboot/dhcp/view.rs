//! What the tables say of machines and networks, in the form in which DHCP asks.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use tables::schema::{self, Table};
use tables::{Node, Row, Select, Tables, Value, nics};

use super::subnet::{Site, Subnet, Unread, items};
use crate::mac::Mac;

/// How long an address is given for where site.dhcplease does not say it: xCAT's twelve hours.
const LEASE: u32 = 43_200;
/// Shorter leases would have every machine ask all the time.
const SHORTEST_LEASE: u32 = 60;
/// What stands behind a hardware address that DHCP is to leave alone.
const UNBOUND: &str = "*NOIP*";

/// Networks, and who is known by which hardware address.
#[derive(Debug, Default)]
pub struct View {
    pub(crate) subnets: Vec<Subnet>,
    machines: HashMap<Mac, Machine>,
    /// The addresses of nodes and routers, which nobody else is given.
    taken: HashSet<Ipv4Addr>,
    /// How long an address is given for, in seconds.
    pub(crate) lease: u32,
}

/// A port of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) node: String,
    /// The host name of the port's address.
    pub(crate) name: String,
    pub(crate) address: Option<Ipv4Addr>,
    /// False for a port that DHCP is to leave alone.
    pub(crate) bound: bool,
    /// Whether an answer beside another server's is wanted.
    pub(crate) proxy: bool,
}

impl View {
    /// Reads all that DHCP needs to know.
    pub fn read(tables: &Tables) -> tables::Result<Self> {
        let rows = tables.rows(table("networks"), Select::All)?;
        let site = Site {
            name_servers: tables.site("nameservers")?,
            time_servers: tables.site("ntpservers")?,
            domain: tables.site("domain")?,
            servers: servers(tables, &rows)?,
        };
        let lease = tables.site("dhcplease")?.and_then(|seconds| seconds.parse().ok());
        let mut unread = Vec::new();
        let subnets: Vec<Subnet> = rows.iter().filter_map(|row| Subnet::read(row, &site, &mut unread)).collect();
        // The tables are read when they have changed, so that this is told once and not for each packet.
        for Unread { network, column, value } in unread {
            tracing::warn!(network, column, value, "networks: cannot be read: passed over");
        }
        let mut view = Self {
            taken: subnets.iter().flat_map(|subnet| &subnet.routers).copied().flatten().collect(),
            subnets,
            machines: HashMap::new(),
            lease: lease.unwrap_or(LEASE).max(SHORTEST_LEASE),
        };
        view.add_machines(tables)?;
        Ok(view)
    }

    fn add_machines(&mut self, tables: &Tables) -> tables::Result<()> {
        let names = tables.node_names(true)?.to_vec();
        let columns = [(table("mac"), "mac"), (table("hosts"), "ip"), (table("noderes"), "proxydhcp")];
        let mut many_named = Vec::new();
        for (name, cells) in names.iter().zip(tables.cells(&names, &columns)?) {
            let [macs, ip, proxy] = [0, 1, 2].map(|place| cells[place].text.as_deref().unwrap_or_default());
            let address = ip.parse().ok();
            self.taken.extend(address);
            let own = Machine {
                node: name.clone(),
                name: name.clone(),
                address,
                bound: true,
                proxy: !matches!(proxy, "0" | "no" | "n"),
            };
            if macs.contains('!') {
                many_named.push((macs.to_owned(), own));
            } else {
                self.add(macs, &own, |_| None);
            }
        }
        // Only few nodes have ports with names of their own, and those are asked for in full.
        let full = tables.resolve(&many_named.iter().map(|(_, own)| own.node.clone()).collect::<Vec<_>>())?;
        for ((macs, own), node) in many_named.iter().zip(&full) {
            self.add(macs, own, |name| port_address(node, name));
        }
        Ok(())
    }

    fn add(&mut self, macs: &str, own: &Machine, address_of: impl Fn(&str) -> Option<Ipv4Addr>) {
        for (mac, name) in nics::macs(macs) {
            let Ok(mac) = mac.parse::<Mac>() else { continue };
            let machine = match name {
                None => own.clone(),
                Some(UNBOUND) => Machine { address: None, bound: false, ..own.clone() },
                Some(name) if name == own.name => own.clone(),
                Some(name) => Machine { name: name.to_owned(), address: address_of(name), ..own.clone() },
            };
            self.taken.extend(machine.address);
            self.machines.entry(mac).or_insert(machine);
        }
    }

    pub(crate) fn machine(&self, mac: Mac) -> Option<&Machine> {
        self.machines.get(&mac)
    }

    /// Whether it is the address of a node or a router.
    pub(crate) fn is_taken(&self, address: Ipv4Addr) -> bool {
        self.taken.contains(&address)
    }

    /// The smallest network that this address is in.
    pub(crate) fn subnet_of(&self, address: Ipv4Addr) -> Option<&Subnet> {
        let holding = self.subnets.iter().filter(|subnet| subnet.network().contains(address));
        holding.max_by_key(|subnet| subnet.network().prefix())
    }
}

/// The addresses of the nodes that networks name as their servers.
fn servers(tables: &Tables, rows: &[Row]) -> tables::Result<HashMap<String, Ipv4Addr>> {
    let cells =
        rows.iter().flat_map(|row| ["dhcpserver", "tftpserver"].map(|column| row.get(column).unwrap_or_default()));
    let named: HashSet<&str> = cells.flat_map(items).collect();
    let mut names = tables.node_names(true)?.to_vec();
    names.retain(|name| named.contains(name.as_str()));
    let cells = tables.cells(&names, &[(table("hosts"), "ip")])?;
    let address = |cells: &[Value]| cells[0].text.as_deref()?.parse().ok();
    Ok(names.into_iter().zip(&cells).filter_map(|(name, cells)| Some((name, address(cells)?))).collect())
}

/// The address that has this name among those of the node's further ports.
fn port_address(node: &Node, name: &str) -> Option<Ipv4Addr> {
    let mut places = nics::ports(node).flat_map(|port| port.places);
    places.find(|place| place.host_name == name)?.address.parse().ok()
}

fn table(name: &str) -> &'static Table {
    schema::find(name).expect("the schema has the tables of machines and networks")
}
