//! Whether a host and its containers come through a shutdown and a boot: each offender with what mends it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use tables::noderange::fold;

use super::files::{SERVICE_DROP_IN, SHUTDOWN_TIMEOUT};
use crate::{Carried, HostState};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub what: String,
    /// The command that mends it.
    pub mend: String,
}

/// How the engine and the service manager end and start what they have; times are in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// The engine's for its containers.
    pub engine: u64,
    /// The service manager's for the engine; None for no limit.
    pub service: Option<u64>,
    /// The service manager's word for when it starts the engine again, such as `always`.
    pub restart: String,
    /// Files that say something of the unit after ours, and so instead of it.
    pub overriding: Vec<String>,
}

/// What [`Shutdown::of`] reads.
pub const SHOW_UNIT: [&str; 4] =
    ["systemctl", "show", "--property=TimeoutStopUSec,Restart,DropInPaths", super::SERVICE];

impl Shutdown {
    /// From daemon.json and what [`SHOW_UNIT`] prints.
    pub fn of(daemon: &str, shown: &str) -> Self {
        let daemon: Value = serde_json::from_str(daemon).unwrap_or_default();
        let engine = daemon["shutdown-timeout"].as_u64().unwrap_or(SHUTDOWN_TIMEOUT);
        let property = |name: &str| {
            let mut pairs = shown.lines().filter_map(|line| line.split_once('='));
            pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value.trim())
        };
        let files = property("DropInPaths").split_whitespace();
        let overriding = files.skip_while(|path| *path != SERVICE_DROP_IN).skip(1).map(str::to_owned).collect();
        Self { engine, service: seconds(property("TimeoutStopUSec")), restart: property("Restart").into(), overriding }
    }

    /// What makes the unit as mkhost has it: mkhost itself, or the end of what says otherwise.
    fn mend(&self, host: &str) -> String {
        match self.overriding.as_slice() {
            [] => format!("mkhost {host}"),
            files => format!("xdsh {host} 'rm {} && systemctl daemon-reload' && mkhost {host}", files.join(" ")),
        }
    }
}

/// A span as systemd prints it; None for an endless one.
fn seconds(span: &str) -> Option<u64> {
    let mut total = 0;
    for word in span.split_whitespace() {
        let digits = word.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(word.len());
        let number: u64 = word[..digits].parse().ok()?;
        total += match &word[digits..] {
            "min" => number * 60,
            "h" => number * 3600,
            "d" | "day" | "days" => number * 86_400,
            "s" | "" => number,
            _ => 0,
        };
    }
    Some(total)
}

/// What would go wrong when the host is shut down or comes up again.
pub fn findings(host: &str, state: &HostState, carried: &[Carried], shutdown: &Shutdown) -> Vec<Finding> {
    let mut found = Vec::new();
    let longest = carried.iter().filter(|guest| guest.running).map(|guest| guest.stop_timeout).max().unwrap_or(0);
    if let Some(service) = shutdown.service.filter(|service| *service < shutdown.engine) {
        let what = format!(
            "the service manager kills the engine after {service} s, which gives its containers {} s",
            shutdown.engine
        );
        found.push(Finding { what, mend: shutdown.mend(host) });
    }
    if shutdown.restart != "always" {
        let what = format!("an engine that ends is not always started again: Restart={}", shutdown.restart);
        found.push(Finding { what, mend: shutdown.mend(host) });
    }
    if longest > shutdown.engine {
        let names = named(carried.iter().filter(|guest| guest.running && guest.stop_timeout > shutdown.engine));
        let what = format!("{names} may take {longest} s to stop, the engine gives {} s when it ends", shutdown.engine);
        let mend = format!("chdef {host} dockershutdowntimeout={} && mkhost {host}", longest + 5);
        found.push(Finding { what, mend });
    }
    if state.running > 0 && !state.live_restore && !state.swarm {
        let what = match state.running {
            1 => "1 running container stops whenever the engine restarts".to_owned(),
            running => format!("{running} running containers stop whenever the engine restarts"),
        };
        found.push(Finding { what, mend: format!("chdef {host} dockerliverestore=yes && mkhost {host}") });
    }
    found.extend(restarts(carried));
    found
}

