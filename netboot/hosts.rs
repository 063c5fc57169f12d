//! The lines of `/etc/hosts` that nodes get, in xCAT's shape, and their place in an existing file.
//!
//! Pure: nodes and text in, text out. xCAT's shape includes a trailing space where a node has no aliases.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use tables::nics::{self, Place};
use tables::{Node, Select, Tables, schema};

use crate::interfaces;

/// How lines are written.
#[derive(Debug, Clone, Default)]
pub struct Style {
    /// Appended to names without a dot, where the address is in none of `domains`.
    pub domain: Option<String>,
    /// The domains of networks; the smallest network that holds an address decides.
    pub domains: Vec<(IpNetwork, String)>,
    /// `name.domain name` instead of `name name.domain` (site.FQDNfirst).
    pub long_name_first: bool,
    /// Leave out the addresses of other interfaces.
    pub first_interface_only: bool,
    /// Give other interfaces the node's aliases too.
    pub aliases_everywhere: bool,
}

/// One line: an address and the names it has, the node's own first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub ip: IpAddr,
    pub names: Vec<String>,
    aliases: Vec<String>,
    /// What makes a long name of an alias.
    domain: Option<String>,
    line: String,
}

impl Style {
    /// How lines are written at this site, by tables site and networks.
    pub fn read(tables: &Tables) -> tables::Result<Self> {
        let networks = schema::find("networks").expect("table networks is in the schema");
        let rows = tables.rows(networks, Select::All)?;
        let domains = rows.iter().filter_map(|row| {
            let network = interfaces::parse(row.get("net")?, row.get("mask")?)?;
            Some((network, row.get("domain")?.to_owned()))
        });
        let long_name_first = matches!(tables.site("FQDNfirst")?.as_deref(), Some("1" | "yes" | "enable"));
        Ok(Self { domain: tables.site("domain")?, domains: domains.collect(), long_name_first, ..Self::default() })
    }
}

impl Entry {
    /// The name with its domain, where it has one.
    pub fn long_name(&self) -> &str {
        self.names.iter().find(|name| name.contains('.')).or(self.names.first()).map_or("", String::as_str)
    }

    /// All its names, aliases with and without the domain.
    pub fn all_names(&self) -> impl Iterator<Item = String> + '_ {
        let long = |alias: &&String| !alias.contains('.');
        let long =
            self.aliases.iter().filter(long).filter_map(|alias| Some(format!("{alias}.{}", self.domain.as_ref()?)));
        self.names.iter().chain(&self.aliases).cloned().chain(long)
    }
}

/// What stops a node from having a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("Ignoring node '{0}', it can not be resolved.")]
    NoAddress(String),
    #[error("'{value}' in attribute '{attribute}' is not an address")]
    NotAnAddress { node: String, attribute: &'static str, value: String },
}

/// The lines of a node: its own, then one for each other interface.
pub fn entries(node: &Node, style: &Style) -> Result<Vec<Entry>, Error> {
    let ip = node.get("ip").ok_or_else(|| Error::NoAddress(node.name().into()))?;
    let aliases: Vec<&str> = list(node.get("hostnames"), &[',', ' ', '\t']).collect();
    let mut entries = vec![entry(address(node, "ip", ip)?, node.name(), &aliases, style)];
    if style.first_interface_only {
        return Ok(entries);
    }
    let aliases = if style.aliases_everywhere { aliases } else { Vec::new() };
    for Interface { name, attribute, ip, aliases: own } in other_interfaces(node) {
        let aliases: Vec<&str> = own.into_iter().chain(aliases.iter().copied()).collect();
        entries.push(entry(address(node, attribute, ip)?, &name, &aliases, style));
    }
    Ok(entries)
}

/// Puts the lines of `entries` into `text`: in the place of a line that has one of their names or addresses, else at the
/// end. Every other line stays as it is.
pub fn merge(text: &str, entries: &[Entry]) -> String {
    let index = Index::new(entries);
    let mut written = vec![false; entries.len()];
    let mut lines = Vec::new();
    for line in text.lines() {
        match index.find(line) {
            None => lines.push(line),
            Some(number) if !std::mem::replace(&mut written[number], true) => lines.push(&entries[number].line),
            // A second line for the same node: the first has taken its place.
            Some(_) => {}
        }
    }
    let rest = entries.iter().zip(&written).filter(|(_, written)| !**written);
    lines.extend(rest.map(|(entry, _)| entry.line.as_str()));
    joined(&lines)
}

