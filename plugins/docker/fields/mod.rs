//! The attributes of a container, one line each: what it is called, what it takes, and the part of the engine's create
//! body that its text stands for. Adding an attribute is adding a line.

mod limits;
mod network;
mod nics;
mod process;
mod storage;
mod text;

use serde_json::Value;

pub use network::HOSTS_FILE;
pub(super) use nics::{Addresses, Nic, addresses, is_made};
pub(super) use text::{fraction_text, size, size_text};

/// The part of a create body that a text stands for, or what is wrong with the text.
type Parsed = Result<Value, String>;

/// One attribute, its text, and the part of the create body that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) attribute: &'static str,
    pub(super) text: String,
    pub(super) body: Value,
}

/// One attribute of a container's definition.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) attribute: &'static str,
    /// Completes "it takes …".
    pub(super) takes: &'static str,
    pub(super) parse: fn(&str) -> Parsed,
}

const fn field(attribute: &'static str, takes: &'static str, parse: fn(&str) -> Parsed) -> Field {
    Field { attribute, takes, parse }
}

const WORDS: &str = "shell words or a JSON array of strings";
const YES_NO: &str = "yes or no";
const PAIRS: &str = "NAME=VALUE, more of them separated by '|' (a '|' inside a value is written '\\|')";
const CAPABILITIES: &str = "capability names separated by commas, such as SYS_NICE,IPC_LOCK, or ALL";

const STORAGE: &str = "dir:///DIRECTORY or nfs://SERVER/DIRECTORY, with =PATH behind it if it is elsewhere in the container, \
                       separated by ',' or '|'";

/// Every attribute whose text stands for itself; `provmethod`, `vmnics`, `ip`, `mac`, `dockergateway`, `dockerlinks`,
/// `dockerswap` and `vmothersetting` depend on each other and are read in `definition`.
pub(super) const FIELDS: &[Field] = &[
    field("dockercommand", WORDS, process::command),
    field("dockerentrypoint", WORDS, process::entrypoint),
    field("dockerenv", PAIRS, process::environment),
    field("dockeruser", "a user name or number, then :GROUP if wanted", process::user),
    field("dockerworkdir", "an absolute path", process::workdir),
    field("dockerhostname", "a host name", process::hostname),
    field("dockertty", YES_NO, process::tty),
    field("dockerinit", YES_NO, process::init),
    field("dockerprivileged", YES_NO, process::privileged),
    field("dockercapadd", CAPABILITIES, process::cap_add),
    field("dockercapdrop", CAPABILITIES, process::cap_drop),
    field("dockerrestart", "no, always, unless-stopped, on-failure or on-failure:COUNT", process::restart),
    field("dockerstopsignal", "a signal such as SIGTERM or 15", process::stop_signal),
    field("dockerstoptimeout", "whole seconds", process::stop_timeout),
    field("dockerlabels", PAIRS, process::labels),
    field(
        "dockerlogopts",
        "driver=NAME and the driver's options as NAME=VALUE, separated by '|'",
        process::log_options,
    ),
    field(
        "dockerhealth",
        "cmd=COMMAND|interval=30s|timeout=5s|retries=3|start=10s, or cmd=none; only cmd is required",
        process::health,
    ),
    field("vmcpus", "a number of processors such as 2 or 0.5", limits::cpus),
    field("dockercpuset", "processor numbers such as 0-3,8", limits::cpuset),
    field("vmmemory", "a size such as 512 (MB), 512M or 4G", limits::memory),
    field("dockershmsize", "a size such as 64 (MB), 64M or 1G", limits::shm_size),
    field("dockerulimits", "NAME=SOFT or NAME=SOFT:HARD separated by commas, -1 for no limit", limits::ulimits),
    field("dockersysctls", "NAME=VALUE separated by commas", limits::sysctls),
    field("dockervolumes", "SOURCE:PATH or SOURCE:PATH:ro separated by commas", storage::volumes),
    field("vmstorage", STORAGE, storage::disks),
    field("dockertmpfs", "PATH or PATH:OPTIONS separated by '|'", storage::tmpfs),
    field(
        "dockerdevices",
        "DEVICE, DEVICE:PATH or DEVICE:PATH:rwm separated by commas, or gpu=all, gpu=COUNT",
        storage::devices,
    ),
    field("dockerreadonly", YES_NO, storage::read_only),
    field("dockerports", "[IP:]HOSTPORT:PORT or [IP:]HOSTPORT:PORT/udp separated by commas", network::ports),
    field("dockerextrahosts", "NAME:IP separated by commas", network::extra_hosts),
    field("dockerdns", "IP addresses separated by commas", network::dns),
    field("dockerhostsfile", YES_NO, network::hosts_file),
];
