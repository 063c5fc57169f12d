//! The network of a BMC: its parameters, and the steps from one network to another. Pure.

use std::net::Ipv4Addr;

use super::message::Request;
use crate::{ControllerNetwork, NetworkChange};

const TRANSPORT: u8 = 0x0c;
const APPLICATION: u8 = 0x06;
/// Stands for the channel that the question comes by.
const THIS_CHANNEL: u8 = 0x0e;

/// Parameters by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// 1 while several are changed, 2 to let them hold, 0 when nothing is under way any more.
    Progress = 0,
    Address = 3,
    Source = 4,
    Mask = 6,
    Gateway = 12,
    Vlan = 20,
}

impl Parameter {
    /// What of the network it is.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Progress => "the state of its settings",
            Self::Address => "its address",
            Self::Source => "where it has its address from",
            Self::Mask => "its netmask",
            Self::Gateway => "its gateway",
            Self::Vlan => "its VLAN",
        }
    }
}

/// `Source`: written down in the BMC, not given by anybody.
pub(super) const FIXED: u8 = 1;
/// `Source`: given by a DHCP server.
const GIVEN: u8 = 2;

pub(super) fn get_channel() -> Request {
    Request::new(APPLICATION, 0x42, &[THIS_CHANNEL])
}

/// The number of the channel.
pub(super) fn channel(answer: &[u8]) -> Option<u8> {
    answer.first().map(|number| number & 0x0f)
}

pub(super) fn get(channel: u8, parameter: Parameter) -> Request {
    Request::new(TRANSPORT, 0x02, &[channel, parameter as u8, 0, 0])
}

/// The value in an answer, behind the revision.
pub(super) fn value<const N: usize>(answer: &[u8]) -> Option<[u8; N]> {
    answer.get(1..1 + N)?.try_into().ok()
}

pub(super) fn set(channel: u8, step: &Step) -> Request {
    Request::new(TRANSPORT, 0x01, &[&[channel, step.parameter as u8], &step.value[..]].concat())
}

/// A parameter that becomes another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) parameter: Parameter,
    pub(super) value: Vec<u8>,
}

impl Step {
    pub(super) fn new(parameter: Parameter, value: &[u8]) -> Self {
        Self { parameter, value: value.to_vec() }
    }
}

pub(super) fn vlan(value: [u8; 2]) -> Option<u16> {
    const ENABLED: u8 = 0x80;
    (value[1] & ENABLED != 0).then(|| u16::from_le_bytes([value[0], value[1] & 0x0f]))
}

fn of_vlan(vlan: Option<u16>) -> [u8; 2] {
    let Some(vlan) = vlan else { return [0, 0] };
    let [low, high] = vlan.to_le_bytes();
    [low, high & 0x0f | 0x80]
}

/// The network with the change in it.
pub(super) fn changed(now: ControllerNetwork, change: &NetworkChange) -> ControllerNetwork {
    let fixed = now.fixed || change.address.is_some() || change.mask.is_some() || change.gateway.is_some();
    ControllerNetwork {
        address: change.address.unwrap_or(now.address),
        mask: change.mask.unwrap_or(now.mask),
        gateway: change.gateway.unwrap_or(now.gateway),
        fixed,
        vlan: change.vlan.unwrap_or(now.vlan),
    }
}

/// Why nobody would get anywhere by such a network.
pub(super) fn fault(wanted: &ControllerNetwork) -> Option<String> {
    let [address, mask, gateway] = [wanted.address, wanted.mask, wanted.gateway].map(u32::from);
    if mask.leading_ones() + mask.trailing_zeros() != u32::BITS || mask == 0 {
        return Some(format!("{} is no netmask", wanted.mask));
    }
    if let Some(why) = no_host(wanted.address, mask) {
        return Some(format!("{} is {why}", wanted.address));
    }
    if wanted.gateway == wanted.address {
        return Some(format!("gateway {} is its own address", wanted.gateway));
    }
    if !wanted.gateway.is_unspecified() && address & mask != gateway & mask {
        return Some(format!("gateway {} is not in the network of {}/{}", wanted.gateway, wanted.address, wanted.mask));
    }
    None
}

/// Why no BMC can have an address.
fn no_host(address: Ipv4Addr, mask: u32) -> Option<&'static str> {
    let host = u32::from(address) & !mask;
    // A network of one address or two has none that stands for all.
    let has_ends = mask.trailing_zeros() > 1;
    match address {
        _ if address.is_unspecified() => Some("no address"),
        _ if address.is_loopback() => Some("a loopback address"),
        _ if address.is_multicast() => Some("a multicast address"),
        _ if address.is_broadcast() => Some("a broadcast address"),
        _ if has_ends && host == 0 => Some("the address of its whole network"),
        _ if has_ends && host == !mask => Some("the broadcast address of its network"),
        _ => None,
    }
}

/// What leads from one network to another; what cuts us off comes last.
pub(super) fn steps(now: &ControllerNetwork, wanted: &ControllerNetwork) -> Vec<Step> {
    let mut steps = Vec::new();
    if wanted.fixed && !now.fixed {
        steps.push(Step::new(Parameter::Source, &[FIXED]));
    }
    // Behind the address it could not be sent any more.
    steps.extend(vlan_step(now, wanted));
    let parts = |network: &ControllerNetwork| {
        [(Parameter::Mask, network.mask), (Parameter::Gateway, network.gateway), (Parameter::Address, network.address)]
    };
    for ((parameter, new), (_, old)) in parts(wanted).into_iter().zip(parts(now)) {
        if new != old {
            steps.push(Step::new(parameter, &new.octets()));
        }
    }
    steps
}

