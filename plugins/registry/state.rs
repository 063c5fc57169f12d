//! How a registry stands on its node, and the removal of what is in no image any more.

use std::time::Duration;

use serde::Serialize;

use super::{AWAIT, Config, Upstream, certificate, files, with_listens};
use crate::ssh::Exit;
use crate::{Error, Host, Result, host};

/// Longer than any look takes; a directory of millions of files is counted.
const LOOK: Duration = Duration::from_secs(120);

/// The service's state, the settings that it was started with, kilobytes free, of the whole disk and used, whether upstream
/// answers, and the certificate.
const LOOK_SCRIPT: &str = r#"
place=$2
while [ ! -e "$place" ]; do place=${place%/*}; [ -n "$place" ] || place=/; done
systemctl is-active "$1"
tr '\0' '\n' <"/proc/$(systemctl show -p MainPID --value "$1")/cmdline" 2>/dev/null | sed -n 's,.*/\([a-z]*\.yml\)$,\1,p' | grep . || echo none
df -P -k "$place" | { read -r _; read -r _ size _ free _; echo "$free $size"; }
du -sk "$2" 2>/dev/null | cut -f1 | grep . || echo 0
if [ -z "$4" ]; then echo none
elif timeout 5 bash -c "</dev/tcp/$4/$5" 2>/dev/null; then echo yes
else echo no; fi
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
    /// Bytes of the whole disk.
    pub size: u64,
    /// Nothing can be pushed: it is being cleaned up, or is a mirror that serves what it has.
    pub read_only: bool,
    /// Whether the registry behind it answers; None where there is none.
    pub upstream_answers: Option<bool>,
}

impl State {
    /// Whether pushes are about to fail.
    pub fn is_nearly_full(&self) -> bool {
        self.free < self.size / 20
    }
}

/// Looks at the registry on its node.
pub async fn state(host: &Host, config: &Config) -> Result<State> {
    let what = format!("{}: looking at registry {}", config.node, config.name);
    let (service, data, path) = (files::service(config), config.data(), files::certificate_path(config));
    let (peer, port) = config.upstream.as_ref().and_then(Upstream::socket).unwrap_or_default();
    let argv = ["sh", "-c", LOOK_SCRIPT, "sh", &service, &data, &path, peer, port];
    let ran = tokio::time::timeout(LOOK, host.run(&argv)).await;
    let said = ran.map_err(|_| Error::TimedOut { what: what.clone(), after: LOOK })??;
    parse(&String::from_utf8_lossy(&said)).ok_or(Error::Garbled { what, why: "an unexpected answer".into() })
}

fn parse(said: &str) -> Option<State> {
    let mut lines = said.splitn(6, '\n');
    let (service, settings) = (lines.next()?, lines.next()?);
    let (free, size) = lines.next()?.split_once(' ')?;
    let bytes = |kilobytes: &str| Some(kilobytes.parse::<u64>().ok()? * 1024);
    let used = bytes(lines.next()?)?;
    let upstream_answers = match lines.next()? {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
    Some(State {
        service: service.into(),
        expires: certificate::expiry(lines.next()?),
        used,
        free: bytes(free)?,
        size: bytes(size)?,
        read_only: settings == "readonly.yml",
        upstream_answers,
    })
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
        let check = |said: &str, expected: Option<(&str, u64, u64, bool, Option<bool>)>| {
            let state = parse(said);
            let told = state
                .as_ref()
                .map(|state| (&*state.service, state.free, state.used, state.read_only, state.upstream_answers));
            assert_eq!(told, expected, "{said}");
        };
        check("active\nconfig.yml\n2 9\n1\nnone\n", Some(("active", 2048, 1024, false, None)));
        check("active\nmirror.yml\n2 9\n1\nyes\n", Some(("active", 2048, 1024, false, Some(true))));
        check("active\nreadonly.yml\n2 9\n1\nno\n", Some(("active", 2048, 1024, true, Some(false))));
        check("inactive\nnone\n2 9\n0\nnone\n-----BEGIN\n", Some(("inactive", 2048, 0, false, None)));
        check("active\nconfig.yml\nx 9\n0\nnone\n", None);
        check("", None);
    }

    #[test]
    fn disks_that_are_nearly_full() {
        let full = |free: &str| parse(&format!("active\nconfig.yml\n{free} 1000\n1\nnone\n")).unwrap().is_nearly_full();
        assert!(full("0") && full("49") && !full("50"));
    }
}
