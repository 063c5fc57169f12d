//! How great the packets of a network may be: what the smallest uplink of its hosts leaves.

use std::collections::BTreeMap;

use plugins::networks::{self, Network, Uplink};

use super::{Defined, Made};
use crate::failure::Failure;

/// Decides the MTU of a network from what its hosts have said of their uplinks; what was made keeps the one it has, as
/// containers are running with it.
pub(crate) fn settle(defined: &Defined, made: Option<&Made>, uplinks: &BTreeMap<String, Uplink>) -> Network {
    let mut network = defined.network.clone();
    if defined.mtu_is_set {
        return network;
    }
    let has = made.and_then(|made| made.values().map(|network| network.mtu).min());
    let leave = uplinks.values().map(|uplink| uplink.mtu.saturating_sub(networks::overhead(&network))).min();
    network.mtu = has.or(leave).unwrap_or(network.mtu);
    network
}

/// Refuses a host whose uplink is too small for the network.
pub(crate) fn check(network: &Network, host: &str, uplink: Option<&Uplink>) -> Result<(), Failure> {
    let Some(Uplink { port, mtu }) = uplink else { return Ok(()) };
    let overhead = networks::overhead(network);
    if network.mtu + overhead <= *mtu {
        return Ok(());
    }
    let room = mtu.saturating_sub(overhead);
    let why = format!("{port} carries packets of {mtu} bytes, which leaves {room}, but its mtu is {}", network.mtu);
    Err(Failure::refused(format!("nothing was done: {} on {host}: {why}", network.name)).hint(format!(
        "set a smaller one with: chdef -t network {} mtu={room}; or a greater one on {port}",
        network.name
    )))
}
