//! The network of a BMC as its EthernetInterface tells it, by older schemas and by newer ones, and what changes it. Pure.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::document::Document;
use crate::ControllerNetwork;

const NOW: &str = "IPv4Addresses";
/// What was written down for it, where the BMC keeps that apart from what it has.
const WRITTEN: &str = "IPv4StaticAddresses";

/// The network that an interface has; by its first address, unless it has `address`.
pub(super) fn read(interface: &Document, address: Ipv4Addr) -> Option<ControllerNetwork> {
    let all = interface.objects(&[NOW]);
    let is_there = |entry: &&Document| at(entry, "Address").is_some_and(|known| !known.is_unspecified());
    let entry = all.iter().find(|entry| at(entry, "Address") == Some(address)).or(all.iter().find(is_there))?;
    let given = interface.flag(&["DHCPv4", "DHCPEnabled"]);
    let fixed = match entry.text(&["AddressOrigin"]) {
        Some(origin) => origin == "Static",
        None => given != Some(true),
    };
    let tagged = interface.flag(&["VLAN", "VLANEnable"]) == Some(true);
    let id = interface.number(&["VLAN", "VLANId"]).filter(|id| (1.0..=4094.0).contains(id));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds above")]
    let vlan = id.filter(|_| tagged).map(|id| id as u16);
    Some(ControllerNetwork {
        address: at(entry, "Address")?,
        mask: at(entry, "SubnetMask")?,
        gateway: at(entry, "Gateway").unwrap_or(Ipv4Addr::UNSPECIFIED),
        fixed,
        vlan,
    })
}

fn at(entry: &Document, member: &str) -> Option<Ipv4Addr> {
    entry.text(&[member])?.parse().ok()
}

/// What leads from one network to another, in one request: the BMC may be gone after the first.
pub(super) fn change(interface: &Document, now: &ControllerNetwork, wanted: &ControllerNetwork) -> Value {
    let mut body = json!({});
    let without_vlan = |network: &ControllerNetwork| ControllerNetwork { vlan: None, ..*network };
    if !wanted.fixed {
        if now.fixed {
            set_given(interface, &mut body, true);
        }
    } else if without_vlan(wanted) != without_vlan(now) {
        if !now.fixed {
            set_given(interface, &mut body, false);
        }
        let written = if interface.has(WRITTEN) { WRITTEN } else { NOW };
        let all = interface.objects(&[written]);
        let place = all.iter().position(|entry| at(entry, "Address") == Some(now.address)).unwrap_or(0);
        let mut entry = json!({ "Address": wanted.address, "SubnetMask": wanted.mask });
        // Some refuse to hear of no gateway.
        if !wanted.gateway.is_unspecified() || wanted.gateway != now.gateway {
            entry["Gateway"] = json!(wanted.gateway);
        }
        if written == NOW && all.get(place).is_some_and(|entry| entry.has("AddressOrigin")) {
            entry["AddressOrigin"] = "Static".into();
        }
        // An empty object leaves what stands there.
        let entries = std::iter::repeat_n(json!({}), place).chain([entry]);
        body[written] = entries.collect();
    }
    if wanted.vlan != now.vlan {
        body["VLAN"] = match wanted.vlan {
            Some(id) => json!({ "VLANEnable": true, "VLANId": id }),
            None => json!({ "VLANEnable": false }),
        };
    }
    body
}

/// Whether a DHCP server is to give the address; by older schemas that stands with the address.
fn set_given(interface: &Document, body: &mut Value, given: bool) {
    if interface.has("DHCPv4") {
        body["DHCPv4"] = json!({ "DHCPEnabled": given });
    } else if given {
        body[NOW] = json!([{ "AddressOrigin": "DHCP" }]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(value: &Value) -> Document {
        Document::parse(value.to_string().as_bytes()).unwrap()
    }

    fn network(address: &str, gateway: &str, fixed: bool, vlan: Option<u16>) -> ControllerNetwork {
        let [address, mask, gateway] = [address, "255.255.0.0", gateway].map(|text| text.parse().unwrap());
        ControllerNetwork { address, mask, gateway, fixed, vlan }
    }

    #[test]
    fn older_schemas() {
        let older = interface(&json!({
            "IPv4Addresses": [
                { "Address": "169.254.0.17", "SubnetMask": "255.255.0.0", "AddressOrigin": "IPv4LinkLocal" },
                { "Address": "10.0.0.7", "SubnetMask": "255.255.0.0", "Gateway": "10.0.0.1", "AddressOrigin": "Static" },
            ],
            "VLAN": { "VLANEnable": true, "VLANId": 7 },
        }));
        let now = network("10.0.0.7", "10.0.0.1", true, Some(7));
        assert_eq!(read(&older, now.address), Some(now));
        let wanted = network("10.0.1.7", "0.0.0.0", true, None);
        let expected = json!({
            "IPv4Addresses": [{}, {
                "Address": "10.0.1.7", "SubnetMask": "255.255.0.0", "Gateway": "0.0.0.0", "AddressOrigin": "Static",
            }],
            "VLAN": { "VLANEnable": false },
        });
        assert_eq!(change(&older, &now, &wanted), expected);
        let given = ControllerNetwork { fixed: false, ..now };
        assert_eq!(change(&older, &now, &given), json!({ "IPv4Addresses": [{ "AddressOrigin": "DHCP" }] }));
    }

    #[test]
    fn newer_schemas() {
        let newer = interface(&json!({
            "DHCPv4": { "DHCPEnabled": true },
            "IPv4Addresses": [{ "Address": "10.0.0.7", "SubnetMask": "255.255.0.0", "Gateway": null, "AddressOrigin": "DHCP" }],
            "IPv4StaticAddresses": [], "VLAN": { "VLANEnable": false, "VLANId": 0 },
        }));
        let now = network("10.0.0.7", "0.0.0.0", false, None);
        assert_eq!(read(&newer, now.address), Some(now));
        let wanted = network("10.0.1.7", "0.0.0.0", true, Some(7));
        let expected = json!({
            "DHCPv4": { "DHCPEnabled": false },
            "IPv4StaticAddresses": [{ "Address": "10.0.1.7", "SubnetMask": "255.255.0.0" }],
            "VLAN": { "VLANEnable": true, "VLANId": 7 },
        });
        assert_eq!(change(&newer, &now, &wanted), expected);
        assert_eq!(change(&newer, &wanted, &now)["DHCPv4"], json!({ "DHCPEnabled": true }));
        assert_eq!(change(&newer, &now, &now), json!({}));
    }

    #[test]
    fn what_has_no_address_has_no_network() {
        let check = |value: &Value| assert_eq!(read(&interface(value), [10, 0, 0, 7].into()), None, "{value}");
        check(&json!({}));
        check(&json!({ "IPv4Addresses": [{ "Address": "0.0.0.0", "SubnetMask": "0.0.0.0" }] }));
        check(&json!({ "IPv4Addresses": [{ "Address": "10.0.0.7", "SubnetMask": 24 }] }));
        check(&json!({ "IPv4Addresses": [7, { "Address": "\u{1b}[2J" }] }));
    }
}
