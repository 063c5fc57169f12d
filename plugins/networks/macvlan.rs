//! Drivers `macvlan` and `ipvlan`: containers flat on the wire of an uplink, by the engine's own drivers.
//!
//! The engine does all but one thing: it does not bring the uplink up, so at boot its containers would be there and mute.
//! Options go to the engine as they are (`macvlan_mode=passthru`), and `plugin` names another driver of the engine, such as
//! one for SR-IOV's virtual functions. A host does not reach its own containers: the kernel keeps the two apart.

use super::bridge::port_on;
use super::driver::{Addressing, Carrier, Frame, Purpose, Wire};
use super::engine::EngineNetwork;
use super::script::{self, BRIDGES, Script};
use super::{Member, Network, vxlan};
use crate::setup::Thing;
use crate::{Error, Result};

const FUNCTIONS: &str = include_str!("macvlan.sh");

/// Driver `macvlan`.
pub(super) struct Macvlan;
/// Driver `ipvlan`.
pub(super) struct Ipvlan;

impl Carrier for Macvlan {
    fn word(&self) -> &'static str {
        "macvlan"
    }

    fn check(&self, network: &Network) -> Result<()> {
        check(network)
    }

    fn wanted(&self, network: &Network, member: &Member) -> Vec<Thing> {
        script::wanted(network, member, &script(network))
    }

    fn unwanted(&self, network: &Network) -> Vec<Thing> {
        script::unwanted(network, &[])
    }

    fn engine_network(&self, network: &Network) -> EngineNetwork {
        engine_network(network)
    }

    fn frame(&self, _network: &Network) -> Frame {
        Frame::Uplink
    }

    fn wire(&self, uplink: &str, vlan: Option<u16>) -> Option<Wire> {
        Some(Wire { port: port_on(uplink, vlan), purpose: Purpose::Below(self.word()) })
    }
}

/// The same to the host; the rest is the engine's matter.
impl Carrier for Ipvlan {
    fn word(&self) -> &'static str {
        "ipvlan"
    }

    fn check(&self, network: &Network) -> Result<()> {
        Macvlan.check(network)
    }

    fn wanted(&self, network: &Network, member: &Member) -> Vec<Thing> {
        Macvlan.wanted(network, member)
    }

    fn unwanted(&self, network: &Network) -> Vec<Thing> {
        Macvlan.unwanted(network)
    }

    fn engine_network(&self, network: &Network) -> EngineNetwork {
        Macvlan.engine_network(network)
    }

    fn frame(&self, network: &Network) -> Frame {
        Macvlan.frame(network)
    }

    fn addressing(&self) -> Addressing {
        Addressing::SharedMac
    }

    fn wire(&self, uplink: &str, vlan: Option<u16>) -> Option<Wire> {
        Some(Wire { port: port_on(uplink, vlan), purpose: Purpose::Below(self.word()) })
    }
}

fn check(network: &Network) -> Result<()> {
    let refuse = |attribute: &str, why: &str| Err(Error::Definition { attribute: attribute.into(), why: why.into() });
    let driver = network.driver.word();
    if network.uplink.is_none() {
        return refuse(
            "uplink",
            &format!("is not set; driver {driver} puts containers on the wire of one, such as eth1"),
        );
    }
    if network.vni.is_some() || network.hub.is_some() {
        return refuse(if network.vni.is_some() { "vni" } else { "hub" }, &format!("driver {driver} has no tunnels"));
    }
    vxlan::check_internal(network)?;
    if network.options.contains_key("parent") {
        return refuse("options", "parent is attribute uplink, with the VLAN of attribute vlanid");
    }
    Ok(())
}

fn engine_network(network: &Network) -> EngineNetwork {
    let mut options = network.options.clone();
    let plugin = options.remove("plugin");
    // Said to the engine in a field of its own.
    options.remove("internal");
    options.insert("parent".into(), parent(network));
    options.insert("com.docker.network.driver.mtu".into(), network.mtu.to_string());
    let driver = plugin.unwrap_or_else(|| network.driver.word().to_owned());
    EngineNetwork { driver, options, ..vxlan::engine_network(network) }
}

/// The port that the engine's driver builds on; it makes a VLAN's itself when the name has this form.
fn parent(network: &Network) -> String {
    port_on(network.uplink.as_deref().unwrap_or_default(), network.vlan)
}

fn script(network: &Network) -> Script<'static> {
    let uplink = network.uplink.clone().unwrap_or_default();
    Script {
        about: format!("{uplink} is up for the containers on {}", parent(network)),
        settings: vec![("uplink", uplink), ("mtu", network.mtu.to_string())],
        functions: vec![BRIDGES, FUNCTIONS],
        risk: false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::driver::tests::refuses;
    use super::super::vxlan::tests::network as blue;
    use super::*;

    fn network() -> Network {
        Network { driver: "macvlan".parse().unwrap(), uplink: Some("eth1".into()), vni: None, mtu: 1500, ..blue() }
    }

    #[test]
    fn the_engine_is_told_of_the_port() {
        let mut network = network();
        let told = engine_network(&network);
        assert_eq!((told.driver.as_str(), told.options["parent"].as_str()), ("macvlan", "eth1"));
        assert_eq!(told.options["com.docker.network.driver.mtu"], "1500");
        network.vlan = Some(100);
        network.driver = "ipvlan".parse().unwrap();
        network.options.insert("ipvlan_mode".into(), "l2".into());
        let told = engine_network(&network);
        assert_eq!((told.driver.as_str(), told.options["parent"].as_str()), ("ipvlan", "eth1.100"));
        assert_eq!(told.options["ipvlan_mode"], "l2");
        network.options.insert("plugin".into(), "sriov".into());
        let told = engine_network(&network);
        assert!(told.driver == "sriov" && !told.options.contains_key("plugin"));
        network.options.insert("internal".into(), "yes".into());
        let told = engine_network(&network);
        assert!(told.internal && !told.options.contains_key("internal"));
    }

    #[test]
    fn what_cannot_be_is_refused_by_attribute() {
        let check = |change: fn(&mut Network), expected: &str| refuses(&network(), change, expected);
        check(|_| (), "");
        check(|network| network.vlan = Some(7), "");
        check(|network| network.uplink = None, "attribute 'uplink'");
        check(|network| network.vni = Some(7), "attribute 'vni'");
        check(|network| network.hub = Some("h1".into()), "attribute 'hub'");
        check(|network| drop(network.options.insert("internal".into(), "x".into())), "attribute 'options'");
        check(|network| drop(network.options.insert("parent".into(), "x".into())), "attribute 'options'");
    }
}
