//! What cells can hold, by whatever command they are written.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use crate::schema::Scope;
use crate::{Error, Result, Row, expression, nics, prune};

/// What a node can do at its next boot that takes no value.
const WORDS: [&str; 7] = ["boot", "shell", "standby", "offline", "discover", "reboot", "shutdown"];
/// What takes one.
const TASKS: [&str; 2] = ["runcmd=", "runimage="];

/// Refuses a row with a cell that can never mean anything, unless that stands in the row before it.
pub(crate) fn check(row: &Row, before: Option<&Row>) -> Result<()> {
    let table = row.table();
    for (column, cell) in table.columns.iter().zip(row.cells()) {
        let Some(value) = cell.filter(|value| before.and_then(|before| before.get(column.name)) != Some(value)) else {
            continue;
        };
        let why = match (table.name, column.name) {
            ("site", "value") => prune::fault_of_setting(row.get("key").unwrap_or_default(), value),
            // One that cannot be computed is found where it is used, and may be computed for other nodes.
            _ if table.scope == Scope::Node && expression::is_expression(value) => None,
            (table, column) => fault(table, column, value),
        };
        if let Some(why) = why {
            let (key, value) = (row.key().join(","), value.to_owned());
            return Err(Error::BadCell { table: table.name, key, column: column.name, value, why });
        }
    }
    Ok(())
}

/// Why a cell cannot hold a value that is set and no expression.
pub(super) fn fault(table: &str, column: &str, value: &str) -> Option<String> {
    // Not only what stands there, but also what the next group says.
    let value = value.strip_suffix("+=NEXTRECORD").unwrap_or(value);
    if value.is_empty() {
        return None;
    }
    match (table, column) {
        ("hosts", "ip") => fault_of_address(value),
        ("mac", "mac") => fault_of_macs(value),
        ("chain", "currstate") => fault_of_state(value),
        // Not currchain: it is what a machine was given of its chain, and one bad chain must not keep others from being discovered.
        ("chain", "chain") => fault_of_chain(value),
        ("networks", "net") => fault_of_network(value),
        ("networks", "mask") => fault_of_mask(value),
        ("networks", "dynamicrange") => fault_of_ranges(value),
        ("networks", "gateway") => fault_of_routers(value),
        ("networks", "mtu") => fault_of_number(value, 68..=0xffff),
        ("circuit" | "feed", "watts") => fault_of_number(value, 1..=10_000_000),
        ("ssh", "port") => fault_of_number(value, 1..=0xffff),
        ("fabric", "vni") => fault_of_number(value, 1..=0xff_ffff),
        ("vm", "othersettings") if value.trim_start().starts_with(['{', '[', '"']) => fault_of_json(value),
        _ => None,
    }
}

/// Why a text is no JSON object, with the place.
pub(super) fn fault_of_json(text: &str) -> Option<String> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(_)) => None,
        Ok(_) => Some("it is JSON, but not an object: { … }".into()),
        Err(error) => Some(format!("it is not JSON: {error}")),
    }
}

fn fault_of_address(text: &str) -> Option<String> {
    text.parse::<IpAddr>().is_err().then(|| "it is neither an address nor an expression".into())
}

fn fault_of_number(text: &str, accepted: RangeInclusive<u32>) -> Option<String> {
    let fits = text.parse().is_ok_and(|number: u32| accepted.contains(&number));
    (!fits).then(|| format!("it is not a number from {} to {}", accepted.start(), accepted.end()))
}

/// What a node does when it boots, in the words that netboot writes and reads.
fn fault_of_state(text: &str) -> Option<String> {
    const IMAGES: [&str; 3] = ["install ", "netboot ", "statelite "];
    // What only xCAT does is kept as it wrote it, and boots from the disk here.
    const OF_XCAT: [&str; 5] = ["iscsiboot", "memtest", "reset", "ondiscover", "winshell"];
    let fits = WORDS.contains(&text) || OF_XCAT.contains(&text) || begins(text, &IMAGES) || begins(text, &TASKS);
    (!fits).then(|| {
        format!("states are {}, runcmd=…, runimage=…, install …, netboot …; nodeset sets them", WORDS.join(", "))
    })
}

