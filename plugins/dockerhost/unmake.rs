//! A host that shall be no Docker host of ours any more.

use super::config::DATA_ROOT;
use super::record::{self, Record};
use super::{DAEMON, SERVICE, SOCKET, daemon, daemon_json, fact, files, text, unit};
use crate::Result;
use crate::setup::{Fact, Follow, Observed, Thing, Unit};

const DATA_IS_GONE: &str = "the engine's data is gone";

/// How much goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unmaking {
    /// The packages that we installed, and what only they needed.
    pub packages: bool,
    /// Images, volumes and all else that the engine keeps.
    pub data: bool,
}

/// Bridges of our own networks may have names like the engine's.
const OURS: &str = r#"
PATH=$PATH:/usr/local/bin:/usr/sbin:/sbin
ours() { ls /etc/xcrane/networks 2>/dev/null | while read -r network; do printf 'br-%.12s\n' "$network"; done; }"#;

/// Reads a table as iptables-save writes it, and leaves out what is the engine's.
const WITHOUT_ENGINE: &str = r#"
without_engine() {
    awk -v ours=" $(ours | tr '\n' ' ')" '
        function is_bridge(name) {
            if (name ~ /^br-[0-9a-f]+$/ && length(name) == 15) return !index(ours, " " name " ")
            return name == "docker0" || name == "docker_gwbridge"
        }
        {
            engine = $1 ~ /^:DOCKER(-|$)/
            for (word = 1; word < NF; word++) {
                if ($word ~ /^-[Ajg]$/ && $(word + 1) ~ /^DOCKER(-|$)/) engine = 1
                if ($word ~ /^-[io]$/ && is_bridge($(word + 1))) engine = 1
            }
            if (!engine) print
        }'
}"#;
/// The engine's chains and rules outlive it, and would filter what a later owner of the host does.
const FORGET_RULES: &str = r#"
for table in filter nat; do
    saved=$(iptables-save -c -t $table 2>/dev/null) && [ "$saved" ] || continue
    printf '%s\n' "$saved" | without_engine | iptables-restore -c || exit
done"#;
const NO_RULES: &str = r#"
for table in filter nat; do
    saved=$(iptables-save -t $table 2>/dev/null)
    [ "$saved" = "$(printf '%s\n' "$saved" | without_engine)" ] || exit
done"#;
const BRIDGES: &str = r#"
bridges() { ls /sys/class/net | grep -xE 'docker0|docker_gwbridge|br-[0-9a-f]{12}' | grep -vxF -e "$(ours)"; }"#;

/// Containers may run on without their engine, as live-restore has it; what ran them knows of those.
const NO_CONTAINERS: &str = r#"[ -z "$(ls /run/docker/runtime-runc/moby 2>/dev/null)" ]"#;
const END_CONTAINERS: &str = r#"
if systemctl -q is-active docker.service && command -v docker >/dev/null; then
    docker ps -q | xargs -r docker stop >/dev/null
fi
for container in $(ls /run/docker/runtime-runc/moby 2>/dev/null); do
    runc --root /run/docker/runtime-runc/moby delete -f "$container"
done"#;

const EMPTY: &str = r#"[ -z "$(ls -A "$1" 2>/dev/null)" ]"#;
/// Names in a data root. In one that an admin has chosen there may be more than the engine's, which is theirs.
const DATA: &str = r#"
data() {
    ls -A "$1" 2>/dev/null | case $1 in
    "$usual") cat ;;
    *) grep -xE '[0-9]+\.[0-9]+|aufs|btrfs|buildkit|builder|containerd|containers|devicemapper|engine-id|fuse-overlayfs|image|network|overlay|overlay2|plugins|runtimes|swarm|tmp|tmp-old|trust|vfs|volumes|zfs' ;;
    esac
}"#;
/// A directory that is a file system of its own stays, empty.
const NO_DATA: &str = r#"
left() { data "$1" | while read -r name; do ! [ -d "$1/$name" ] || ls -A "$1/$name" | grep -q . && echo "$name"; done; }
! left "$1" | grep -q ."#;
/// What its networks and containers had mounted goes first, and what the host mounts by itself stays; /proc/mounts has
/// `\040` for a blank.
const UNMOUNT: &str = r#"
mounts() {
    place=$1/ awk -v usual="$(awk '$1 !~ /^#/ { print $2 }' "${2-/etc/fstab}" 2>/dev/null)" '
        BEGIN { count = split(usual, lines, "\n"); for (line = 1; line <= count; line++) stays[lines[line]] = 1 }
        (index($2, ENVIRON["place"]) == 1 || index($2, "/run/docker/") == 1) && !($2 in stays) { print $2 }' | sort -r
}
mounts "$1" </proc/mounts | sed 's/\\/\\0/g' | while read -r mount; do umount -l "$(printf %b "$mount")" || exit; done || exit"#;
/// File systems of others are not entered. Subvolumes look like these, and are where the host mounts nothing below. A
/// containerd that is still there was not ours, and has others to serve.
const FORGET_DATA: &str = r#"
is_mounted_below() {
    place=$(printf %s "$1/" | sed 's/\\/\\134/g; s/ /\\040/g') awk '
        index($2, ENVIRON["place"]) == 1 { found = 1 }
        END { exit !found }' /proc/mounts
}
kind=$(stat -f -c %T "$1" 2>/dev/null)
real=$(readlink -f "$1")
data "$1" | while read -r name; do
    stay=--one-file-system
    [ "$kind" != btrfs ] || is_mounted_below "$real/$name" || stay=
    rm -rf $stay "$1/$name" 2>/dev/null || find "$1/$name" -xdev -mindepth 1 -delete
