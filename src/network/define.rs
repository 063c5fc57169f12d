//! One network from its definition; what is wrong is said by attribute.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use netboot::interfaces;
use plugins::Error;
use plugins::networks::{self, Driver, Member, Network, USUAL_MTU};
use tables::definitions::Attributes;
use tables::{Node, suggest};

use super::{Defined, Source};
use crate::definition::not_found;
use crate::failure::Failure;

/// Names that engines give to networks of their own.
const TAKEN: [&str; 6] = ["bridge", "default", "docker_gwbridge", "host", "ingress", "none"];
/// The smallest packet that every host of the internet has to take.
const SMALLEST_MTU: u32 = 576;
const GREATEST_MTU: u32 = 65_535;

/// The network of that name, or what is wrong with it; `all` are the attributes of every network.
pub(super) fn network(
    source: &impl Source,
    all: &BTreeMap<String, Attributes>,
    name: &str,
) -> Result<Defined, Failure> {
    let attributes = all.get(name).ok_or_else(|| {
        let failure = not_found(super::object(), name);
        match suggest::nearest(name, all.keys().map(String::as_str)) {
            Some(meant) => failure.hint(format!("did you mean '{meant}'?")),
            None => failure.hint(format!("define it with: mknet {name} driver=bridge net=… mask=… hosts=…")),
        }
    })?;
    check_name(name)?;
    let get = |attribute: &str| attributes.get(attribute).map(String::as_str);
    let driver = driver(get("driver"))?;
    let subnet = subnet(get("net"), get("mask"))?;
    let hosts = hosts(source, get("hosts"))?;
    let members = members(&hosts)?;
    let mtu = get("mtu").map(|text| number("mtu", text, SMALLEST_MTU, GREATEST_MTU)).transpose()?;
    let vlan = get("vlanid").map(|text| number("vlanid", text, 1, 4094)).transpose()?;
    let mut network = Network {
        name: name.to_owned(),
        driver,
        subnet,
        gateway: get("gateway").map(|text| gateway(text, subnet)).transpose()?,
        range: get("staticrange").map(|text| range(text, subnet)).transpose()?,
        mtu: mtu.unwrap_or(USUAL_MTU),
        vlan: vlan.and_then(|vlan| u16::try_from(vlan).ok()),
        vni: get("vni").map(|text| number("vni", text, 1, 0xff_ffff)).transpose()?,
        hub: get("hub").map(|text| hub(text, &members)).transpose()?,
        uplink: get("uplink").map(port).transpose()?,
        options: get("options").map(options).transpose()?.unwrap_or_default(),
        members,
    };
    if network.is_tunnelled() && network.vni.is_none() {
        network.vni = Some(networks::derived_vni(name));
    }
    if mtu.is_none() {
        network.mtu = USUAL_MTU - networks::overhead(&network);
    }
    networks::check(&network)?;
    Ok(Defined { network, mtu_is_set: mtu.is_some(), hosts })
}

fn wrong(attribute: &str, why: impl Into<String>) -> Failure {
    Error::Definition { attribute: attribute.into(), why: why.into() }.into()
}

/// The name is also a file's, a unit's and an engine's network's.
fn check_name(name: &str) -> Result<(), Failure> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let good = name.len() > 1 && name.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    if !good || !name.chars().all(legal) {
        let why = "engines take names of two or more letters, digits, '_', '.' and '-', a letter or digit first";
        return Err(wrong("netname", why));
    }
    if TAKEN.contains(&name) {
        return Err(wrong("netname", format!("'{name}' is the name of a network that engines make themselves")));
    }
    Ok(())
}

fn driver(text: Option<&str>) -> Result<Driver, Failure> {
    let words: Vec<&str> = Driver::all().into_iter().map(Driver::word).collect();
    let takes = format!("it takes one of: {}", words.join(", "));
    let text = text.ok_or_else(|| wrong("driver", format!("is not set; {takes}")))?;
    text.parse().map_err(|_| {
        let failure = wrong("driver", format!("'{text}' is not a driver; {takes}"));
        match suggest::nearest(text, words) {
            Some(meant) => failure.hint(format!("did you mean '{meant}'?")),
            None => failure,
        }
    })
}

