//! Driver `overlay`: Swarm's own network, for hosts that are in one swarm.
//!
//! Nothing of it is on a host before a container is: the swarm's managers keep the definition and the engines make the rest
//! when the first container comes. So there is nothing to be true of a host, and the network is made once, at a manager.

use super::engine::EngineNetwork;
use super::{Network, check_options, vxlan};
use crate::{Error, Result};

pub(super) fn check(network: &Network) -> Result<()> {
    check_options(network, &["encrypted"])?;
    let given = [
        ("uplink", network.uplink.is_some()),
        ("hub", network.hub.is_some()),
        ("vlanid", network.vlan.is_some()),
        ("vni", network.vni.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((attribute, _)) => Err(Error::Definition {
            attribute: attribute.into(),
            why: "a swarm decides that for driver overlay".into(),
        }),
        None => Ok(()),
    }
}

pub(super) fn engine_network(network: &Network) -> EngineNetwork {
    let mut options = network.options.clone();
    options.insert("com.docker.network.driver.mtu".into(), network.mtu.to_string());
    EngineNetwork {
        driver: "overlay".into(),
        attachable: true,
        internal: false,
        options,
        ..vxlan::engine_network(network)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Driver;
    use super::super::vxlan::tests::network as blue;
    use super::*;

    #[test]
    fn single_containers_may_join() {
        let network = Network { driver: Driver::Overlay, vni: None, ..blue() };
        assert!(check(&network).is_ok());
        let told = engine_network(&network);
        assert!(told.driver == "overlay" && told.attachable && !told.internal);
        assert_eq!(told.options["com.docker.network.driver.mtu"], "1450");
    }

    #[test]
    fn what_a_swarm_decides_is_refused() {
        let network = Network { driver: Driver::Overlay, uplink: Some("eth1".into()), vni: None, ..blue() };
        assert!(check(&network).unwrap_err().to_string().starts_with("attribute 'uplink'"));
    }
}