fn restarts(carried: &[Carried]) -> Vec<Finding> {
    let mut found = Vec::new();
    let ours = |guest: &&Carried| guest.managed;
    let stay_off: Vec<&Carried> =
        carried.iter().filter(ours).filter(|guest| guest.running && guest.restart == "no").collect();
    if !stay_off.is_empty() {
        let names = named(stay_off.into_iter());
        let what = format!("{names} run and will not after a boot of the host: restart policy no");
        found.push(Finding { what, mend: format!("chdef {names} dockerrestart=unless-stopped && chvm {names}") });
    }
    let come_on: Vec<&Carried> =
        carried.iter().filter(ours).filter(|guest| !guest.running && guest.restart == "always").collect();
    if !come_on.is_empty() {
        let names = named(come_on.into_iter());
        let what = format!("{names} are off and will run after a boot of the host: restart policy always");
        found.push(Finding { what, mend: format!("chdef {names} dockerrestart=unless-stopped && chvm {names}") });
    }
    found
}

fn named<'a>(guests: impl Iterator<Item = &'a Carried>) -> String {
    let names: BTreeMap<&str, ()> = guests.map(|guest| (guest.name.as_str(), ())).collect();
    fold(names.into_keys().map(str::to_owned).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_as_systemd_prints_them() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(seconds(text), expected, "{text}");
        check("45s", Some(45));
        check("1min 30s", Some(90));
        check("1h 500ms", Some(3600));
        check("infinity", None);
    }

    fn guest(name: &str, running: bool, restart: &str, stop_timeout: u64) -> Carried {
        Carried { name: name.into(), running, managed: true, restart: restart.into(), stop_timeout }
    }

    fn shutdown(engine: u64, service: &str, later: &str) -> Shutdown {
        let show = format!(
            "Restart=always\nTimeoutStopUSec={service}\nDropInPaths=/etc/systemd/system/docker.service.d/a.conf {SERVICE_DROP_IN} {later}\n"
        );
        Shutdown::of(&format!(r#"{{"shutdown-timeout":{engine}}}"#), &show)
    }

    #[track_caller]
    fn check(carried: &[Carried], live_restore: bool, shutdown: &Shutdown, expected: &[(&str, &str)]) {
        let state = HostState {
            engine: "1".into(),
            api: "1".into(),
            running: carried.iter().filter(|guest| guest.running).count(),
            guests: carried.len(),
            storage_driver: "overlay2".into(),
            live_restore,
            swarm: false,
            data_root: "/d".into(),
            pools: vec![],
        };
        let found = findings("h1", &state, carried, shutdown);
        let found: Vec<(&str, &str)> = found.iter().map(|finding| (&*finding.what, &*finding.mend)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn offenders_and_what_mends_them() {
        let usual = &shutdown(15, "45s", "");
        let good = guest("c1", true, "unless-stopped", 10);
        check(std::slice::from_ref(&good), true, usual, &[]);
        check(&[], false, usual, &[]);
        check(
            std::slice::from_ref(&good),
            false,
            usual,
            &[(
                "1 running container stops whenever the engine restarts",
                "chdef h1 dockerliverestore=yes && mkhost h1",
            )],
        );
        check(
            &[good, guest("c2", true, "always", 60), guest("c3", true, "always", 20), guest("c4", false, "no", 900)],
            true,
            usual,
            &[(
                "c[2-3] may take 60 s to stop, the engine gives 15 s when it ends",
                "chdef h1 dockershutdowntimeout=65 && mkhost h1",
            )],
        );
        check(
            &[],
            true,
            &shutdown(100, "1min 30s", ""),
            &[("the service manager kills the engine after 90 s, which gives its containers 100 s", "mkhost h1")],
        );
        let overridden = shutdown(15, "5s", "/etc/systemd/system/docker.service.d/zz.conf");
        let mend = "xdsh h1 'rm /etc/systemd/system/docker.service.d/zz.conf && systemctl daemon-reload' && mkhost h1";
        let short = "the service manager kills the engine after 5 s, which gives its containers 15 s";
        check(&[], true, &overridden, &[(short, mend)]);
        check(
            &[],
            true,
            &Shutdown { restart: "no".into(), service: None, ..overridden },
            &[("an engine that ends is not always started again: Restart=no", mend)],
        );
        check(
            &[guest("c1", true, "no", 10), guest("c2", true, "no", 10), guest("c3", false, "always", 10)],
            true,
            &Shutdown { service: None, ..usual.clone() },
            &[
                (
                    "c[1-2] run and will not after a boot of the host: restart policy no",
                    "chdef c[1-2] dockerrestart=unless-stopped && chvm c[1-2]",
                ),
                (
                    "c3 are off and will run after a boot of the host: restart policy always",
                    "chdef c3 dockerrestart=unless-stopped && chvm c3",
                ),
            ],
        );
    }
}