/// What leads back to a network that was there before.
pub(super) fn steps_back(now: &ControllerNetwork, before: &ControllerNetwork) -> Vec<Step> {
    if before.fixed || !now.fixed {
        return steps(now, before);
    }
    // Who gives the address gives all else but the VLAN; it is the last step, as it may cut us off.
    vlan_step(now, before).into_iter().chain([Step::new(Parameter::Source, &[GIVEN])]).collect()
}

fn vlan_step(now: &ControllerNetwork, wanted: &ControllerNetwork) -> Option<Step> {
    (wanted.vlan != now.vlan).then(|| Step::new(Parameter::Vlan, &of_vlan(wanted.vlan)))
}

/// Whether a network is what was asked for.
pub(super) fn is_as_asked(network: &ControllerNetwork, change: &NetworkChange) -> bool {
    changed(*network, change) == *network
}

pub(super) fn address(value: [u8; 4]) -> Ipv4Addr {
    value.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(address: &str, mask: &str, gateway: &str) -> ControllerNetwork {
        let [address, mask, gateway] = [address, mask, gateway].map(|text| text.parse().unwrap());
        ControllerNetwork { address, mask, gateway, fixed: true, vlan: None }
    }

    #[test]
    fn only_what_differs_is_set_and_the_address_last() {
        let now = ControllerNetwork { fixed: false, ..network("10.0.0.7", "255.255.0.0", "0.0.0.0") };
        assert_eq!(steps(&now, &now), []);
        let change = NetworkChange {
            address: Some("10.0.1.7".parse().unwrap()),
            gateway: Some("10.0.0.1".parse().unwrap()),
            vlan: Some(Some(0x123)),
            ..NetworkChange::default()
        };
        let expected = [
            Step::new(Parameter::Source, &[1]),
            Step::new(Parameter::Vlan, &[0x23, 0x81]),
            Step::new(Parameter::Gateway, &[10, 0, 0, 1]),
            Step::new(Parameter::Address, &[10, 0, 1, 7]),
        ];
        assert_eq!(steps(&now, &changed(now, &change)), expected);
        assert_eq!(set(1, &expected[1]).data, [1, 20, 0x23, 0x81]);
    }

    #[test]
    fn the_vlan_goes_back_as_well() {
        let before = network("10.0.0.7", "255.255.0.0", "0.0.0.0");
        let now = ControllerNetwork { vlan: Some(7), ..network("10.0.1.7", "255.255.0.0", "0.0.0.0") };
        let off = Step::new(Parameter::Vlan, &[0, 0]);
        let address = Step::new(Parameter::Address, &[10, 0, 0, 7]);
        assert_eq!(steps_back(&now, &before), [off.clone(), address]);
        let before = ControllerNetwork { fixed: false, ..before };
        assert_eq!(steps_back(&now, &before), [off, Step::new(Parameter::Source, &[2])]);
        assert_eq!(steps_back(&before, &before), []);
    }

    #[test]
    fn a_change_that_was_made_is_recognised() {
        let now = network("10.0.1.7", "255.255.0.0", "0.0.0.0");
        let change = NetworkChange { address: Some(now.address), ..NetworkChange::default() };
        assert!(is_as_asked(&now, &change));
        assert!(!is_as_asked(&now, &NetworkChange { vlan: Some(Some(7)), ..change }));
        assert!(!is_as_asked(&ControllerNetwork { fixed: false, ..now }, &change));
    }

    #[test]
    fn addresses_that_cut_a_bmc_off_are_seen() {
        let check = |address: &str, mask: &str, gateway: &str, expected: Option<&str>| {
            assert_eq!(fault(&network(address, mask, gateway)).as_deref(), expected, "{address}/{mask}");
        };
        let mask = "255.255.255.0";
        check("0.0.0.0", mask, "0.0.0.0", Some("0.0.0.0 is no address"));
        check("127.0.0.1", mask, "0.0.0.0", Some("127.0.0.1 is a loopback address"));
        check("224.0.0.1", mask, "0.0.0.0", Some("224.0.0.1 is a multicast address"));
        check("255.255.255.255", mask, "0.0.0.0", Some("255.255.255.255 is a broadcast address"));
        check("10.0.0.0", mask, "0.0.0.0", Some("10.0.0.0 is the address of its whole network"));
        check("10.0.0.255", mask, "0.0.0.0", Some("10.0.0.255 is the broadcast address of its network"));
        check("10.0.0.255", "255.255.254.0", "0.0.0.0", None);
        check("10.0.0.0", "255.255.255.254", "10.0.0.1", None);
        check("10.0.0.0", "255.255.255.255", "0.0.0.0", None);
        check("10.0.0.7", mask, "10.0.0.7", Some("gateway 10.0.0.7 is its own address"));
    }

    #[test]
    fn networks_that_lead_nowhere_are_seen() {
        let check = |mask: &str, gateway: &str, expected: Option<&str>| {
            assert_eq!(fault(&network("10.0.0.7", mask, gateway)).as_deref(), expected);
        };
        check("255.255.255.0", "10.0.0.1", None);
        check("255.255.255.0", "0.0.0.0", None);
        check("255.0.255.0", "0.0.0.0", Some("255.0.255.0 is no netmask"));
        check("0.0.0.0", "0.0.0.0", Some("0.0.0.0 is no netmask"));
        check("255.255.255.0", "10.0.1.1", Some("gateway 10.0.1.1 is not in the network of 10.0.0.7/255.255.255.0"));
    }

    proptest! {
        #[test]
        fn a_vlan_comes_back(id in 1..4095u16) {
            prop_assert_eq!(vlan(of_vlan(Some(id))), Some(id));
            prop_assert_eq!(vlan(of_vlan(None)), None);
        }

        #[test]
        fn hostile_bytes_do_no_harm(bytes: Vec<u8>) {
            channel(&bytes);
            value::<4>(&bytes);
        }
    }
}
