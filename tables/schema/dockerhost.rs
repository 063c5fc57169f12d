//! How the container engine of a host is reached, and what mkhost makes of the host.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text, urls};

pub(crate) const TABLE: Table = Table {
    name: "dockerhost",
    help: "How the container engine of a host is reached and set up.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The host or group of hosts."),
    text(
        "endpoint",
        "The address: unix:///path, ssh://[user@]host[:port] or tcp://host[:port]; default is ssh to the node itself, as table ssh says.",
    ),
    text("socket", "The engine's socket on the host for ssh; default is /var/run/docker.sock."),
    list("packages", "The engine's packages; default is the distribution's own, such as docker.io."),
    list(
        "pools",
        "Address pools of the engine's own networks as net/prefix:size, such as 172.20.0.0/16:24; default is a free one.",
    ),
    text("mtu", "The greatest packet on the engine's default network; default is the engine's, 1500."),
    text("logmaxsize", "The size at which a container's log is turned over, with suffix k, m or g; default is 10m."),
    text("logmaxfile", "How many logs of a container are kept; default is 3."),
    text("liverestore", "'yes' (default outside a swarm) keeps containers running while the engine restarts."),
    text("shutdowntimeout", "Seconds that the engine gives its containers when it ends; default is the engine's, 15."),
    urls("mirrors", "Mirrors of the public registry, such as http://mirror:5000."),
    list("insecure", "Registries that speak plain HTTP or whose certificate is not checked, such as registry:5000."),
    list(
        "trust",
        "Registries whose certificate is of the site's own authority, as host:port, or of another one, as host:port=/path/ca.pem.",
    ),
    list(
        "registries",
        "Registries as host:port that are asked for an image before the one in its name, nearest first: mirrors of it, or others that hold the wanted content. The host trusts them as those in trust.",
    ),
    text("dataroot", "The directory of images, containers and volumes; default is the engine's, /var/lib/docker."),
    COMMENTS,
    DISABLE,
];
