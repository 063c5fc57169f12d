//! A host that shall be no Docker host of ours any more.

use super::record::{self, Record};
use super::{Config, DAEMON, SERVICE, SOCKET, daemon, fact, file, files, text, unit};
use crate::Result;
use crate::setup::{Follow, Observed, Thing, Unit};

/// How much goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unmaking {
    /// The packages that we installed, and what only they needed.
    pub packages: bool,
    /// Images, volumes and all else that the engine keeps.
    pub data: bool,
}

/// The engine's chains and rules outlive it, and would filter what a later owner of the host does.
const FORGET_RULES: &str = r#"
for table in filter nat; do
    iptables-save -t $table 2>/dev/null | grep -E '^-A .*(DOCKER|docker0|docker_gwbridge|br-[0-9a-f]{12})' | sed 's/^-A/-D/' |
        while read -r rule; do eval "iptables -t $table $rule"; done
    chains=$(iptables-save -t $table 2>/dev/null | sed -n 's/^:\(DOCKER[^ ]*\) .*/\1/p')
    for chain in $chains; do iptables -t $table -F $chain; done
    for chain in $chains; do iptables -t $table -X $chain; done
done"#;
const NO_RULES: &str = "! { iptables-save -t filter; iptables-save -t nat; } 2>/dev/null | grep -q DOCKER";
const BRIDGES: &str = "ls /sys/class/net | grep -E '^(docker0|docker_gwbridge|br-[0-9a-f]{12})$'";
/// A data root that is a file system of its own stays, empty.
const NO_DATA: &str = r#"[ -z "$(ls -A "$1" 2>/dev/null)" ]"#;
/// What its networks and containers had mounted goes first.
const FORGET_DATA: &str = r#"
for mount in $(cut -d' ' -f2 /proc/mounts | grep -F -e "$1/" -e /run/docker/ | sort -r); do umount -l "$mount"; done
rm -rf "$1" 2>/dev/null || find "$1" -xdev -mindepth 1 -delete
rm -rf /var/lib/containerd /run/docker /run/docker.sock /run/docker.pid /run/containerd /etc/docker/key.json
rmdir /etc/docker /etc/cni/net.d /etc/cni 2>/dev/null || :"#;

/// What must be true when we have gone; `observed` answers [`super::questions`].
pub fn unwanted(config: &Config, how: Unmaking, observed: &Observed) -> Result<Vec<Thing>> {
    let record = Record::read(text(observed, record::PATH).unwrap_or_default());
    let removed = how.packages && !record.packages.is_empty();
    let mut things = Vec::new();
    if removed {
        things.extend(stopped());
    }
    let left = daemon::unmerge(text(observed, DAEMON).unwrap_or_default(), &record.daemon)?;
    things.push(match left {
        Some(left) if !removed => Thing::File(file(DAEMON, &left)),
        Some(_) | None => Thing::NoFile(DAEMON.into()),
    });
    things.extend(record.files.iter().filter(|path| *path != record::PATH).cloned().map(Thing::NoFile));
    if removed {
        things.push(Thing::NoPackages(record.packages.clone()));
    } else {
        things.extend(told(&record));
    }
    if removed && how.data {
        let root = data_root(&record, config);
        let check = &["sh", "-c", NO_DATA, "sh", &root];
        things.push(fact("the engine's data is gone", check, &["sh", "-c", FORGET_DATA, "sh", &root]));
    }
    // Last, because without it a run that was killed could not be completed.
    things.push(Thing::NoFile(record::PATH.into()));
    Ok(things)
}

fn data_root(record: &Record, config: &Config) -> String {
    let recorded = record.daemon.get("data-root").and_then(|root| root.as_str());
    recorded.unwrap_or(config.data_root()).to_owned()
}

/// The engine goes before its traces in the kernel do, and those before the programs that remove them.
fn stopped() -> Vec<Thing> {
    let off = |name: &str| Thing::Unit(Unit { enabled: false, active: false, ..unit(name, &[], Follow::Restart) });
    let bridges_gone = format!("! {BRIDGES} | grep -q .");
    let remove_bridges = format!("for bridge in $({BRIDGES}); do ip link del $bridge; done");
    vec![
        off(SOCKET),
        off(SERVICE),
        fact("the engine's packet filter rules are gone", &["sh", "-c", NO_RULES], &["sh", "-c", FORGET_RULES]),
        fact("the engine's bridges are gone", &["sh", "-c", &bridges_gone], &["sh", "-c", &remove_bridges]),
    ]
}

/// An engine that stays has to hear of it. One that is off is left off.
fn told(record: &Record) -> Vec<Thing> {
    let socket = record.files.iter().any(|path| path == files::SOCKET_DROP_IN);
    let name = if socket { SOCKET } else { SERVICE };
    let follows: Vec<&str> = [DAEMON, files::SOCKET_DROP_IN].into();
    let mut units = vec![Thing::Unit(unit(name, &follows, Follow::Restart))];
    if record.daemon.is_empty() && record.files.is_empty() {
        units.clear();
    }
    units
}
