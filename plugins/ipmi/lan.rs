//! The network of a BMC: its parameters, and the steps from one network to another. Pure.

use std::net::Ipv4Addr;

use super::message::Request;
use crate::ControllerNetwork;

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

pub(super) fn address(value: [u8; 4]) -> Ipv4Addr {
    value.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::NetworkChange;
    use crate::bmc::network::changed;

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