/// Takes the lines out of `text` that have one of the names, or a name or address of `entries`.
///
/// Names alone do where a node's address is not known (any more).
pub fn remove(text: &str, names: &HashSet<&str>, entries: &[Entry]) -> String {
    let index = Index::new(entries);
    let named = |line: &str| parse(line).is_some_and(|(_, mut words)| words.any(|word| names.contains(word)));
    let stays = |line: &&str| !named(line) && index.find(line).is_none();
    joined(&text.lines().filter(stays).collect::<Vec<_>>())
}

/// What a new file begins with.
pub const NEW_FILE: &str = "127.0.0.1 localhost localhost.localdomain localhost4 localhost4.localdomain4\n::1 localhost localhost.localdomain localhost6 localhost6.localdomain6\n";

fn joined(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

/// Entries by first name and by address, so that a file of ten thousand lines is read once. A name may have an address of
/// each family, on lines of their own.
struct Index<'a>(BTreeMap<(&'a str, bool), usize>, BTreeMap<IpAddr, usize>);

impl<'a> Index<'a> {
    fn new(entries: &'a [Entry]) -> Self {
        let numbered = || entries.iter().enumerate();
        let name =
            |(number, entry): (usize, &'a Entry)| Some(((entry.names.first()?.as_str(), entry.ip.is_ipv4()), number));
        Self(numbered().filter_map(name).collect(), numbered().map(|(number, entry)| (entry.ip, number)).collect())
    }

    fn find(&self, line: &str) -> Option<usize> {
        let (ip, mut words) = parse(line)?;
        words.find_map(|name| self.0.get(&(name, ip.is_ipv4()))).or_else(|| self.1.get(&ip)).copied()
    }
}

/// The address and the names of a line; None for comments and for loopback addresses, which are not ours to change.
fn parse(line: &str) -> Option<(IpAddr, impl Iterator<Item = &str>)> {
    let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
    let ip: IpAddr = words.next()?.parse().ok()?;
    (!ip.is_loopback()).then_some((ip, words))
}

fn domain_of(ip: IpAddr, style: &Style) -> Option<&String> {
    let holding = style.domains.iter().filter(|(network, _)| network.contains(ip));
    holding.max_by_key(|(network, _)| network.prefix()).map(|(_, domain)| domain).or(style.domain.as_ref())
}

fn entry(ip: IpAddr, name: &str, aliases: &[&str], style: &Style) -> Entry {
    let domain = domain_of(ip, style);
    let long = domain.filter(|_| !name.contains('.')).map(|domain| format!("{name}.{domain}"));
    let mut names = vec![name.to_owned()];
    names.extend(long);
    if style.long_name_first {
        names.reverse();
    }
    let line = format!("{ip} {} {}", names.join(" "), aliases.join(" "));
    names.sort_by_key(|candidate| candidate != name); // the node's own name is what its line is found by
    let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
    Entry { ip, names, aliases, domain: domain.cloned(), line }
}

/// An address of a node that is not the node's own.
struct Interface<'n> {
    name: String,
    /// Where it stands.
    attribute: &'static str,
    ip: &'n str,
    aliases: Vec<&'n str>,
}

/// `hosts.otherinterfaces` (`-ib:10.1.0.1,name:10.2.0.1`), then the ports of table nics.
fn other_interfaces(node: &Node) -> Vec<Interface<'_>> {
    let mut interfaces = Vec::new();
    for interface in list(node.get("otherinterfaces"), &[',']) {
        let Some((name, ip)) = interface.split_once(':') else { continue };
        let name = if name.starts_with('-') { format!("{}{name}", node.name()) } else { name.to_owned() };
        interfaces.push(Interface { name, attribute: "otherinterfaces", ip, aliases: Vec::new() });
    }
    for place in nics::ports(node).flat_map(|port| port.places) {
        let Place { address: ip, host_name: name, aliases } = place;
        interfaces.push(Interface { name, attribute: "nicips", ip, aliases });
    }
    // The interface that has the node's own address is the node itself.
    interfaces.retain(|interface| Some(interface.ip) != node.get("ip"));
    interfaces
}

fn address(node: &Node, attribute: &'static str, value: &str) -> Result<IpAddr, Error> {
    let refused = |_| Error::NotAnAddress { node: node.name().into(), attribute, value: value.into() };
    value.parse().map_err(refused)
}

