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
    Err(Failure::refused(format!("nothing was done: {} on {host}: {why}", network.name))
        .hint(format!("give it mtu={room}, or {port} a greater one")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(mtu: u32) -> Network {
        Network { mtu, ..super::super::tests::network(0) }
    }

    fn uplink(mtu: u32) -> Uplink {
        Uplink { port: "eth0".into(), mtu }
    }

    #[test]
    fn what_is_set_or_made_wins_over_what_uplinks_leave() {
        let check = |is_set: bool, made: Option<u32>, uplinks: &[u32], expected: u32| {
            let defined = Defined { network: network(1400), mtu_is_set: is_set, hosts: Vec::new() };
            let made: Option<Made> = made.map(|mtu| [("h1".to_owned(), network(mtu))].into());
            let uplinks = (1..).zip(uplinks).map(|(number, mtu)| (format!("h{number}"), uplink(*mtu))).collect();
            assert_eq!(settle(&defined, made.as_ref(), &uplinks).mtu, expected, "{is_set} {made:?} {uplinks:?}");
        };
        check(true, Some(1350), &[9000], 1400);
        check(false, Some(1350), &[9000, 9000], 1350);
        check(false, None, &[9000, 1500, 9000], 1450);
        check(false, None, &[], 1400);
    }

    #[test]
    fn an_uplink_carries_the_wrapping_too() {
        let check = |mtu: u32, carries: u32, fits: bool| {
            assert_eq!(super::check(&network(mtu), "h1", Some(&uplink(carries))).is_ok(), fits, "{mtu} {carries}");
        };
        check(1450, 1500, true);
        check(1451, 1500, false);
        check(1450, 1400, false);
        assert!(super::check(&network(9000), "h1", None).is_ok());
    }
}
