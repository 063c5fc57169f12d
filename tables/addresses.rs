//! Addresses that several nodes have: two guests with one IP or MAC take each other's traffic.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::schema;
use crate::store::Store;
use crate::{Edit, Result, Tables, resolve};

/// An address that more than one node has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// `ip` or `mac`.
    pub attribute: &'static str,
    /// As it is usually written: differences in spelling do not make another address.
    pub address: String,
    /// All nodes with that address, sorted.
    pub nodes: Vec<String>,
}

impl Tables {
    /// The addresses of these nodes that other nodes, defined anywhere, have too. Names that are no nodes share nothing.
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
}

/// Looks at the inherited and computed addresses of all nodes, in one reading of the tables.
fn shared(store: &Store, names: &[String]) -> Result<Vec<Shared>> {
    let all = store.node_names()?;
    let all: Vec<&str> = all.iter().map(AsRef::as_ref).collect();
    let table = |name| schema::find(name).expect("the schema has the tables of addresses");
    let cells = resolve::cells(store, &all, &[(table("hosts"), "ip"), (table("mac"), "mac")])?;
    let mut owners: HashMap<(&'static str, String), Vec<&str>> = HashMap::new();
    for (name, values) in all.iter().zip(&cells) {
        let [ip, mac] = [0, 1].map(|at| values[at].text.as_deref().unwrap_or_default());
        owners.entry(("ip", plain_ip(ip))).or_default().push(name);
        for mac in plain_macs(mac) {
            owners.entry(("mac", mac)).or_default().push(name);
        }
    }
    let asked: HashSet<&str> = names.iter().map(String::as_str).collect();
    let mut shared: Vec<Shared> = owners
        .into_iter()
        .filter(|((_, address), nodes)| !address.is_empty() && nodes.len() > 1)
        .map(|((attribute, address), mut nodes)| {
            nodes.dedup();
            Shared { attribute, address, nodes: nodes.into_iter().map(str::to_owned).collect() }
        })
        .filter(|shared| shared.nodes.len() > 1 && shared.nodes.iter().any(|node| asked.contains(node.as_str())))
        .collect();
    shared.sort_by(|a, b| (a.attribute, &a.nodes, &a.address).cmp(&(b.attribute, &b.nodes, &b.address)));
    Ok(shared)
}

fn plain_ip(text: &str) -> String {
    text.parse::<IpAddr>().map_or_else(|_| text.to_owned(), |address| address.to_string())
}

/// The addresses of a cell such as `MAC!name|MAC!*NOIP*`, in small letters with colons.
fn plain_macs(cell: &str) -> impl Iterator<Item = String> {
    let macs = cell.split('|').map(|part| part.split_once('!').map_or(part, |(mac, _)| mac));
    macs.filter(|mac| !mac.is_empty()).map(|mac| {
        let digits: Vec<char> = mac.to_lowercase().chars().filter(char::is_ascii_hexdigit).collect();
        let octets: Vec<String> = digits.chunks(2).map(|octet| octet.iter().collect()).collect();
        octets.join(":")
    })
}

#[cfg(test)]
mod tests {
    use crate::tables::tests::filled;

    /// `expected` has a line `attribute address nodes` for each shared address.
    #[track_caller]
    fn check(rows: &str, names: &[&str], expected: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let shared = filled(rows).shared_addresses(&names).unwrap();
        let line =
            |shared: &super::Shared| format!("{} {} {}", shared.attribute, shared.address, shared.nodes.join(","));
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
    fn a_node_shares_nothing_with_itself() {
        check("nodelist n1 groups=all; mac n1 mac=02:aa:00:00:00:01!a|02:aa:00:00:00:01!b", &["n1"], &[]);
        check("nodelist n1 groups=all; nodelist n2 groups=all", &["n1", "n2"], &[]);
    }
}
