//! The BMCs that run OpenBMC.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, secret, text};

pub(crate) const TABLE: Table =
    Table { name: "openbmc", help: "The BMCs that run OpenBMC.", scope: Scope::Node, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("bmc", "The address or name of the BMC."),
    text("consport", "The port of the BMC's console; default is 2200."),
    text("taggedvlan", "The VLAN tag of the BMC's port, or 'off'."),
    text("username", "The user for the BMC; default is the openbmc row of table passwd."),
    secret("password", "The password for the BMC; default is the openbmc row of table passwd."),
    COMMENTS,
    DISABLE,
];
