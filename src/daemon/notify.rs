//! Telling systemd how far we are, and that we are alive (sd_notify(3)): one datagram to the socket that it names.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::interval;
use tokio_util::sync::CancellationToken;

pub(crate) fn ready() {
    tell("READY=1");
}

pub(crate) fn stopping() {
    tell("STOPPING=1");
}

/// Says that we are alive until we stop, twice in the time after which systemd takes us for dead; never where it has no such time.
pub(crate) async fn beat(stop: CancellationToken) {
    let Some(limit) = time_limit(|name| std::env::var(name).ok()) else { return stop.cancelled().await };
    let mut beat = interval(limit / 2);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = beat.tick() => tell("WATCHDOG=1"),
        }
    }
}

/// `WatchdogSec` of the unit, if that is meant for this process.
fn time_limit(variable: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    let is_ours = variable("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
    let limit = Duration::from_micros(variable("WATCHDOG_USEC")?.parse().ok()?);
    (is_ours && !limit.is_zero()).then_some(limit)
}

fn tell(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else { return };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(state, %error, "systemd is not told");
    }
}

/// A name that begins with `@` is none of the file system.
fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_sockets_hear() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let name = format!("xcrane-test-{}", std::process::id());
        let named = UnixDatagram::bind(&path).unwrap();
        let nameless = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (socket, written) in [(named, path.into_os_string()), (nameless, format!("@{name}").into())] {
            send(&written, "READY=1").unwrap();
            let mut heard = [0; 16];
            let length = socket.recv(&mut heard).unwrap();
            assert_eq!(&heard[..length], b"READY=1");
        }
    }

    #[test]
    fn only_who_is_watched_says_that_it_is_alive() {
        let check = |pid: Option<&str>, limit: Option<&str>, expected: Option<u64>| {
            let value = |name: &str| if name == "WATCHDOG_PID" { pid } else { limit };
            let found = time_limit(|name| value(name).map(str::to_owned));
            assert_eq!(found, expected.map(Duration::from_secs), "{pid:?} {limit:?}");
        };
        let own = std::process::id().to_string();
        check(Some(&own), Some("30000000"), Some(30));
        check(None, Some("30000000"), Some(30));
        check(Some("1"), Some("30000000"), None);
        check(Some(&own), None, None);
        check(Some(&own), Some("0"), None);
        check(Some(&own), Some("soon"), None);
    }
}
