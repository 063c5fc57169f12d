//! Through which devices a host reaches the others of a network.

use super::survey::{Device, Survey};
use super::{Member, Network};

/// The devices through which a host reaches the others: the uplink or what has the host's address, and what that one
/// stands on.
pub(super) fn outward<'a>(network: &Network, member: &Member, survey: &'a Survey) -> Vec<&'a Device> {
    let top = match &network.uplink {
        Some(uplink) => survey.device(uplink),
        None => survey.device_with(member.address),
    };
    let Some(top) = top else { return Vec::new() };
    let below = top.below.as_deref().and_then(|below| survey.device(below));
    // Of a bridge that has the host's address the hardware counts; other ports belong to containers or tunnels.
    let ports = survey.devices.iter().filter(|port| port.kind.is_none() && port.master.as_deref() == Some(&*top.name));
    [top].into_iter().chain(below).chain(ports).collect()
}

#[cfg(test)]
mod tests {
    use super::super::vxlan::tests::network;
    use super::*;

    fn device(name: &str, address: &str) -> Device {
        Device { name: name.into(), addresses: address.parse().into_iter().collect(), ..Device::default() }
    }

    #[test]
    fn what_an_address_stands_on_counts() {
        let check = |devices: Vec<Device>, uplink: Option<&str>, expected: &[&str]| {
            let network = Network { uplink: uplink.map(Into::into), ..network() };
            let survey = Survey { devices, ..Survey::default() };
            let found = outward(&network, &network.members[0], &survey);
            let names: Vec<&str> = found.iter().map(|device| device.name.as_str()).collect();
            assert_eq!(names, expected);
        };
        let plain = || vec![device("eth0", "10.77.0.1/24"), device("eth1", "")];
        check(plain(), None, &["eth0"]);
        check(plain(), Some("eth1"), &["eth1"]);
        check(plain(), Some("eth2"), &[]);
        let vlan = Device { below: Some("eth1".into()), ..device("eth1.7", "10.77.0.1/24") };
        check(vec![device("eth1", ""), vlan], None, &["eth1.7", "eth1"]);
        let port = |name: &str, kind: Option<&str>| Device {
            master: Some("br0".into()),
            kind: kind.map(Into::into),
            ..device(name, "")
        };
        check(
            vec![port("eth0", None), port("veth1", Some("veth")), device("br0", "10.77.0.1/24")],
            None,
            &["br0", "eth0"],
        );
    }
}
