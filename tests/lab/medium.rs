//! A medium that installs Debian over the network, made once of the packages that apt has and kept in the cache.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::error::{Error, Result, at};
use crate::root::{cache_directory, need};
use crate::run;

/// How it is made; see its head.
const SCRIPT: &str = include_str!("medium.sh");
const SUITE: &str = "trixie";
const RELEASE: &str = "13";

/// What the installer adds to the base system, or may, and what nodes are installed with.
const OFFERED: &[&str] = &[
    "busybox",
    "console-setup",
    "curl",
    "efibootmgr",
    "eject",
    "grub-efi-amd64",
    "grub-efi-amd64-signed",
    "grub-pc",
    "installation-report",
    "keyboard-configuration",
    "laptop-detect",
    "linux-image-amd64",
    "locales",
    "openssh-server",
    "os-prober",
    "shim-signed",
];
/// Some six hundred files are fetched.
const MAKING: Duration = Duration::from_secs(1800);

/// Its directory in the cache; made there first if it is not.
pub(crate) fn ready() -> Result<PathBuf> {
    need("strings", "binutils")?;
    let cache = cache_directory();
    let dir = cache.join(fingerprint());
    fs::create_dir_all(&cache).map_err(at(&cache))?;
    let lock = cache.join("medium.lock");
    let file = File::create(&lock).map_err(at(&lock))?;
    let _turn = Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| Error::File { path: lock, source: errno.into() })?;
    if dir.exists() {
        return Ok(dir);
    }
    let beside = cache.join("medium-new");
    if beside.exists() {
        fs::remove_dir_all(&beside).map_err(at(&beside))?;
    }
    fs::create_dir(&beside).map_err(at(&beside))?;
    let mut script = Command::new("bash");
    script.args(["-c", SCRIPT, "medium.sh"]).current_dir(&beside);
    script.env("SUITE", SUITE).env("RELEASE", RELEASE).env("OFFERED", OFFERED.join(" "));
    run::must(&mut script, MAKING)?;
    fs::rename(&beside, &dir).map_err(at(&dir))?;
    Ok(dir)
}

fn fingerprint() -> String {
    let mut hasher = DefaultHasher::new();
    (SUITE, RELEASE, OFFERED, SCRIPT).hash(&mut hasher);
    format!("medium-{SUITE}-{:016x}", hasher.finish())
}
