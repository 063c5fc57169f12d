//! The servers and network ports that a node boots and installs with.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "noderes",
    help: "The servers and network ports that a node boots and installs with.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    list(
        "servicenode",
        "The service nodes that serve the node, the first that answers wins; default is the management node.",
    ),
    text(
        "netboot",
        "How the node boots over the network: pxe, xnba, grub2, grub2-http, grub2-tftp, petitboot, yaboot, onie or nimol.",
    ),
    text("tftpserver", "The TFTP server as the node sees it; default is xcatmaster."),
    text("tftpdir", "The directory that TFTP serves; default is site.tftpdir."),
    text("nfsserver", "The NFS or HTTP server as the node sees it; default is xcatmaster."),
    text("monserver", "The address of the server that collects monitoring data."),
    text("nfsdir", "The directory that is mounted from nfsserver; default is site.installdir."),
    text(
        "installnic",
        "The network port to install through: a name, a MAC address or 'mac' (default) for the one in table mac.",
    ),
    text(
        "primarynic",
        "The port for everyday traffic: a name, a MAC address or 'mac' (default) for the one in table mac.",
    ),
    list("discoverynics", "The ports whose MAC addresses discovery takes; default is all."),
    text("cmdinterface", "Not used; kept for xCAT's dumps."),
    text("xcatmaster", "The address of the management or service node as the node sees it."),
    text("current_osimage", "Not used; kept for xCAT's dumps."),
    text("next_osimage", "Not used; kept for xCAT's dumps."),
    text("nimserver", "The NIM server of an AIX node."),
    list("routenames", "Names of the routes (table routes) that the node sets up."),
    list(
        "nameservers",
        "Name servers for the node; '<xcatmaster>' stands for the node's own master; default is site.nameservers.",
    ),
    text("proxydhcp", "'1', 'yes' or empty lets proxyDHCP answer the node, '0' or 'no' does not."),
    text("syslog", "'ignore' leaves the node's syslog set-up alone; default sends the log to the master."),
    COMMENTS,
    DISABLE,
];
