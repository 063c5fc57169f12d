//! Further network ports of a node; every cell reads nic!value, more ports by comma, more values of one port by '|'.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list};

pub(crate) const TABLE: Table = Table {
    name: "nics",
    help: "Further network ports of a node; every cell reads nic!value, more ports by comma, more values of one port by '|'.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    list("nicips", "The addresses of each port, such as eth1!10.1.0.7|fd00::7,ib0!10.2.0.7."),
    list("nichostnamesuffixes", "What is put after the node's name for each port, such as eth1!-eth1,ib0!-ib0."),
    list("nichostnameprefixes", "What is put before the node's name for each port, such as eth1!eth1-."),
    list("nictypes", "The type of each port: Ethernet, Infiniband, BMC, VLAN, Bond or Bridge."),
    list("niccustomscripts", "The script that sets up each port, such as ib0!configib."),
    list("nicnetworks", "The network (table networks) of each port's addresses."),
    list("nicaliases", "Further names for each port, several by space."),
    list("nicextraparams", "Further parameters of each port, such as eth1!MTU=9000."),
    list("nicdevices", "The ports below each bond, bridge or VLAN, such as bond0!eth1|eth2."),
    list("nicsadapter", "What discovery found about each port, such as eth1!mac=02:00:00:00:00:01 linkstate=UP."),
    COMMENTS,
    DISABLE,
];