fn list<'a>(cell: Option<&'a str>, separators: &'a [char]) -> impl Iterator<Item = &'a str> {
    cell.unwrap_or_default().split(separators).map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, attributes: &[(&str, &str)]) -> Node {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Node::new(name, attributes, None)
    }

    fn lines(node: &Node, style: &Style) -> Vec<String> {
        entries(node, style).unwrap().into_iter().map(|entry| entry.line).collect()
    }

    #[test]
    fn lines_are_xcats_to_the_trailing_space() {
        let style = Style { domain: Some("x.org".into()), ..Style::default() };
        assert_eq!(lines(&node("n1", &[("ip", "10.0.0.1")]), &style), ["10.0.0.1 n1 n1.x.org "]);
        let aliased = node("n1", &[("ip", "10.0.0.1"), ("hostnames", "a,b")]);
        assert_eq!(lines(&aliased, &style), ["10.0.0.1 n1 n1.x.org a b"]);
        let first = Style { long_name_first: true, ..style };
        assert_eq!(lines(&aliased, &first), ["10.0.0.1 n1.x.org n1 a b"]);
    }

    #[test]
    fn other_interfaces_get_suffixed_names() {
        let node = node(
            "n1",
            &[
                ("ip", "10.0.0.1"),
                ("otherinterfaces", "-ib:10.1.0.1,mgmt:10.2.0.1"),
                ("nicips", "eth0!10.0.0.1,eth1!10.3.0.1|10.3.0.2,ib0!10.4.0.1"),
                ("nichostnamesuffixes", "ib0!-fast"),
                ("nicaliases", "ib0!quick"),
            ],
        );
        let expected =
            "10.0.0.1 n1 |10.1.0.1 n1-ib |10.2.0.1 mgmt |10.3.0.1 n1-eth1 |10.3.0.2 n1-eth1-2 |10.4.0.1 n1-fast quick";
        assert_eq!(lines(&node, &Style::default()).join("|"), expected);
    }

    #[test]
    fn merging_replaces_in_place_and_keeps_the_rest() {
        let new = entries(&node("n1", &[("ip", "10.0.0.9")]), &Style::default()).unwrap();
        let old = "127.0.0.1 localhost n1\n# kept\n10.0.0.1 n1 old\n10.0.0.2 n2\n10.0.0.9 stale\n";
        assert_eq!(merge(old, &new), "127.0.0.1 localhost n1\n# kept\n10.0.0.9 n1 \n10.0.0.2 n2\n");
        assert_eq!(merge(&merge(old, &new), &new), merge(old, &new));
        let left = "127.0.0.1 localhost n1\n# kept\n10.0.0.2 n2\n";
        assert_eq!(remove(&merge(old, &new), &HashSet::new(), &new), left);
        assert_eq!(merge("", &new), "10.0.0.9 n1 \n");
    }

    #[test]
    fn names_alone_remove_lines() {
        let old = "127.0.0.1 localhost n1\n10.0.0.1 n1.x.org n1\n10.0.0.2 n2 # n1 is gone\nfd00::1 n1\n";
        let left = "127.0.0.1 localhost n1\n10.0.0.2 n2 # n1 is gone\n";
        assert_eq!(remove(old, &HashSet::from(["n1"]), &[]), left);
    }

    #[test]
    fn addresses_of_both_families_stand_side_by_side() {
        let new = entries(&node("n1", &[("ip", "10.0.0.9")]), &Style::default()).unwrap();
        assert_eq!(merge("fd00::1 n1\n10.0.0.1 n1\n", &new), "fd00::1 n1\n10.0.0.9 n1 \n");
    }

    #[test]
    fn the_smallest_network_decides_the_domain() {
        let domains = [("10.0.0.0/8", "big"), ("10.1.0.0/16", "small")];
        let domains = domains.map(|(network, domain)| (network.parse().unwrap(), domain.to_owned())).into();
        let style = Style { domain: Some("site".into()), domains, ..Style::default() };
        let check = |ip: &str, expected: &str| assert_eq!(lines(&node("n1", &[("ip", ip)]), &style), [expected]);
        check("10.1.0.1", "10.1.0.1 n1 n1.small ");
        check("10.2.0.1", "10.2.0.1 n1 n1.big ");
        check("fd00::1", "fd00::1 n1 n1.site ");
    }

    #[test]
    fn a_node_without_an_address_says_so() {
        let error = entries(&node("n1", &[]), &Style::default()).unwrap_err();
        assert_eq!(error.to_string(), "Ignoring node 'n1', it can not be resolved.");
        let error = entries(&node("n1", &[("ip", "x")]), &Style::default()).unwrap_err();
        assert_eq!(error.to_string(), "'x' in attribute 'ip' is not an address");
    }
}
