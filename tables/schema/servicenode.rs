//! The services that a service node runs; '1' or 'yes' sets one up.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "servicenode",
    help: "The services that a service node runs; '1' or 'yes' sets one up.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The service node or group."),
    text("nameserver", "Name service: '1' forwards to the management node, '2' keeps copies of its zones."),
    text("dhcpserver", "DHCP."),
    text("tftpserver", "TFTP."),
    text("nfsserver", "File service for installations."),
    text("conserver", "Consoles of its nodes."),
    text("monserver", "Monitoring of its nodes; not used."),
    text("ldapserver", "A proxy for LDAP."),
    text("ntpserver", "Time service for its nodes."),
    text("ftpserver", "FTP."),
    text("nimserver", "NIM; not used."),
    text("ipforward", "Routing between its networks."),
    list("dhcpinterfaces", "The ports on which DHCP answers; default is all."),
    text("proxydhcp", "A proxyDHCP service."),
    COMMENTS,
    DISABLE,
];
