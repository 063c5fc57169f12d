//! How a registry stands on its node, and the removal of what is in no image any more.

use std::time::Duration;

use serde::Serialize;

use super::{AWAIT, Config, certificate, files, with_listens};
use crate::ssh::Exit;
use crate::{Error, Host, Result, host};

/// Longer than any look takes; a directory of millions of files is counted.
const LOOK: Duration = Duration::from_secs(120);

/// The service's state, kilobytes free and used, and the certificate.
const LOOK_SCRIPT: &str = r#"
place=$2
while [ ! -e "$place" ]; do place=${place%/*}; [ -n "$place" ] || place=/; done
systemctl is-active "$1"
df -P -k "$place" | { read -r _; read -r _ _ _ free _; echo "$free"; }
du -sk "$2" 2>/dev/null | cut -f1 | grep . || echo 0
cat "$3" 2>/dev/null
exit 0"#;

/// A unit that fails says why in its log.
const COLLECT: &str = r#"
systemctl start "$3" || { journalctl -b -u "$3" -n 1 -o cat --no-pager | cut -c-500 >&2; exit 1; }
"#;

/// A registry as its node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct State {
    /// systemd's word, such as `active`.
    pub service: String,
    /// From when on its certificate is worth nothing, such as `2031-11-20T08:00:00Z`.
    pub expires: Option<String>,
    /// Bytes that its images take.
    pub used: u64,
    /// Bytes that are left where they are.
    pub free: u64,
}

/// Looks at the registry on its node.
pub async fn state(host: &Host, config: &Config) -> Result<State> {
    let what = format!("{}: looking at registry {}", config.node, config.name);
    let (service, data, path) = (files::service(config), config.data(), files::certificate_path(config));
    let argv = ["sh", "-c", LOOK_SCRIPT, "sh", &service, &data, &path];
    let ran = tokio::time::timeout(LOOK, host.run(&argv)).await;
    let said = ran.map_err(|_| Error::TimedOut { what: what.clone(), after: LOOK })??;
    parse(&String::from_utf8_lossy(&said)).ok_or(Error::Garbled { what, why: "an unexpected answer".into() })
}

fn parse(said: &str) -> Option<State> {
    let mut lines = said.splitn(4, '\n');
    let (service, free, used) = (lines.next()?, lines.next()?.parse::<u64>().ok()?, lines.next()?.parse::<u64>().ok()?);
    let expires = certificate::expiry(lines.next()?);
    Some(State { service: service.into(), expires, used: used * 1024, free: free * 1024 })
}

/// Removes what is in no image any more, as layers of deleted ones and pushes that were broken off. Meanwhile images are
/// pulled as ever, and pushes refused. Returns how many bytes the images take afterwards, and took before.
pub async fn collect(host: &Host, config: &Config, limit: Duration) -> Result<(u64, u64)> {
    let before = state(host, config).await?;
    let what = format!("cannot collect the garbage of registry {}", config.name);
    let (service, port, unit) = (files::service(config), config.port.to_string(), files::collection(config));
    let script = with_listens(&format!("{COLLECT}{AWAIT}"));
    let argv = ["sh", "-c", &script, "sh", &service, &port, &unit];
    let ran = tokio::time::timeout(limit, host.try_run(&argv, &[])).await;
    let ran = ran.map_err(|_| Error::TimedOut { what: what.clone(), after: limit })??;
    if ran.exit != Exit::Code(0) {
        return Err(Error::Refused { what, why: host::why(&ran.exit, &ran.stderr) });
    }
    Ok((state(host, config).await?.used, before.used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_says() {
        let check = |said: &str, expected: Option<(&str, u64, u64)>| {
            let state = parse(said);
            assert_eq!(state.as_ref().map(|state| (&*state.service, state.free, state.used)), expected, "{said}");
        };
        check("active\n2\n1\n", Some(("active", 2048, 1024)));
        check("inactive\n2\n0\n-----BEGIN\n", Some(("inactive", 2048, 0)));
        check("active\nx\n0\n", None);
        check("", None);
    }
}
