//! Programs of others that only PyPI has: one environment of Python with all of them, made once and kept in the cache.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::error::{Error, Result, at};
use crate::room::LIMIT;
use crate::root::{cache_directory, need};
use crate::run::{self, Run};

/// sushy-tools, pykickstart and all that they need, each in one version.
const PACKAGES: &[&str] = &[
    "bcrypt==5.0.0",
    "blinker==1.9.0",
    "certifi==2026.10.18",
    "charset-normalizer==3.5.2",
    "click==8.5.1",
    "Flask==3.1.3",
    "idna==3.20",
    "itsdangerous==2.2.0",
    "Jinja2==3.1.6",
    "MarkupSafe==3.0.4",
    "pbr==7.1.3",
    "pykickstart==3.78",
    "requests==2.34.2",
    "sushy-tools==2.2.0",
    "tenacity==9.2.1",
    "urllib3==2.8.0",
    "WebOb==1.8.11",
    "Werkzeug==3.1.9",
];
const INSTALLING: Duration = Duration::from_secs(600);

/// Where its programs are; installed first if they are not there.
pub fn install() -> Result<PathBuf> {
    need("python3", "python3-venv")?;
    let mut hasher = DefaultHasher::new();
    PACKAGES.hash(&mut hasher);
    let cache = cache_directory();
    let dir = cache.join(format!("pypi-{:016x}", hasher.finish()));
    let (programs, whole) = (dir.join("bin"), dir.join("whole"));
    if whole.exists() {
        return Ok(programs);
    }
    fs::create_dir_all(&cache).map_err(at(&cache))?;
    let lock = cache.join("lock");
    let file = File::create(&lock).map_err(at(&lock))?;
    let _lock = Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| Error::File { path: lock, source: errno.into() })?;
    if !whole.exists() {
        // Python's environments cannot be moved, so that a mark says whether this one is whole.
        run::must(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir), INSTALLING)?;
        let quiet = ["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--no-cache-dir"];
        run::must(Command::new(programs.join("python")).args(quiet).args(PACKAGES), INSTALLING)?;
        fs::write(&whole, "").map_err(at(&whole))?;
    }
    Ok(programs)
}

/// What pykickstart says of a file of answers, read as an installer of that version does, such as `RHEL9`.
pub(crate) fn check_kickstart(version: &str, answers: &Path) -> Result<Run> {
    let programs = install()?;
    let mut command = Command::new(programs.join("python"));
    run::run(command.arg(programs.join("ksvalidator")).args(["-v", version]).arg(answers), "", LIMIT)
}
