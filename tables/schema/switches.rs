//! How switches are asked and set up.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, secret, text};

pub(crate) const TABLE: Table =
    Table { name: "switches", help: "How switches are asked and set up.", scope: Scope::Node, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("switch", "The switch or a group of switches."),
    text("snmpversion", "The SNMP version: 1 (default), 2c or 3."),
    text("username", "The SNMPv3 user."),
    secret("password", "The SNMP community, or the SNMPv3 password."),
    text("privacy", "The SNMPv3 privacy protocol: AES or DES; default is none."),
    text("auth", "The SNMPv3 authentication protocol: SHA or MD5."),
    text("linkports", "The ports that lead to other switches, as port:switch, more by comma."),
    text("sshusername", "The user for ssh or telnet."),
    secret("sshpassword", "The password for ssh or telnet."),
    text("protocol", "'ssh' or 'telnet': how to log in; default is to try ssh first."),
    text("switchtype", "The make of the switch, such as Mellanox, Cisco, BNT, Juniper or onie."),
    COMMENTS,
    DISABLE,
];
