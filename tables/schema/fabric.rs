//! How a network of table networks is carried over hosts: what xCAT's table has no column for.

use super::{COMMENTS, Column, DISABLE, Scope, Table, bars, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "fabric",
    help: "How a network of table networks is carried over hosts, for mknet.",
    scope: Scope::Other,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("netname", "The name of the network, which is the name of the engine's network on every host too."),
    text(
        "driver",
        "What carries it: bridge (a Linux bridge on an uplink, or joined by VXLAN where there is none), ovs (Open vSwitch), macvlan or ipvlan (flat on an uplink), overlay (Swarm's).",
    ),
    list("hosts", "The hosts that carry it, as a noderange."),
    text("uplink", "The port of the hosts that leads into it, such as eth1; none joins the hosts by tunnels."),
    text(
        "vni",
        "The number of the tunnels, 1 to 16777215; default is one made of the name. With an uplink it puts tunnels on that uplink.",
    ),
    text("hub", "The host through which Open vSwitch's tunnels go; default is a tunnel between each two hosts."),
    bars("options", "Further options of the driver as name=value, separated by '|'."),
    COMMENTS,
    DISABLE,
];