fn subnet(net: Option<&str>, mask: Option<&str>) -> Result<IpNetwork, Failure> {
    let net = net.ok_or_else(|| wrong("net", "is not set; it takes the network's address, such as 10.80.0.0"))?;
    let mask = mask.ok_or_else(|| wrong("mask", "is not set; it takes the network's mask, such as 255.255.0.0"))?;
    let subnet = interfaces::parse(net, mask)
        .ok_or_else(|| wrong("net", format!("'{net}' with mask '{mask}' is not a network")))?;
    let address = net.split('/').next().unwrap_or(net);
    if address.parse() != Ok(subnet.network()) {
        return Err(wrong("net", format!("'{net}' is an address within the network {subnet}")));
    }
    let hosts = if subnet.is_ipv4() { 32 } else { 128 } - subnet.prefix();
    if hosts < 2 {
        return Err(wrong("mask", format!("{subnet} has no room for containers")));
    }
    Ok(subnet)
}

fn hosts(source: &impl Source, range: Option<&str>) -> Result<Vec<Node>, Failure> {
    let range = range.ok_or_else(|| wrong("hosts", "is not set; it takes the hosts that carry it, as a noderange"))?;
    source.nodes(range).map_err(|error| wrong("hosts", plugins::chain(&error)))
}

fn members(hosts: &[Node]) -> Result<Vec<Member>, Failure> {
    let mut members: Vec<Member> = Vec::new();
    let mut without = Vec::new();
    for host in hosts {
        let Some(text) = host.get("ip") else {
            without.push(host.name().to_owned());
            continue;
        };
        let address = text
            .parse()
            .map_err(|_| wrong("hosts", format!("the ip of host {} is '{text}', which is no address", host.name())))?;
        if let Some(same) = members.iter().find(|member| member.address == address) {
            return Err(wrong("hosts", format!("{} and {} have the same ip {address}", same.host, host.name())));
        }
        members.push(Member { host: host.name().to_owned(), address });
    }
    if !without.is_empty() {
        let without = tables::noderange::fold(&without);
        return Err(wrong("hosts", format!("{without} have no ip, which the others need to reach them"))
            .hint(format!("set it with: chdef {without} ip=…")));
    }
    Ok(members)
}

fn number(attribute: &str, text: &str, least: u32, most: u32) -> Result<u32, Failure> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| wrong(attribute, format!("'{text}' is not a number from {least} to {most}")))
}

fn gateway(text: &str, subnet: IpNetwork) -> Result<IpAddr, Failure> {
    let address: IpAddr = text.parse().map_err(|_| {
        wrong("gateway", format!("'{text}' is not an address; it takes a router's, or nothing for none"))
    })?;
    if !is_of_host(address, subnet) {
        return Err(wrong("gateway", format!("{address} is not an address of a host in {subnet}")));
    }
    Ok(address)
}

/// Neither the network's own address nor that of all its hosts.
fn is_of_host(address: IpAddr, subnet: IpNetwork) -> bool {
    let broadcast = subnet.is_ipv4() && address == subnet.broadcast();
    subnet.contains(address) && address != subnet.network() && !broadcast
}

fn range(text: &str, subnet: IpNetwork) -> Result<(IpAddr, IpAddr), Failure> {
    let takes = "it takes one range of addresses as first-last";
    let ends =
        text.split_once('-').and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)));
    let (first, last): (IpAddr, IpAddr) =
        ends.ok_or_else(|| wrong("staticrange", format!("'{text}' is not a range; {takes}")))?;
    if first > last {
        return Err(wrong("staticrange", format!("'{text}' ends before it begins; {takes}")));
    }
    if !subnet.contains(first) || !subnet.contains(last) {
        return Err(wrong("staticrange", format!("'{text}' is not within {subnet}")));
    }
    Ok((first, last))
}

fn hub(text: &str, members: &[Member]) -> Result<String, Failure> {
    match members.iter().any(|member| member.host == text) {
        true => Ok(text.to_owned()),
        false => Err(wrong("hub", format!("'{text}' is not among the hosts"))),
    }
}

/// What the kernel takes for the name of a port.
fn port(text: &str) -> Result<String, Failure> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "_.-@".contains(letter);
    match (1..=15).contains(&text.len()) && text.chars().all(legal) && !text.starts_with(['.', '-']) {
        true => Ok(text.to_owned()),
        false => Err(wrong("uplink", format!("'{text}' is not the name of a port, such as eth1"))),
    }
}

