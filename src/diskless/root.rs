//! `genimage`: a root from packages, aside and then in its place.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use netboot::image::site::{self, Entry};
use plugins::Settings;

use super::place::Place;
use super::program::{self, Program};
use super::{Image, program::missing};
use crate::context::Context;
use crate::failure::Failure;

/// When nothing says otherwise it is this time while packages are installed: what writes a date of today into a file would make every
/// image another. 2025-01-01.
const EPOCH: &str = "1735689600";

const STEPS: usize = 3;

/// What was made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) root: PathBuf,
    /// Versions of the kernels in it.
    pub(crate) kernels: Vec<String>,
    pub(crate) packages: usize,
}

impl Image {
    /// What apt is told; refuses what cannot be before anything is begun.
    pub(crate) fn recipe(&self) -> Result<Recipe, Failure> {
        if !nix::unistd::geteuid().is_root() {
            return Err(Failure::refused("a root has files of many owners, which only root can make"));
        }
        let (suite, architecture) = self.system()?;
        let packages = self.packages()?;
        let sources = self.sources(suite)?;
        let scripts = self.files("postinstall")?;
        if let Some(absent) = scripts.iter().find(|script| !script.is_file()) {
            return Err(Failure::refused(format!("image {}: there is no {}", self.name, absent.display())));
        }
        let leave = packages.unwanted.iter().map(|name| format!("{name}-"));
        let include = packages.wanted.iter().cloned().chain(leave).collect::<Vec<_>>().join(",");
        Ok(Recipe { suite, architecture, include, sources, scripts })
    }

    /// Makes the root.
    pub(crate) async fn make(&self, cx: &Context, recipe: &Recipe) -> Result<Made, Failure> {
        let place = Place::take(&self.root())?;
        let aside = place.aside();
        self.tell("packages", 1, STEPS);
        program::run(cx, recipe.mmdebstrap(aside)).await?;
        self.tell("files of the site", 2, STEPS);
        put(aside, &site::entries(|path| inside(aside, path).symlink_metadata().is_ok(), &keys(&cx.settings()?)))
            .map_err(|error| Failure::refused(format!("cannot write into {}: {error}", aside.display())))?;
        for script in &recipe.scripts {
            self.run_script(cx, script, aside, recipe).await?;
        }
        self.tell("check", 3, STEPS);
        let kernels = self.check(aside)?;
        let packages = fs::read_to_string(aside.join("var/lib/dpkg/status")).unwrap_or_default();
        let packages = packages.lines().filter(|line| line.starts_with("Package: ")).count();
        place.exchange()?;
        self.tell_end();
        Ok(Made { root: self.root(), kernels, packages })
    }

    /// As xCAT calls a postinstall script: root, version, architecture, profile, and the same in its environment.
    async fn run_script(&self, cx: &Context, script: &Path, root: &Path, recipe: &Recipe) -> Result<(), Failure> {
        let cell = |column: &str| self.osimage.get(column).unwrap_or_default().to_owned();
        let (version, profile) = (cell("osvers"), cell("profile"));
        let program = Program::new("sh", "dash")
            .args([
                script.as_os_str(),
                root.as_os_str(),
                version.as_ref(),
                recipe.architecture.as_ref(),
                profile.as_ref(),
            ])
            .env("IMG_NAME", &self.name)
            .env("IMG_ROOTIMGDIR", root)
            .env("IMG_OSVER", &version)
            .env("IMG_ARCH", cell("osarch"))
            .env("IMG_PROFILE", &profile);
        let failed =
            |failure: Failure| Failure { message: format!("{}: {}", script.display(), failure.message), ..failure };
        program::run(cx, program).await.map(drop).map_err(failed)
    }

    /// A root that cannot start is not put in the place of one that can.
    fn check(&self, root: &Path) -> Result<Vec<String>, Failure> {
        let pkglist = self.cell("pkglist").unwrap_or("pkglist").to_owned();
        let lacks = |what: &str, package: &str| {
            Failure::refused(format!("image {}: its packages bring no {what}", self.name))
                .hint(format!("add {package} to {pkglist}"))
        };
        if inside(root, "/sbin/init").symlink_metadata().is_err() {
            return Err(lacks("init", "systemd-sysv"));
        }
        let kernels = kernels(root);
        if kernels.is_empty() {
            return Err(lacks("kernel", "linux-image-amd64 (in virtual machines linux-image-cloud-amd64 will do)"));
        }
        Ok(kernels)
    }
}

/// What apt is told.
#[derive(Debug)]
pub(crate) struct Recipe {
    suite: &'static str,
    architecture: &'static str,
    include: String,
    sources: Vec<String>,
    scripts: Vec<PathBuf>,
}

impl Recipe {
    /// For people: what from where.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{} {}: {}", self.suite, self.architecture, self.include.replace(',', " "))];
        lines.extend(self.sources.iter().cloned());
        lines.extend(self.scripts.iter().map(|script| format!("run {}", script.display())));
        lines
    }

    /// INITRD=No: an initial RAM disk by the distribution would take longer than all the rest, and nobody would boot by it.
    fn mmdebstrap(&self, root: &Path) -> Program {
        let epoch = std::env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| EPOCH.to_owned());
        Program::new("mmdebstrap", "mmdebstrap")
            .args(["--quiet", "--variant=minbase", "--format=directory", "--dpkgopt=force-unsafe-io"])
            .args([format!("--architectures={}", self.architecture), format!("--include={}", self.include)])
            .args([self.suite.as_ref(), root.as_os_str()])
            .args(&self.sources)
            .env("SOURCE_DATE_EPOCH", epoch)
            .env("INITRD", "No")
    }
}

/// Tells of a program that a later step needs, before minutes are spent on the first.
pub(crate) fn need(program: &'static str, package: &'static str) -> Result<(), Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    if found { Ok(()) } else { Err(missing(program, package)) }
}

/// The versions of the kernels that a root has modules of.
pub(crate) fn kernels(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("lib/modules")).into_iter().flatten().flatten();
    let mut kernels: Vec<String> = entries
        .filter(|entry| entry.path().join("modules.dep").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    kernels.sort();
    kernels
}

/// A path of the root as seen from here.
fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// The public keys of those who work here.
fn keys(settings: &Settings) -> Vec<String> {
    let read = |key: &PathBuf| fs::read_to_string(format!("{}.pub", key.display())).ok();
    settings.ssh_keys.iter().filter_map(read).map(|key| format!("{}\n", key.trim())).collect()
}

fn put(root: &Path, entries: &[Entry]) -> io::Result<()> {
    for entry in entries {
        let (Entry::File { path, .. } | Entry::Link { path, .. }) = entry;
        let place = inside(root, path);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        // A link that is there leads out of the root.
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        match entry {
            Entry::Link { target, .. } => symlink(target, &place)?,
            Entry::File { mode, text, .. } => {
                fs::write(&place, text)?;
                fs::set_permissions(&place, fs::Permissions::from_mode(*mode))?;
            }
        }
    }
    Ok(())
}
