//! What stands in a network's way: addresses that its hosts know as somebody's, and those of the site's BMCs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use plugins::networks::survey::Survey;
use plugins::networks::{Network, Taken, planner};
use tables::{Tables, schema};

use crate::failure::Failure;

/// The tables that say where a node's BMC is.
const BMC_TABLES: [&str; 2] = ["ipmi", "openbmc"];

/// Refuses a network whose addresses are somebody else's, with a range that is free; `surveys` are of its hosts.
pub(crate) fn check(tables: &Tables, network: &Network, surveys: &BTreeMap<String, Survey>) -> Result<(), Failure> {
    let of_hosts = network.members.iter().filter_map(|member| surveys.get_key_value(&member.host));
    let of_hosts: Vec<(String, Survey)> = of_hosts.map(|(host, survey)| (host.clone(), survey.clone())).collect();
    let Err(refusal) = planner::check(network, &bmcs(tables, network)?, &of_hosts) else { return Ok(()) };
    let name = &network.name;
    let failure = Failure::refused(format!("nothing was done: {name}: {}", refusal.problems.join("; ")));
    Err(match refusal.proposal {
        Some(free) => failure.hint(format!("free is {free}: give it net={} mask={}", free.network(), free.mask())),
        None => failure.hint("no private range of that size is free; a smaller one may be"),
    })
}

/// The BMCs of all nodes: those in the network as one, the rest one by one.
fn bmcs(tables: &Tables, network: &Network) -> Result<Vec<Taken>, Failure> {
    let columns = BMC_TABLES.map(|table| (schema::find(table).expect("tables of BMCs are in the schema"), "bmc"));
    let names = tables.node_names(true)?.to_vec();
    let cells = tables.cells(&names, &columns)?;
    let found = names.iter().zip(&cells).flat_map(|(name, values)| {
        values.iter().filter_map(move |value| Some((name.clone(), value.text.as_deref()?.parse::<IpAddr>().ok()?)))
    });
    let found: Vec<(String, IpAddr)> = found.collect();
    let within: Vec<String> =
        found.iter().filter(|(_, address)| network.subnet.contains(*address)).map(|(name, _)| name.clone()).collect();
    let what = format!("the addresses of BMCs ({})", tables::noderange::fold(&within));
    Ok(found.into_iter().map(|(_, address)| Taken { range: address.into(), what: what.clone() }).collect())
}
