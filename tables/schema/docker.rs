//! What a container has beyond table vm: a column for each option of the engine.

use super::{COMMENTS, Column, DISABLE, Scope, Table, bars, key, list, text};

pub(crate) const TABLE: Table = Table {
    name: "docker",
    help: "What a container has beyond table vm: a column for each option of the engine.",
    scope: Scope::Node,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    key("node", "The node or group."),
    text("command", "The command: words as in a shell, such as 'sleep 1d', or a JSON array; default is the image's."),
    text(
        "entrypoint",
        "The program in front of the command: words as in a shell or a JSON array; default is the image's.",
    ),
    bars("env", "Environment variables, separated by '|', such as OMP_NUM_THREADS=4|PATH_LIST=/a,/b."),
    text("user", "The user and group to run as, such as 1000:100 or slurm; default is the image's."),
    text("workdir", "The directory to start in; default is the image's."),
    text("hostname", "The container's own host name; default is the node's name."),
    text("tty", "'yes' gives the container a terminal, so that rcons can type into it; default is no."),
    text("cpuset", "The processors it may run on, such as 0-3,8; default is all."),
    text("swap", "The swap limit on top of the memory, with suffix K, M or G (default M), or -1 for no limit."),
    list(
        "volumes",
        "Directories and volumes as source:path[:ro], where the source is a volume's name or an absolute path on the host, such as /home:/home,scratch:/scratch.",
    ),
    bars("tmpfs", "In-memory directories as path[:options], separated by '|', such as /run|/tmp:size=1g,mode=1777."),
    list("ports", "Published ports as [ip:]host:container[/proto], such as 8080:80,10.0.0.1:5353:53/udp."),
    list("links", "Other containers on the same host by name, as node[:alias]."),
    list("extrahosts", "More lines for /etc/hosts, as name:ip."),
    list("dns", "Name servers of the container; default is the engine's."),
    list("devices", "Devices as source[:path[:permissions]], or gpu=all or gpu=2, such as /dev/infiniband,gpu=all."),
    list("ulimits", "Limits as name=soft[:hard], such as memlock=-1:-1,nofile=65536."),
    text("shmsize", "The size of /dev/shm with suffix K, M or G; default is 64M."),
    list("capadd", "Capabilities to add, such as IPC_LOCK,SYS_NICE."),
    list("capdrop", "Capabilities to take away, such as ALL."),
    text("privileged", "'yes' gives the container all that root on the host may do; default is no."),
    list("sysctls", "Kernel settings of the container as name=value, such as net.core.somaxconn=1024."),
    text("init", "'yes' runs a small init that reaps children and passes signals on; default is no."),
    text("restart", "When the engine restarts it: no (default), always, unless-stopped or on-failure[:times]."),
    text("stopsignal", "The signal that asks it to stop, such as SIGTERM; default is the image's."),
    text("stoptimeout", "Seconds from the signal to the kill; default is 10."),
    bars("labels", "Labels as name=value, separated by '|', such as site=hpc|owner=ada."),
    bars(
        "logopts",
        "Where its output goes, separated by '|': driver=json-file|max-size=10m|max-file=3; default is the engine's.",
    ),
    bars(
        "health",
        "The health check, separated by '|': cmd=curl -f localhost|interval=30s|timeout=5s|retries=3|start=10s.",
    ),
    text(
        "imagedigest",
        "The digest that the image is pinned to, as sha256:…; default takes what the tag means on the host.",
    ),
    text("readonly", "'yes' makes the root file system read-only; default is no."),
    text("gateway", "Which of the networks in vmnics has the default route; default is the first."),
    text(
        "hostsfile",
        "'yes' gives the container its host's /etc/xcrane/hosts, which 'makehosts --on' keeps, as its /etc/hosts; default is the engine's own file.",
    ),
    COMMENTS,
    DISABLE,
];
