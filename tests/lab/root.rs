//! The read-only root of all hosts, made once from Debian's packages and kept: the system, and what a fresh engine has in store.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::error::{Error, Result, at};
use crate::kind::Kind;
use crate::room::{Owner, Room};
use crate::{place, run};

const SUITE: &str = "bookworm";
/// A machine that nobody has made a Docker host of yet.
const BARE: &[&str] = &["dbus", "iproute2", "iputils-ping", "openssh-server", "procps", "systemd", "systemd-sysv"];

/// What the Docker hosts of a lab have beside.
const ENGINE: &[&str] = &[
    "busybox-static",
    "ca-certificates",
    "curl",
    "docker-registry",
    "docker.io",
    "ethtool",
    "iperf3",
    "iptables",
    "iputils-arping",
    "kmod",
    "openvswitch-switch",
    "tini",
];

/// What a test may install, on a host or in an image.
const OFFERED: &[&str] = &[
    "apparmor",
    "chrony",
    "etcd-client",
    "etcd-server",
    "ifupdown",
    "linux-image-cloud-amd64",
    "nats-server",
    "network-manager",
    "prometheus",
    "prometheus-node-exporter",
];

/// How the root is made; see its head.
const SCRIPT: &str = include_str!("root.sh");

/// Run on a first host: the image and the network that every later one finds in its engine's store.
const BAKE: &str = include_str!("bake.sh");

/// The programs of this machine that a lab needs, and where Debian has them.
const TOOLS: &[(&str, &str)] = &[
    ("bash", "bash"),
    ("find", "findutils"),
    ("ip", "iproute2"),
    ("mount", "mount"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("setsid", "util-linux"),
    ("ssh-keygen", "openssh-client"),
    ("unshare", "util-linux"),
];

/// What hosts are made of.
#[derive(Debug, Clone)]
pub struct Root {
    dir: PathBuf,
}

impl Root {
    /// `/var/lib/docker` of a host: the image `busybox:lab` and the network `cluster` are in it.
    pub(crate) fn engine(&self) -> PathBuf {
        self.dir.join("engine")
    }

    /// The image as a file, as `docker save` writes it.
    pub(crate) fn image_file(&self) -> PathBuf {
        self.dir.join("busybox.tar")
    }

    /// The storage of a registry that has the image.
    pub(crate) fn registry(&self) -> PathBuf {
        self.dir.join("registry")
    }

    /// Where it is kept.
    pub fn directory(&self) -> &Path {
        &self.dir
    }

    /// The root from the cache; made there first if it is not, which takes a minute or two.
    pub fn ready() -> Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            return Err(Error::Refused("a lab makes namespaces and mounts, so it needs root".into()));
        }
        for (tool, package) in TOOLS {
            need(tool, package)?;
        }
        let cache = cache_directory();
        let dir = cache.join(fingerprint());
        if dir.exists() {
            return Ok(Self { dir });
        }
        fs::create_dir_all(&cache).map_err(at(&cache))?;
        let lock = cache.join("lock");
        let file = File::create(&lock).map_err(at(&lock))?;
        let _lock = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| Error::File { path: lock, source: errno.into() })?;
        if !dir.exists() {
            build(&cache, &dir)?;
        }
        Ok(Self { dir })
    }
}

/// Where what was made once is kept.
pub(crate) fn cache_directory() -> PathBuf {
    match std::env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir).join("xcrane-lab"),
        None => PathBuf::from("/var/cache/xcrane-lab"),
    }
}

/// A change of what goes into the root gives it another name, so that an old one is never taken for it.
fn fingerprint() -> String {
    let mut hasher = DefaultHasher::new();
    (SUITE, BARE, ENGINE, OFFERED, SCRIPT, BAKE).hash(&mut hasher);
    format!("{SUITE}-{:016x}", hasher.finish())
}

/// An error that names the package unless a program of this machine is there.
pub(crate) fn need(tool: &'static str, package: &'static str) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join(tool).is_file());
    if found { Ok(()) } else { Err(Error::MissingTool { tool, package }) }
}

/// Builds beside and renames at the end, so that what has the name is whole.
fn build(cache: &Path, dir: &Path) -> Result<()> {
    need("mmdebstrap", "mmdebstrap")?;
    let beside = cache.join("building");
    let root = Root { dir: beside.clone() };
    if beside.exists() {
        fs::remove_dir_all(&beside).map_err(at(&beside))?;
    }
    fs::create_dir(&beside).map_err(at(&beside))?;
    let mut script = Command::new("bash");
    script.args(["-c", SCRIPT, "root.sh"]).current_dir(&beside).env("SUITE", SUITE);
    script.env("BARE", BARE.join(" ")).env("ENGINE", ENGINE.join(" ")).env("OFFERED", OFFERED.join(" "));
    run::must(&mut script, Duration::from_secs(1800))?;
    bake(&root)?;
    fs::rename(&beside, dir).map_err(at(dir))
}

fn bake(root: &Root) -> Result<()> {
    for empty in [root.engine(), root.registry()] {
        fs::create_dir(&empty).map_err(at(&empty))?;
    }
    let dir = place::default_directory().join(format!("root{}", std::process::id()));
    place::claim(&dir)?;
    let mut room = Room::keep(&dir, root.clone(), Owner::Caller)?;
    room.start(1, Kind::Light)?;
    room.start_registry()?;
    let host = room.host("h1")?;
    host.shell(BAKE)?;
    let saved = format!("/proc/{}/root/run/busybox.tar", host.pid()?);
    fs::copy(&saved, root.image_file()).map_err(at(Path::new(&saved)))?;
    host.power_off()?;
    for (from, to) in [(room.engine_of("h1"), root.engine()), (room.registry_directory(), root.registry())] {
        fs::remove_dir(&to).map_err(at(&to))?;
        run::must(Command::new("cp").arg("-a").arg(from).arg(to), Duration::from_secs(60))?;
    }
    room.stop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        assert!(need("bash", "bash").is_ok());
        let error = need("no-such-program", "some-package").unwrap_err().to_string();
        assert_eq!(error, "the lab needs the program `no-such-program`: install the package some-package");
    }
}
