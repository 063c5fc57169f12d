//! Address pools of the engine's own networks: none of them may hide a network that the host or the site has.

use ipnetwork::{IpNetwork, Ipv4Network};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// The size of each network taken from a pool, unless said otherwise.
const SIZE: u8 = 24;

/// Addresses, and the prefix of the networks they are dealt out in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    pub base: Ipv4Network,
    pub size: u8,
}

impl Pool {
    pub(super) fn json(self) -> Value {
        json!({ "base": self.base.to_string(), "size": self.size })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let size = u8::try_from(value["size"].as_u64()?).ok()?;
        Some(Self { base: value["base"].as_str()?.parse().ok()?, size })
    }
}

/// `172.20.0.0/16:24,10.200.0.0/16`.
pub(super) fn parse(text: &str) -> Result<Vec<Pool>, String> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(|word| one(word).ok_or_else(|| format!("'{word}' is not a pool such as 172.20.0.0/16:24"))).collect()
}

fn one(word: &str) -> Option<Pool> {
    let (base, size) = match word.split_once(':') {
        Some((base, size)) => (base, size.parse().ok()?),
        None => (word, SIZE),
    };
    let base: Ipv4Network = base.contains('/').then(|| base.parse().ok())??;
    (base.network() == base.ip() && (base.prefix()..=29).contains(&size)).then_some(Pool { base, size })
}

/// The pools of a `default-address-pools`; None for what we cannot read.
pub(super) fn of_daemon(value: &Value) -> Option<Vec<Pool>> {
    value.as_array()?.iter().map(Pool::from_json).collect()
}

/// What of the taken networks lies in a pool, or around it.
pub(super) fn overlap<'a>(pool: &Pool, taken: &'a [(String, IpNetwork)]) -> Option<&'a (String, IpNetwork)> {
    taken.iter().find(|(_, network)| match network {
        IpNetwork::V4(network) => network.overlaps(pool.base),
        IpNetwork::V6(_) => false,
    })
}

/// The first of the usual private networks that nothing overlaps.
pub(super) fn choose(taken: &[(String, IpNetwork)]) -> Option<Pool> {
    let docker = (17..=31).map(|second| Ipv4Addr::new(172, second, 0, 0));
    let others = (200..=255).rev().map(|second| Ipv4Addr::new(10, second, 0, 0));
    let bases = docker.chain(others).chain([Ipv4Addr::new(192, 168, 0, 0)]);
    let pools = bases.filter_map(|base| Some(Pool { base: Ipv4Network::new(base, 16).ok()?, size: SIZE }));
    pools.into_iter().find(|pool| overlap(pool, taken).is_none())
}

/// The networks of the kernel's routing table, but for the default route and those that the engine made.
pub(super) fn routes(table: &str) -> Vec<(String, IpNetwork)> {
    let route = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (device, mask) = (*words.first()?, address(words.get(7)?)?);
        let network = Ipv4Network::with_netmask(address(words.get(1)?)?, mask).ok()?;
        let foreign = network.prefix() > 0 && !is_of_engine(device);
        foreign.then(|| (format!("a route of {device}"), IpNetwork::V4(network)))
    };
    table.lines().skip(1).filter_map(route).collect()
}

/// The kernel prints addresses in the order of the machine's bytes.
fn address(hex: &str) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(u32::from_str_radix(hex, 16).ok()?.swap_bytes()))
}

fn is_of_engine(device: &str) -> bool {
    let made = |id: &str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    device == "docker0" || device == "docker_gwbridge" || device.strip_prefix("br-").is_some_and(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(networks: &[&str]) -> Vec<(String, IpNetwork)> {
        networks.iter().map(|network| ((*network).to_owned(), network.parse().unwrap())).collect()
    }

    #[test]
    fn written_pools() {
        let check = |text: &str, expected: Option<&str>| {
            let pools = parse(text)
                .ok()
                .map(|pools| pools.iter().map(|pool| format!("{}:{} ", pool.base, pool.size)).collect::<String>());
            assert_eq!(pools.as_deref(), expected, "{text}");
        };
        check("172.20.0.0/16:24, 10.200.0.0/14", Some("172.20.0.0/16:24 10.200.0.0/14:24 "));
        for wrong in ["172.20.0.0", "172.20.0.1/16", "172.20.0.0/16:8", "172.20.0.0/16:30", "x/16", "fd00::/64:80"] {
            check(wrong, None);
        }
    }

    #[test]
    fn the_first_that_is_free() {
        let check = |networks: &[&str], expected: Option<&str>| {
            assert_eq!(choose(&taken(networks)).map(|pool| pool.base.to_string()).as_deref(), expected, "{networks:?}");
        };
        check(&[], Some("172.17.0.0/16"));
        check(&["172.17.9.0/24", "172.18.0.0/15"], Some("172.20.0.0/16"));
        check(&["172.16.0.0/12"], Some("10.255.0.0/16"));
        check(&["172.16.0.0/12", "10.0.0.0/8"], Some("192.168.0.0/16"));
        check(&["172.16.0.0/12", "10.0.0.0/8", "192.168.122.0/24"], None);
        check(&["fd00::/8"], Some("172.17.0.0/16"));
    }

    #[test]
    fn the_kernels_routes() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\tFE004D0A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            eth0\t00004D0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
            docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
            br-0123456789ab\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
            br-lab\t0000640A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        let found: Vec<String> = routes(table).iter().map(|(what, network)| format!("{what} {network}")).collect();
        assert_eq!(found, ["a route of eth0 10.77.0.0/24", "a route of br-lab 10.100.0.0/16"]);
        assert_eq!(routes(""), []);
    }
}
