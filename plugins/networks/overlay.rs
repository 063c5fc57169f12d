//! Driver `overlay`: Swarm's own network, for hosts that are in one swarm.
//!
//! Nothing of it is on a host before a container is: the swarm's managers keep the definition and the engines make the rest
//! when the first container comes. So there is nothing to be true of a host, and the network is made once, at a manager.

use super::driver::{Addressing, Carrier, Frame};
use super::engine::EngineNetwork;
use super::{Member, Network, check_options, vxlan};
use crate::setup::Thing;
use crate::{Error, Result};

/// What an engine takes off the MTU that it is told, for VXLAN, whatever the family of the hosts' addresses.
const WRAPPING: u32 = 50;
/// And for ESP around it.
const ENCRYPTION: u32 = 26;

/// Driver `overlay`.
pub(super) struct Swarm;

impl Carrier for Swarm {
    fn word(&self) -> &'static str {
        "overlay"
    }

    fn check(&self, network: &Network) -> Result<()> {
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

    fn wanted(&self, _network: &Network, _member: &Member) -> Vec<Thing> {
        Vec::new()
    }

    fn unwanted(&self, _network: &Network) -> Vec<Thing> {
        Vec::new()
    }

    fn encryption(&self, network: &Network) -> u32 {
        if network.options.contains_key("encrypted") { ENCRYPTION } else { 0 }
    }

    /// The engine is told the MTU of the uplink, and makes that of containers by itself.
    fn engine_network(&self, network: &Network) -> EngineNetwork {
        let mut options = network.options.clone();
        let mtu = network.mtu + WRAPPING + self.encryption(network);
        options.insert("com.docker.network.driver.mtu".into(), mtu.to_string());
        EngineNetwork {
            driver: "overlay".into(),
            attachable: true,
            internal: false,
            options,
            ..vxlan::engine_network(network)
        }
    }

    fn frame(&self, _network: &Network) -> Frame {
        Frame::Engine
    }

    fn addressing(&self) -> Addressing {
        Addressing::Swarm
    }
}

#[cfg(test)]
mod tests {
    use super::super::vxlan::tests::network as blue;
    use super::*;

    #[test]
    fn single_containers_may_join() {
        let network = Network { driver: "overlay".parse().unwrap(), vni: None, ..blue() };
        assert!(Swarm.check(&network).is_ok());
        let told = Swarm.engine_network(&network);
        assert!(told.driver == "overlay" && told.attachable && !told.internal);
        assert_eq!(told.options["com.docker.network.driver.mtu"], "1500");
        let options = [("encrypted".to_owned(), String::new())].into();
        let network = Network { mtu: 1424, options, ..network };
        assert_eq!(Swarm.engine_network(&network).options["com.docker.network.driver.mtu"], "1500");
        assert_eq!(super::super::overhead(&network), 76);
    }

    #[test]
    fn what_a_swarm_decides_is_refused() {
        let network = Network { driver: "overlay".parse().unwrap(), uplink: Some("eth1".into()), vni: None, ..blue() };
        assert!(Swarm.check(&network).unwrap_err().to_string().starts_with("attribute 'uplink'"));
    }
}
