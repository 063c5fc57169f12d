//! What a BMC itself is: who may log in, and the network that it has.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

/// Where accounts are.
pub(super) const ACCOUNTS: &str = "/redfish/v1/AccountService/Accounts";
/// Where its interfaces are.
pub(super) const INTERFACES: &str = "/redfish/v1/Managers/1/EthernetInterfaces";

/// Somebody who may log in, beside the one of the machine; without a name it is a place for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedfishUser {
    pub name: String,
    pub password: String,
    pub role: String,
    pub enabled: bool,
}

/// The BMC itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedfishController {
    /// The second user, and so on.
    pub users: Vec<RedfishUser>,
    /// Whether there are places for users instead of users that can be made.
    pub has_places: bool,
    /// Where it is; it moves there. None as long as nobody has asked it.
    pub address: Option<Ipv4Addr>,
    pub mask: Ipv4Addr,
    pub gateway: Ipv4Addr,
    /// Whether a DHCP server gives the address.
    pub is_given: bool,
    pub vlan: Option<u64>,
    /// Whether it keeps apart what was written down for it, as newer schemas do.
    pub is_newer: bool,
}

impl Default for RedfishController {
    fn default() -> Self {
        Self {
            users: Vec::new(),
            has_places: false,
            address: None,
            mask: Ipv4Addr::new(255, 255, 0, 0),
            gateway: Ipv4Addr::UNSPECIFIED,
            is_given: false,
            vlan: None,
            is_newer: true,
        }
    }
}

impl RedfishController {
    /// Its interface.
    pub(super) fn interface(&self) -> Value {
        let address = json!({
            "Address": self.address, "SubnetMask": self.mask, "Gateway": self.gateway,
            "AddressOrigin": if self.is_given { "DHCP" } else { "Static" },
        });
        let mut interface = json!({
            "IPv4Addresses": [address],
            "VLAN": { "VLANEnable": self.vlan.is_some(), "VLANId": self.vlan.unwrap_or(0) },
        });
        if self.is_newer {
            interface["DHCPv4"] = json!({ "DHCPEnabled": self.is_given });
            interface["IPv4StaticAddresses"] = if self.is_given { json!([]) } else { json!([address]) };
        }
        interface
    }

    /// Status of the answer to a change of its interface.
    pub(super) fn change_interface(&mut self, body: &Value) -> u16 {
        let written = if self.is_newer { "IPv4StaticAddresses" } else { "IPv4Addresses" };
        for name in body.as_object().into_iter().flat_map(|body| body.keys()) {
            if ![written, "DHCPv4", "VLAN"].contains(&name.as_str()) || (name == "DHCPv4" && !self.is_newer) {
                return 400;
            }
        }
        if let Some(given) = body["DHCPv4"]["DHCPEnabled"].as_bool() {
            self.is_given = given;
        }
        let entry = &body[written][0];
        if !self.is_newer && entry["AddressOrigin"] == "Static" {
            self.is_given = false;
        }
        let parse = |name: &str| entry[name].as_str().and_then(|text| text.parse().ok());
        self.address = parse("Address").or(self.address);
        self.mask = parse("SubnetMask").unwrap_or(self.mask);
        self.gateway = parse("Gateway").unwrap_or(self.gateway);
        match body["VLAN"]["VLANEnable"].as_bool() {
            Some(true) => self.vlan = body["VLAN"]["VLANId"].as_u64(),
            Some(false) => self.vlan = None,
            None => {}
        }
        200
    }

    /// Whether somebody else than the machine's own user may log in so.
    pub(super) fn lets_in(&self, name: &str, password: &str) -> bool {
        self.users.iter().any(|user| user.enabled && !name.is_empty() && user.name == name && user.password == password)
    }

    /// Status of the answer to a wish for a new user.
    pub(super) fn add(&mut self, body: &Value) -> u16 {
        if self.has_places {
            return 405;
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (name, password, role) = (text("UserName"), text("Password"), text("RoleId"));
        self.users.push(RedfishUser { name, password, role, enabled: body["Enabled"] == true });
        201
    }

    /// Status of the answer to a change of a user.
    pub(super) fn change_user(&mut self, place: usize, body: &Value) -> u16 {
        let Some(user) = self.users.get_mut(place) else { return 404 };
        let text = |name: &str, old: &str| body[name].as_str().unwrap_or(old).to_owned();
        *user = RedfishUser {
            name: text("UserName", &user.name),
            password: text("Password", &user.password),
            role: text("RoleId", &user.role),
            enabled: body["Enabled"].as_bool().unwrap_or(user.enabled),
        };
        200
    }
}
