//! The files of a Docker host beside daemon.json.

use super::config::Listen;
use super::{Config, Trust};
use crate::Result;
use crate::setup::{File, Thing};

pub(super) const SERVICE_DROP_IN: &str = "/etc/systemd/system/docker.service.d/xcrane.conf";
pub(super) const SOCKET_DROP_IN: &str = "/etc/systemd/system/docker.socket.d/xcrane.conf";
pub(super) const AUTHORITY: &str = "ca.pem";
pub(super) const CERTIFICATE: &str = "cert.pem";
pub(super) const KEY: &str = "key.pem";

/// What the engine gives all its containers together when it ends, unless it is told otherwise.
pub(super) const SHUTDOWN_TIMEOUT: u64 = 15;
/// What the service manager gives the engine on top of that.
const SPARE: u64 = 30;

/// A file of the engine's own certificate.
pub(super) fn own(name: &str) -> String {
    format!("/etc/docker/xcrane/{name}")
}

/// That one of our files is not there.
pub(super) fn absent(path: String) -> Thing {
    if path == own(KEY) { Thing::NoSecret(path) } else { Thing::NoFile(path) }
}

/// An engine that cannot start, as when its storage is still away, is started again without end: a host that boots before
/// its peers recovers by itself.
pub(super) fn service_drop_in(config: &Config) -> File {
    let seconds = config.shutdown_timeout.unwrap_or(SHUTDOWN_TIMEOUT) + SPARE;
    File::public(
        SERVICE_DROP_IN,
        format!(
            "# Written by mkhost of xcrane.\n\
             [Unit]\nStartLimitIntervalSec=0\n\n\
             [Service]\nRestart=always\nRestartSec=5\nTimeoutStopSec={seconds}\n"
        ),
    )
}

/// The unit's `-H fd://` takes up every socket that docker.socket opens, and speaks TLS on those that are not local. So
/// the unit's command line stays the distribution's own.
pub(super) fn socket_drop_in(listen: &Listen) -> File {
    let place = match listen.host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V6(address)) => format!("[{address}]:{}", listen.port),
        Ok(address) => format!("{address}:{}", listen.port),
        Err(_) => listen.port.to_string(),
    };
    // The address may not be there yet when the host boots.
    File::public(
        SOCKET_DROP_IN,
        format!("# Written by mkhost of xcrane.\n[Socket]\nListenStream={place}\nFreeBind=yes\n"),
    )
}

/// The engine's certificate, and whose clients it accepts. What is still to be made has no text yet.
pub(super) fn certificates(config: &Config) -> Vec<File> {
    let Some(listen) = &config.listen else { return Vec::new() };
    let (certificate, key) = match &listen.certificate {
        Some(issued) => (issued.certificate.as_str(), issued.key.as_str()),
        None => ("", ""),
    };
    let authority = config.authority.as_deref().unwrap_or_default();
    vec![
        File::public(own(AUTHORITY), authority),
        File::public(own(CERTIFICATE), certificate),
        File::secret(own(KEY), key, 0o600),
    ]
}

/// Where the engine looks for who vouches for a registry.
pub(super) fn trusted_path(trust: &Trust) -> String {
    format!("/etc/docker/certs.d/{}/ca.crt", trust.registry)
}

/// Who vouches for each registry, read at each pull. An authority that is still to be made has no text.
pub(super) fn trusted(config: &Config) -> Result<Vec<File>> {
    let one = |trust: &Trust| {
        let text = trust.foreign()?.or_else(|| config.authority.clone()).unwrap_or_default();
        Ok(File::public(trusted_path(trust), text))
    };
    config.trust.iter().map(one).collect()
}
