//! Whose the devices are that have the names of a network's: only what bears the network's mark is used and taken away.
//!
//! A device of the kernel has the mark as its alias, a switch of Open vSwitch among its external ids. What was made before
//! there were marks is known by the script that has made it.

use std::time::Duration;

use tokio::time::timeout;

use super::script::{BRIDGES, path};
use super::{Member, Network};
use crate::host::quote;
use crate::setup::{Fact, Observed, Thing};
use crate::{Error, Host, Result};

const PROGRAM: &str = include_str!("claim.sh");
const LIMIT: Duration = Duration::from_secs(60);

/// What a network gives names to on a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) devices: Vec<String>,
    /// Of Open vSwitch.
    pub(super) switch: Option<String>,
}

impl Claims {
    fn names(&self) -> String {
        let names: Vec<&str> = self.devices.iter().chain(&self.switch).map(String::as_str).collect();
        names.join(" and ")
    }

    fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.switch.is_none()
    }
}

/// What must be true before the first of them is made.
pub(super) fn wanted(network: &Network, claims: &Claims) -> Vec<Thing> {
    if claims.is_empty() {
        return Vec::new();
    }
    let fact = |what, check, make| {
        Thing::Fact(Fact { what, check: program(network, claims, check), make: program(network, claims, make) })
    };
    vec![fact(free(claims), "free", "free"), fact(marked(network, claims), "marked", "mark")]
}

/// That none of them is left.
pub(super) fn gone(network: &Network, devices: &[String]) -> Fact {
    let claims = Claims { devices: devices.to_vec(), switch: None };
    Fact {
        what: format!("{} {} gone", claims.names(), if devices.len() == 1 { "is" } else { "are" }),
        check: program(network, &claims, "gone"),
        make: program(network, &claims, "remove"),
    }
}

fn free(claims: &Claims) -> String {
    format!("nobody else has {}", claims.names())
}

fn marked(network: &Network, claims: &Claims) -> String {
    format!("{} bear the mark of network {}", claims.names(), network.name)
}

fn program(network: &Network, claims: &Claims, verb: &str) -> Vec<String> {
    ["sh", "-c", &text(network, claims), "sh", verb].map(str::to_owned).to_vec()
}

fn text(network: &Network, claims: &Claims) -> String {
    let settings = [
        ("network", network.name.clone()),
        ("script", path(network)),
        ("devices", claims.devices.join(" ")),
        ("switch", claims.switch.clone().unwrap_or_default()),
    ];
    let settings = settings.iter().map(|(name, value)| format!("{name}={}\n", quote(value)));
    format!("{}PATH=$PATH:/usr/sbin:/sbin\n{BRIDGES}{PROGRAM}", settings.collect::<String>())
}

/// Whether a name of the network was seen to be somebody else's.
pub fn is_taken(network: &Network, member: &Member, observed: &Observed) -> bool {
    observed.facts.get(&free(&network.carrier().claims(network, member))) == Some(&false)
}

/// Takes the names for the network's own, whatever was seen of them; the mark still has to be there if it was missing.
pub fn take_as_own(network: &Network, member: &Member, observed: &mut Observed) {
    let claims = network.carrier().claims(network, member);
    observed.facts.insert(free(&claims), true);
    observed.facts.entry(marked(network, &claims)).or_insert(true);
}

/// The names of a network that are somebody else's on a host.
pub async fn strangers(host: &Host, network: &Network, member: &Member) -> Result<Vec<String>> {
    let text = text(network, &network.carrier().claims(network, member));
    let what = || format!("{}: cannot see whose its devices are", member.host);
    let ran = timeout(LIMIT, host.try_run(&["sh", "-s", "strangers"], text.as_bytes())).await;
    let ran = ran.map_err(|_| Error::TimedOut { what: what(), after: LIMIT })??;
    Ok(String::from_utf8_lossy(&ran.stdout).lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::vxlan::tests::network;
    use super::*;

    #[test]
    fn what_a_script_could_not_take_down_stays() {
        let network = network();
        let claims = Claims { devices: vec!["br-blue".into()], switch: None };
        let directory = tempfile::tempdir().unwrap();
        let (devices, script) = (directory.path().join("net"), directory.path().join("blue").display().to_string());
        std::fs::create_dir_all(devices.join("br-blue")).unwrap();
        std::fs::write(devices.join("br-blue/ifalias"), "xcrane-network blue\n").unwrap();
        let run = |code: i32| {
            let given = format!("echo '#!/bin/sh\nexit {code}' >{script}; chmod +x {script}");
            let text = text(&network, &claims).replace("/sys/class/net", &devices.display().to_string());
            let text = text.replace(&path(&network), &script);
            let text = format!("{given}\nip() {{ echo \"ip $*\"; }}\n{text}");
            let output = Command::new("sh").args(["-c", &text, "sh", "remove"]).output().unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        };
        assert_eq!(run(3), (Some(3), String::new()));
        assert_eq!(run(0), (Some(0), "ip link del br-blue\n".into()));
    }
}
