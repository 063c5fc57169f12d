//! Which backend manages a node's power and console, and its serial line.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "nodehm",
    help: "Which backend manages a node's power and console, and its serial line.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    list(
        "power",
        "The backends for power, if others than mgt; the next one is tried where one is not reached: ipmi,ssh,wol.",
    ),
    text("mgt", "The backend that manages the node, such as docker, ipmi, openbmc or redfish."),
    text("cons", "The backend for the console, if it is another than mgt; with serialport set it is taken as mgt."),
    text("termserver", "The terminal server that the console is wired to."),
    text("termport", "The port of the terminal server."),
    text("conserver", "The node that keeps the console; default is the management node."),
    text("serialport", "The serial port of the console, 0 for the first."),
    text("serialspeed", "The speed of the serial port in bit/s, such as 115200."),
    text("serialflow", "'hard' or 'soft' flow control on the serial port; default is none."),
    text("getmac", "The backend that finds the node's MAC address, if it is another than mgt."),
    text("cmdmapping", "A file that maps commands to scripts; not used, kept for xCAT's dumps."),
    text(
        "consoleondemand",
        "'yes' connects the console only while someone looks at it; default is site.consoleondemand.",
    ),
    text("consoleenabled", "'1' once the node's console is served."),
    COMMENTS,
    DISABLE,
];