done
rmdir "$1" 2>/dev/null
command -v containerd >/dev/null || rm -rf /var/lib/containerd /run/containerd
rm -rf /run/docker /run/docker.sock /run/docker.pid /etc/docker/key.json
rmdir /etc/docker /etc/cni/net.d /etc/cni 2>/dev/null || :"#;

/// What must be true when we have gone; `observed` answers [`super::questions`].
pub fn unwanted(how: Unmaking, observed: &Observed) -> Result<Vec<Thing>> {
    let record = Record::read(text(observed, record::PATH).unwrap_or_default());
    let removed = how.packages && !record.packages.is_empty();
    let mut things = Vec::new();
    if removed {
        things.extend(stopped());
    }
    // What an admin has put there stays, also without an engine.
    match daemon::unmerge(text(observed, DAEMON).unwrap_or_default(), &record.daemon)? {
        Some(left) => things.push(Thing::File(daemon_json(&left, observed))),
        None if record.found => things.push(Thing::File(daemon_json("{}\n", observed))),
        None if text(observed, record::PATH).is_some() => things.push(Thing::NoFile(DAEMON.into())),
        None => (),
    }
    things.extend(record.files.iter().filter(|path| *path != record::PATH).cloned().map(files::absent));
    if removed {
        things.push(Thing::NoPackages(record.packages.clone()));
    } else {
        things.extend(told(&record));
    }
    if removed && how.data {
        let root = data_root(observed);
        let data = format!("usual={DATA_ROOT}{DATA}");
        let (gone, forget) = (format!("{data}{NO_DATA}"), format!("{data}{UNMOUNT}{FORGET_DATA}"));
        let program = |script: &str| ["sh", "-c", script, "sh", &root].map(str::to_owned);
        let (check, make) = (program(&gone).into(), program(&forget).into());
        things.push(Thing::Fact(Fact { what: DATA_IS_GONE.into(), check, make }));
    }
    // Last, because without it a run that was killed could not be completed.
    things.push(Thing::NoFile(record::PATH.into()));
    Ok(things)
}

/// Where the engine keeps its data: as its daemon.json says, and where that is gone already, as we had set it. What is
/// defined may be not true yet.
pub fn data_root(observed: &Observed) -> String {
    match text(observed, DAEMON) {
        Some(daemon) => daemon::data_root(daemon),
        None => {
            let record = Record::read(text(observed, record::PATH).unwrap_or_default());
            daemon::data_root_of(&record.daemon)
        }
    }
}

/// Whether images, containers and volumes are among what shall be gone.
pub fn forgets_data(unwanted: &[Thing]) -> bool {
    unwanted.iter().any(|thing| matches!(thing, Thing::Fact(fact) if fact.what == DATA_IS_GONE))
}

/// That nothing is in a directory, or that it is not there.
pub fn nothing_in(directory: &str) -> Thing {
    fact(&format!("{directory} is empty"), &["sh", "-c", EMPTY, "sh", directory], &[])
}

