//! Where a host's engine is, as the tables say it.

use std::fmt;
use std::path::PathBuf;

use tables::Node;

use crate::ssh::{self, Target};
use crate::{Error, Result, Settings};

/// The engine's socket on a host that is reached over ssh.
const SOCKET: &str = "/var/run/docker.sock";
const TLS_PORT: u16 = 2376;
const FORMS: &str = "it takes unix:///PATH, ssh://[USER@]HOST[:PORT] or tcp://HOST[:PORT]";

/// One way to one engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Endpoint {
    Unix { path: PathBuf },
    Ssh { user: String, host: String, port: u16, socket: String },
    Tls { host: String, port: u16 },
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { path } => write!(f, "unix://{}", path.display()),
            Self::Ssh { user, host, port, .. } => write!(f, "ssh://{user}@{}:{port}", bracketed(host)),
            Self::Tls { host, port } => write!(f, "tcp://{}:{port}", bracketed(host)),
        }
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// The node that carries `node`; it must be defined, for its own attributes say how to reach it.
pub(super) fn host_of(node: &Node) -> Result<&Node> {
    let why = match (node.host(), node.get("vmhost")) {
        (Some(host), _) => return Ok(host),
        (None, Some(name)) => {
            format!("'{name}' is not a defined node; it takes the node that is the container's Docker host")
        }
        (None, None) => "is not set; it takes the node that is the container's Docker host".to_owned(),
    };
    Err(Error::Definition { attribute: "vmhost".into(), why })
}

/// Reads the endpoint of a host; without one it is ssh to the host itself.
pub(super) fn endpoint_of(host: &Node, settings: &Settings) -> Result<Endpoint> {
    let socket = host.get("dockersocket").unwrap_or(SOCKET);
    let Some(text) = host.get("dockerendpoint") else {
        let Target { user, host, port } = ssh::target_of(host, None, settings)?;
        return Ok(Endpoint::Ssh { user, host, port, socket: socket.to_owned() });
    };
    parse(text, &settings.ssh_user, socket).ok_or_else(|| not_one(text, host))
}

/// Whom to log in to for the machine itself, whatever way its engine is reached; None for this machine.
pub(crate) fn login_of(host: &Node, settings: &Settings) -> Result<Option<Target>> {
    match endpoint_of(host, settings)? {
        Endpoint::Unix { .. } => Ok(None),
        Endpoint::Ssh { user, host, port, .. } => Ok(Some(Target { user, host, port })),
        Endpoint::Tls { .. } => ssh::target_of(host, None, settings).map(Some),
    }
}

/// Where the engine of a host is to listen; None unless its endpoint is `tcp://`.
pub(crate) fn tls_place(host: &Node) -> Result<Option<(String, u16)>> {
    // Who logs in is of no interest to such an endpoint.
    match host.get("dockerendpoint").map(|text| parse(text, "root", SOCKET).ok_or_else(|| not_one(text, host))) {
        Some(Ok(Endpoint::Tls { host, port })) => Ok(Some((host, port))),
        Some(Ok(Endpoint::Unix { .. } | Endpoint::Ssh { .. })) | None => Ok(None),
        Some(Err(error)) => Err(error),
    }
}

fn not_one(text: &str, host: &Node) -> Error {
    Error::Definition {
        attribute: "dockerendpoint".into(),
        why: format!("'{text}' of host '{}' is not an endpoint; {FORMS}", host.name()),
    }
}

fn parse(text: &str, user: &str, socket: &str) -> Option<Endpoint> {
    let (scheme, rest) = text.split_once("://")?;
    match scheme {
        "unix" => rest.starts_with('/').then(|| Endpoint::Unix { path: rest.into() }),
        "ssh" => {
            let (user, place) = rest.rsplit_once('@').unwrap_or((user, rest));
            let (host, port) = split_port(place, ssh::PORT)?;
            let good = !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_graphic() && !b"@:/".contains(&byte));
            good.then(|| Endpoint::Ssh { user: user.to_owned(), host, port, socket: socket.to_owned() })
        }
        "tcp" => split_port(rest, TLS_PORT).map(|(host, port)| Endpoint::Tls { host, port }),
        _ => None,
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn split_port(text: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, tail) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if tail.is_empty() { None } else { Some(tail.strip_prefix(':')?) })
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    let port = port.map_or(Some(default), |port| port.parse().ok().filter(|&port| port > 0))?;
    (!host.is_empty() && !host.starts_with('-') && host.bytes().all(legal)).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ssh(user: &str, host: &str, port: u16) -> Option<Endpoint> {
        Some(Endpoint::Ssh { user: user.into(), host: host.into(), port, socket: "/s".into() })
    }

    #[test]
    fn endpoints() {
        let check = |text: &str, expected: Option<Endpoint>| assert_eq!(parse(text, "root", "/s"), expected, "{text}");
        check("unix:///run/docker.sock", Some(Endpoint::Unix { path: "/run/docker.sock".into() }));
        check("ssh://h1", ssh("root", "h1", 22));
        check("ssh://ada@10.0.0.1:2222", ssh("ada", "10.0.0.1", 2222));
        check("ssh://ada@[fd00::1]:2222", ssh("ada", "fd00::1", 2222));
        check("ssh://[fd00::1]", ssh("root", "fd00::1", 22));
        check("tcp://h1", Some(Endpoint::Tls { host: "h1".into(), port: 2376 }));
        check("tcp://h1:1234", Some(Endpoint::Tls { host: "h1".into(), port: 1234 }));
        for wrong in [
            "",
            "h1",
            "http://h1",
            "unix://run",
            "ssh://",
            "ssh://@h1",
            "ssh://h1:0",
            "ssh://h1:x",
            "ssh://[h1]",
            "tcp://a b",
            "ssh://-o",
        ] {
            check(wrong, None);
        }
    }

    proptest! {
        #[test]
        fn a_written_endpoint_reads_back(host in "[a-z][a-z0-9.-]{0,20}", port in 1u16.., user in "[a-z]{1,8}") {
            for endpoint in [
                Endpoint::Ssh { user, host: host.clone(), port, socket: "/s".into() },
                Endpoint::Tls { host, port },
            ] {
                prop_assert_eq!(parse(&endpoint.to_string(), "root", "/s"), Some(endpoint));
            }
        }

        #[test]
        fn nothing_panics(text in any::<String>()) {
            parse(&text, "root", "/s");
        }
    }
}