fn options(text: &str) -> Result<BTreeMap<String, String>, Failure> {
    let options = text.split('|').map(str::trim).filter(|option| !option.is_empty()).map(|option| {
        let pair = option.split_once('=').filter(|(name, _)| !name.trim().is_empty());
        let (name, value) =
            pair.ok_or_else(|| wrong("options", format!("'{option}' is not an option; it takes name=value")))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    });
    options.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` is the attribute that is wrong, or empty.
    #[track_caller]
    fn check<T>(outcome: Result<T, Failure>, expected: &str, what: &str) {
        let message = outcome.err().map(|failure| failure.message).unwrap_or_default();
        let attribute = message.strip_prefix("attribute '").and_then(|rest| rest.split('\'').next());
        assert_eq!(attribute.unwrap_or_default(), expected, "{what}: {message}");
    }

    #[test]
    fn names_are_files_units_and_networks() {
        let check = |name: &str, expected: &str| check(check_name(name), expected, name);
        check("blue", "");
        check("10_77_0_0-255_255_0_0", "");
        for bad in ["b", "-b", "fd00::/64", "a/b", "a b", "bridge", "host", ""] {
            check(bad, "netname");
        }
    }

    #[test]
    fn drivers_have_words() {
        let check = |text: Option<&str>, expected: &str| check(driver(text), expected, text.unwrap_or("none"));
        Driver::all().iter().for_each(|known| check(Some(known.word()), ""));
        check(None, "driver");
        check(Some("bridg"), "driver");
        assert_eq!(driver(Some("bridg")).unwrap_err().hints, ["did you mean 'bridge'?"]);
    }

    #[test]
    fn subnets() {
        let check = |net: Option<&str>, mask: Option<&str>, expected: &str| {
            check(subnet(net, mask), expected, &format!("{net:?} {mask:?}"));
        };
        check(Some("10.80.0.0"), Some("255.255.0.0"), "");
        check(Some("10.80.0.0"), Some("/16"), "");
        check(Some("fd00::"), Some("/64"), "");
        check(Some("10.80.0.1"), Some("/16"), "net");
        check(Some("10.80.0.0"), Some("/31"), "mask");
        check(Some("10.80.0.0"), None, "mask");
        check(None, Some("/16"), "net");
        check(Some("blue"), Some("/16"), "net");
    }

    #[test]
    fn addresses_lie_within() {
        let subnet: IpNetwork = "10.80.0.0/16".parse().unwrap();
        for (text, expected) in [
            ("10.80.255.254", ""),
            ("10.80.0.0", "gateway"),
            ("10.80.255.255", "gateway"),
            ("10.81.0.1", "gateway"),
            ("<xcatmaster>", "gateway"),
        ] {
            check(gateway(text, subnet), expected, text);
        }
        for (text, expected) in [
            ("10.80.1.0-10.80.2.255", ""),
            ("10.80.1.0", "staticrange"),
            ("10.80.2.0-10.80.1.0", "staticrange"),
            ("10.80.1.0-10.81.0.0", "staticrange"),
            ("10.80.1.0-10.80.1.9,10.80.2.0-10.80.2.9", "staticrange"),
        ] {
            check(range(text, subnet), expected, text);
        }
    }

    #[test]
    fn hosts_have_addresses_of_their_own() {
        let host = |name: &str, ip: &str| {
            let ip = (!ip.is_empty()).then(|| ("ip".to_owned(), ip.to_owned()));
            Node::new(name, ip.into_iter().collect(), None)
        };
        let check = |hosts: &[Node], expected: &str| check(members(hosts), expected, &format!("{hosts:?}"));
        check(&[host("h1", "10.0.0.1"), host("h2", "10.0.0.2")], "");
        check(&[host("h1", "10.0.0.1"), host("h2", "10.0.0.1")], "hosts");
        check(&[host("h1", "10.0.0.1"), host("h2", ""), host("h3", "")], "hosts");
        check(&[host("h1", "here")], "hosts");
        let failure = members(&[host("h1", "10.0.0.1"), host("h2", ""), host("h3", "")]).unwrap_err();
        assert_eq!(failure.hints, ["set it with: chdef h[2-3] ip=…"]);
    }

    #[test]
    fn ports_and_options() {
        for (text, expected) in
            [("eth1", ""), ("eth1.100", ""), ("a-port-name-too-long", "uplink"), ("a b", "uplink"), ("-x", "uplink")]
        {
            check(port(text), expected, text);
        }
        assert_eq!(options("port=4790| mode=l2 |").unwrap().len(), 2);
        check(options("port"), "options", "port");
        check(options("=1"), "options", "=1");
    }
}