/// The engine goes before its traces in the kernel do, and those before the programs that remove them.
fn stopped() -> Vec<Thing> {
    let off = |name: &str| Thing::Unit(Unit { enabled: false, active: false, ..unit(name, &[], Follow::Restart) });
    let no_rules = format!("{OURS}{WITHOUT_ENGINE}{NO_RULES}");
    let forget_rules = format!("{OURS}{WITHOUT_ENGINE}{FORGET_RULES}");
    let no_bridges = format!("{OURS}{BRIDGES}\n! bridges | grep -q .");
    let forget_bridges = format!("{OURS}{BRIDGES}\nfor bridge in $(bridges); do ip link del $bridge; done");
    vec![
        fact("no container runs", &["sh", "-c", NO_CONTAINERS], &["sh", "-c", END_CONTAINERS]),
        off(SOCKET),
        off(SERVICE),
        fact("the engine's packet filter rules are gone", &["sh", "-c", &no_rules], &["sh", "-c", &forget_rules]),
        fact("the engine's bridges are gone", &["sh", "-c", &no_bridges], &["sh", "-c", &forget_bridges]),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Host;

    /// What the functions and the line after them print, with the networks blue and 0123456789ab here.
    async fn run(functions: &str, stdin: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        for network in ["blue", "0123456789ab"] {
            std::fs::write(dir.path().join(network), "").unwrap();
        }
        let script = functions.replace("/etc/xcrane/networks", dir.path().to_str().unwrap());
        let ran = Host::Local.try_run(&["sh", "-c", &script], stdin.as_bytes()).await.unwrap();
        assert!(ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    }

    #[tokio::test]
    async fn rules_of_others_stay() {
        let theirs = "*filter\n:INPUT ACCEPT [3:4]\n\
            [0:0] -A INPUT -m comment --comment \"$(reboot) for DOCKER\" -j ACCEPT\n\
            [0:0] -A FORWARD -i br-blue -j ACCEPT\n[0:0] -A FORWARD -o br-0123456789ab -j ACCEPT\n\
            [0:0] -A FORWARD -i br-deadbeef -j ACCEPT\n[0:0] -A INPUT -j DOCKERS\nCOMMIT\n";
        let engine = ":DOCKER - [0:0]\n:DOCKER-USER - [0:0]\n[1:2] -A FORWARD -j DOCKER-USER\n[0:0] -A FORWARD -o br-blue -j DOCKER\n\
            -A FORWARD -i docker0 ! -o docker0 -j ACCEPT\n-A FORWARD -o br-fedcba987654 -j ACCEPT\n\
            -A POSTROUTING -s 172.18.0.0/16 ! -o docker_gwbridge -j MASQUERADE\n-A DOCKER-USER -j RETURN\n";
        let filter = format!("{OURS}{WITHOUT_ENGINE}\nwithout_engine");
        assert_eq!(run(&filter, &format!("{engine}{theirs}")).await, theirs);
    }

    #[tokio::test]
    async fn bridges_of_our_networks_stay() {
        let links = "docker0 br-blue br-0123456789ab br-fedcba987654 eth0";
        let bridges = BRIDGES.replace("ls /sys/class/net", &format!("printf '%s\\n' {links}"));
        assert_eq!(run(&format!("{OURS}{bridges}\nbridges"), "").await, "docker0\nbr-fedcba987654\n");
    }

    #[tokio::test]
    async fn mounts_of_others_stay() {
        let (functions, _) = UNMOUNT.split_once("\nmounts \"$1\"").unwrap();
        let mounts = "a /d x\nb /d/overlay2/1/merged x\nc /srv/d/1 x\nd /run/docker/netns/1 x\ne /run/dockers x\nf /var/run/docker/x x\n";
        assert_eq!(
            run(&format!("{functions}\nmounts /d /dev/null"), mounts).await,
            "/run/docker/netns/1\n/d/overlay2/1/merged\n"
        );
        let table = "echo '# /d/overlay2/1/merged\n\nx /d/overlay2/1/merged ext4' >/tmp/fstab-$$";
        assert_eq!(
            run(&format!("{functions}\n{table}\nmounts /d /tmp/fstab-$$\nrm /tmp/fstab-$$"), mounts).await,
            "/run/docker/netns/1\n"
        );
    }

    #[tokio::test]
    async fn file_systems_below_the_data_are_not_entered_where_there_are_subvolumes() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("a root");
        for name in ["btrfs", "image", "overlay2", "volumes/data"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        let root = root.display().to_string();
        let place = root.replace(' ', "\\040");
        let mounts = dir.path().join("mounts");
        let table =
            format!("a {place} btrfs\nb {place}/image btrfs\nc {place}/volumes/data ext4\nd {place}/overlay ext4\n");
        std::fs::write(&mounts, table).unwrap();
        let (forget, _) = FORGET_DATA.split_once("rmdir").unwrap();
        let forget = forget.replace("/proc/mounts", &mounts.display().to_string());
        let check = async |kind: &str, expected: [&str; 4]| {
            let stubs =
                format!("stat() {{ echo {kind}; }}\nrm() {{ echo \"$@\"; }}\nset -- '{root}'\nusual={DATA_ROOT}");
            let names = ["btrfs", "image", "overlay2", "volumes"].into_iter().zip(expected);
            let expected: String = names.map(|(name, how)| format!("-rf {how}{root}/{name}\n")).collect();
            assert_eq!(run(&format!("{stubs}{DATA}{forget}"), "").await, expected, "{kind}");
        };
        let stay = "--one-file-system ";
        check("ext2/ext3", [stay; 4]).await;
        check("btrfs", ["", "", "", stay]).await;
    }

    #[tokio::test]
    async fn what_is_beside_the_data_in_a_root_of_the_site_s_choice_stays() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_str().unwrap();
        for name in ["overlay2/1", "volumes/data", "165536.165536/image", "theirs"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("tmp.txt"), "").unwrap();
        let data = format!("usual={DATA_ROOT}{DATA}");
        let (unmount_nothing, forget) = (UNMOUNT.replace("/proc/mounts", "/dev/null"), FORGET_DATA);
        let (forget, _) = forget.split_once("command -v containerd").unwrap();
        assert_eq!(run(&format!("set -- {root}\n{data}{NO_DATA} || echo there"), "").await, "there\n");
        run(&format!("set -- {root}\n{data}{unmount_nothing}{forget}:"), "").await;
        assert_eq!(run(&format!("set -- {root}\n{data}{NO_DATA} && echo gone"), "").await, "gone\n");
        assert_eq!(run(&format!("ls {root}"), "").await, "theirs\ntmp.txt\n");
    }
}
