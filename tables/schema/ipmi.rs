//! The BMCs that are reached by IPMI or Redfish.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, secret, text};

pub(crate) const TABLE: Table =
    Table { name: "ipmi", help: "The BMCs that are reached by IPMI or Redfish.", scope: Scope::Node, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("bmc", "The address or name of the BMC."),
    text("bmcport", "'0' for a dedicated, '1' for a shared network port, or a vendor's own words."),
    text("taggedvlan", "The VLAN tag of the BMC's port, or 'off'."),
    text("bmcid", "The serial number by which discovery recognises the BMC."),
    text(
        "username",
        "The user for the BMC; default is the ipmi row of table passwd, for Redfish the redfish row if there is one.",
    ),
    secret("password", "The password for the BMC; default is as for the user."),
    COMMENTS,
    DISABLE,
];
