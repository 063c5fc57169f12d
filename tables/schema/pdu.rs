//! How the power distribution units of racks are reached.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, secret, text};

pub(crate) const TABLE: Table = Table {
    name: "pdu",
    help: "How the power distribution units of racks are reached.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The unit, or a group of units."),
    text("nodetype", "The type of the node: pdu."),
    text("pdutype", "The model of the unit, such as irpdu or crpdu."),
    text("outlet", "How many outlets it has."),
    text("username", "The login name."),
    secret("password", "The password of that login."),
    text("snmpversion", "The version of SNMP: 1 (default), 2 or 3."),
    secret("community", "The community of SNMP 1 and 2."),
    text("snmpuser", "The user of SNMP 3."),
    text("authtype", "How SNMP 3 proves who asks: MD5 or SHA."),
    secret("authkey", "The passphrase for that."),
    text("privtype", "How SNMP 3 hides what is said: AES or DES."),
    secret("privkey", "The passphrase for that."),
    text("seclevel", "What SNMP 3 insists on: noAuthNoPriv, authNoPriv or authPriv."),
    COMMENTS,
    DISABLE,
];
