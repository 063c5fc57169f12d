//! What a site decides for all drivers; read from table `site` by the caller.

use std::path::PathBuf;
use std::time::Duration;

use ipnetwork::IpNetwork;

use crate::registry::{Account, Login, Mirror};

/// Limits and keys. Every wait of a driver is one of these or shorter.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For reaching a host and logging in. Default 5 s.
    pub connect_limit: Duration,
    /// For one request to an engine or one ssh handshake step. Default 60 s.
    pub request_limit: Duration,
    /// For pulling or loading an image. Default 1 h.
    pub transfer_limit: Duration,
    /// Login name when the endpoint names none. Default `root`.
    pub ssh_user: String,
    /// Private keys tried in order; then the agent's. Default `~/.ssh/id_ed25519 id_ecdsa id_rsa`.
    pub ssh_keys: Vec<PathBuf>,
    /// Default `~/.ssh/known_hosts`, `/etc/ssh/ssh_known_hosts`, and what we know of nodes that we gave their keys.
    pub known_hosts: Vec<PathBuf>,
    /// Adds the key of a host never seen before instead of refusing it. A changed key is refused in any case.
    pub accept_new_host_keys: bool,
    /// `ca.pem`, `cert.pem`, `key.pem` for `tcp://` endpoints.
    pub tls_directory: PathBuf,
    /// Who we are to registries, for hosts that pull from them.
    pub logins: Vec<Login>,
    /// Which registries mirror which.
    pub mirrors: Vec<Mirror>,
    /// Who we are to BMCs whose nodes do not say it.
    pub bmc_account: Option<Account>,
    pub redfish: RedfishSettings,
    /// The networks of the site.
    pub networks: Vec<IpNetwork>,
    /// Directories whose executables are backends, the first first.
    pub executables: Vec<PathBuf>,
    /// Where each of them has a directory of its own.
    pub executables_state: PathBuf,
}

/// Who we are to BMCs that speak Redfish, and which of them we trust.
#[derive(Debug, Clone, Default)]
pub struct RedfishSettings {
    /// For nodes that do not say it.
    pub account: Option<Account>,
    /// The directory of the certificates that BMCs have shown, as fingerprints.
    pub pins: PathBuf,
    /// PEM file of the authorities that vouch for all BMCs; without one, each is known by its pin.
    pub authority: Option<PathBuf>,
}
