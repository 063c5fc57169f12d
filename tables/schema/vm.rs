//! What a virtual machine or container has, and the host it runs on.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, secret, text};

pub(crate) const TABLE: Table = Table {
    name: "vm",
    help: "What a virtual machine or container has, and the host it runs on.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("mgr", "The manager of the virtualisation cluster, where there is one."),
    text("host", "The node that the guest runs on; for a container the Docker host."),
    text("migrationdest", "A noderange of hosts that the guest may move to."),
    list(
        "storage",
        "Disks as URLs: nfs://server/dir, dir:///path, phy:/dev/x or lvm:group, each with =model if need be, separated by ',' or '|'; a container takes dir and nfs, with =path where it is another one in the container.",
    ),
    text("storagemodel", "The model of the disk controller: virtio, scsi or ide."),
    text("storagecache", "The cache mode of the disks: none, writeback or writethrough."),
    text("storageformat", "The format of new disk files: raw (default) or qcow2."),
    text("cfgstore", "Where the guest's configuration is kept, if apart from its disks."),
    text(
        "memory",
        "The memory limit in MB, or with suffix K, M or G, such as 4096 or 4G; default is no limit for a container.",
    ),
    text(
        "cpus",
        "How many processors the guest may use; for a container a fraction such as 1.5 is fine; default is no limit.",
    ),
    list(
        "nics",
        "Network ports, each [physnet:]bridge[=model]; for a container the names of its Docker networks: ip is in the first, nicips.eth1 in the second unless nicnetworks says otherwise.",
    ),
    text("nicmodel", "The model of the network ports; default is virtio."),
    list("bootorder", "The order of boot devices, such as net,hd."),
    text("clockoffset", "'utc' or 'localtime': what the guest's clock starts with."),
    list("virtflags", "Flags for the virtualisation, such as imageformat=raw or placement=exclusive."),
    text("master", "The vmmaster that the guest is a clone of."),
    text("vncport", "The VNC port that the guest was given."),
    text("textconsole", "The text console that the guest was given."),
    text("powerstate", "The last known power state of the guest."),
    text("beacon", "'on' lights the locator of guests whose host supports that."),
    text("datacenter", "The datacenter of the guest in its manager."),
    text("cluster", "The cluster of the guest in its manager."),
    text("guestostype", "The type of operating system as its manager calls it."),
    text(
        "othersettings",
        "Further settings: for kvm key:value separated by ';', for a container a JSON object that is merged under the create request.",
    ),
    text("physlots", "Slots of the host that the guest gets to itself."),
    text("vidmodel", "The model of the video card, such as vga or qxl."),
    text("vidproto", "The protocol of the graphical console: vnc (default) or spice."),
    secret("vidpassword", "The password of the graphical console; default is made up anew each time."),
    COMMENTS,
    DISABLE,
];
