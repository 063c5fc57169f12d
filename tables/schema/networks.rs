//! The networks, for addresses, DHCP, DNS and boot services.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "networks",
    help: "The networks, for addresses, DHCP, DNS and boot services.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    text("netname", "The name by which the network is known."),
    key("net", "The network's address, such as 10.1.0.0."),
    key("mask", "The network's mask, such as 255.255.0.0 or /16."),
    text("mgtifname", "The port of this server on the network; '!remote!eth1' if a DHCP relay stands between."),
    text("gateway", "The router; '<xcatmaster>' makes the node's own master the router."),
    text("dhcpserver", "The server that answers DHCP on this network; default is the management node."),
    text("tftpserver", "The TFTP server as nodes on this network see it."),
    list("nameservers", "The name servers to hand out; default is site.nameservers."),
    list("ntpservers", "The time servers to hand out; default is site.ntpservers."),
    list("logservers", "The log servers to hand out."),
    list("dynamicrange", "Addresses for unknown machines, as first-last or in CIDR form."),
    list("staticrange", "Addresses that new nodes are given, as first-last."),
    text("staticrangeincrement", "How far apart the given addresses are; default is 1."),
    text("nodehostname", "An expression that makes the name of a discovered node from its position."),
    text("ddnsdomain", "The domain in which DHCP registers names, if it is another than domain."),
    text("vlanid", "The VLAN of the network."),
    text("domain", "The DNS domain of the network; default is site.domain."),
    text("mtu", "The greatest packet in bytes; default is 1500."),
    COMMENTS,
    DISABLE,
];