/// The steps of a chain, by comma.
fn fault_of_chain(text: &str) -> Option<String> {
    const IMAGE: &str = "osimage";
    let fits = |step: &str| {
        WORDS.contains(&step)
            || matches!(step, IMAGE | "exit" | "ondiscover")
            || begins(step, &TASKS)
            || begins(step, &["osimage="])
    };
    let bad = text.split(',').map(str::trim).find(|step| !fits(step))?;
    Some(format!("'{bad}' is no step: {}, osimage[=…], runcmd=…, runimage=…, by comma", WORDS.join(", ")))
}

/// Whether one of the words begins the text, and something follows it.
fn begins(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.strip_prefix(word).is_some_and(|rest| !rest.is_empty()))
}

/// The address of a network; of IPv6 with its prefix, as xCAT writes that.
fn fault_of_network(text: &str) -> Option<String> {
    let fits = text.parse::<IpAddr>().is_ok() || subnet(text).is_some();
    (!fits).then(|| "it is not the address of a network, such as 10.1.0.0".into())
}

fn fault_of_mask(text: &str) -> Option<String> {
    let is_prefix = text.strip_prefix('/').unwrap_or(text).parse::<u8>().is_ok_and(|bits| bits <= 128);
    let mask = text.parse::<Ipv4Addr>().map(u32::from);
    let is_mask = mask.is_ok_and(|mask| mask.leading_ones() + mask.trailing_zeros() == u32::BITS);
    (!is_prefix && !is_mask).then(|| "it is not a mask, such as 255.255.0.0 or /16".into())
}

fn fault_of_ranges(text: &str) -> Option<String> {
    let fits = |part: &&str| match part.split_once('-') {
        Some((first, last)) => match (first.trim().parse::<IpAddr>(), last.trim().parse::<IpAddr>()) {
            (Ok(first), Ok(last)) => first.is_ipv4() == last.is_ipv4() && first <= last,
            _ => false,
        },
        None => part.parse::<IpAddr>().is_ok() || subnet(part).is_some(),
    };
    let mut parts = text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty());
    let bad = parts.find(|part| !fits(part))?;
    Some(format!("'{bad}' is neither FIRST-LAST nor a subnet such as 10.1.2.0/24"))
}

/// Routers; xCAT's word means the server that a node is served by.
fn fault_of_routers(text: &str) -> Option<String> {
    let mut routers = text.split([',', ' ']).filter(|router| !router.is_empty());
    let bad = routers.find(|router| *router != "<xcatmaster>" && router.parse::<IpAddr>().is_err())?;
    Some(format!("'{bad}' is neither an address nor <xcatmaster>"))
}

/// `ADDRESS/BITS`.
fn subnet(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse().ok()?);
    let most = if address.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some((address, bits))
}

/// `MAC`, or several as `MAC!name|MAC!*NOIP*`.
fn fault_of_macs(text: &str) -> Option<String> {
    let mut macs = nics::macs(text).map(|(mac, _)| mac);
    let bad = macs.find(|mac| !is_mac(mac));
    bad.map(|bad| format!("'{bad}' is neither a MAC address nor an expression"))
}

/// Six octets of Ethernet, eight or twenty of InfiniBand; with colons, hyphens or nothing between them.
fn is_mac(text: &str) -> bool {
    let separator = text.chars().find(|letter| !letter.is_ascii_hexdigit());
    let hexadecimal = |text: &str| text.bytes().all(|digit| digit.is_ascii_hexdigit());
    match separator {
        None => text.len() == 12 && hexadecimal(text),
        Some(separator @ (':' | '-')) => {
            let mut octets = 0;
            let all = text.split(separator).all(|octet| {
                octets += 1;
                octet.len() == 2 && hexadecimal(octet)
            });
            all && matches!(octets, 6 | 8 | 20)
        }
        Some(_) => false,
    }
}
