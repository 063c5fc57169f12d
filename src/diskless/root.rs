//! `genimage`: a root from packages, aside and then in its place.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use netboot::image::lint::View;
use netboot::image::packages::Packages;
use netboot::image::site::{self, Entry};
use netboot::image::{distribution, el};
use plugins::Settings;

use super::apt::Apt;
use super::dnf::Dnf;
use super::inside::Inside;
use super::place::Place;
use super::program::{self, Program};
use super::{Image, program::missing};
use crate::context::Context;
use crate::failure::Failure;

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
    /// What the image is to be made of; refuses what cannot be before anything is begun.
    pub(crate) fn recipe(&self) -> Result<Recipe, Failure> {
        need_root()?;
        let scripts = self.files("postinstall")?;
        let system = match el::release(self.osvers()) {
            Some(release) => System::Dnf(self.dnf(release)?),
            None => System::Apt(self.apt()?),
        };
        if let Some(absent) = scripts.iter().find(|script| !script.is_file()) {
            return Err(Failure::refused(format!("image {}: there is no {}", self.name, absent.display())));
        }
        Ok(Recipe { system, scripts })
    }

    fn apt(&self) -> Result<Apt, Failure> {
        let (suite, architecture) = self.system()?;
        let Packages { wanted, unwanted } = self.packages()?;
        Ok(Apt { suite, architecture, wanted, unwanted, sources: self.sources(suite)? })
    }

    /// Makes the root.
    pub(crate) async fn make(&self, cx: &Context, recipe: &Recipe) -> Result<Made, Failure> {
        let place = Place::take(&self.root())?;
        let aside = place.aside();
        match &recipe.system {
            System::Apt(apt) => apt.make(cx, self, aside).await?,
            System::Dnf(dnf) => {
                self.tell("packages", 1, STEPS);
                program::run(cx, dnf.program(aside)).await.map(drop)?;
            }
        }
        self.tell("files of the site", STEPS - 1, STEPS);
        self.dress(cx, aside)?;
        for script in &recipe.scripts {
            self.run_script(cx, script, aside).await?;
        }
        self.tell("check", STEPS, STEPS);
        let kernels = self.check(aside)?;
        let packages = count_packages(cx, recipe, aside).await;
        place.exchange()?;
        self.tell_end();
        Ok(Made { root: self.root(), kernels, packages })
    }

    /// Writes what every diskless root has beside its packages.
    pub(super) fn dress(&self, cx: &Context, root: &Path) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::refused(format!("cannot write into {}: {error}", root.display()));
        let inside = Inside::open(root).map_err(failed)?;
        put(&inside, &site::entries(|path| inside.has(path), &keys(&cx.settings()?))).map_err(failed)
    }

    /// As xCAT calls a postinstall script: root, version, architecture, profile, and the same in its environment.
    async fn run_script(&self, cx: &Context, script: &Path, root: &Path) -> Result<(), Failure> {
        let cell = |column: &str| self.osimage.get(column).unwrap_or_default().to_owned();
        let (version, profile) = (cell("osvers"), cell("profile"));
        let architecture = distribution::architecture(&cell("osarch")).map_or_else(|| cell("osarch"), str::to_owned);
        let program = Program::new("sh", "dash")
            .args([script.as_os_str(), root.as_os_str(), version.as_ref(), architecture.as_ref(), profile.as_ref()])
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
        let inside =
            Inside::open(root).map_err(|error| Failure::refused(format!("cannot read {}: {error}", root.display())))?;
        if !inside.has("/sbin/init") {
            return Err(lacks("init", "systemd-sysv (of the EL family systemd)"));
        }
        let kernels = kernels(root);
        if kernels.is_empty() {
            return Err(lacks(
                "kernel",
                "linux-image-amd64 (in virtual machines linux-image-cloud-amd64 will do; of the EL family kernel)",
            ));
        }
        Ok(kernels)
    }
}

/// What an image is made of.
#[derive(Debug)]
pub(crate) struct Recipe {
    system: System,
    scripts: Vec<PathBuf>,
}

#[derive(Debug)]
enum System {
    Apt(Apt),
    Dnf(Dnf),
}

impl Recipe {
    /// For people: what from where.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = match &self.system {
            System::Apt(apt) => apt.lines(),
            System::Dnf(dnf) => dnf.lines(),
        };
        lines.extend(self.scripts.iter().map(|script| format!("run {}", script.display())));
        lines
    }

    /// Refuses where the program is not there that makes it.
    pub(crate) fn need_program(&self) -> Result<(), Failure> {
        match self.system {
            System::Apt(_) => need("mmdebstrap", "mmdebstrap"),
            System::Dnf(_) => need("dnf", "dnf"),
        }
    }
}

async fn count_packages(cx: &Context, recipe: &Recipe, root: &Path) -> usize {
    match recipe.system {
        System::Apt(_) => {
            let packages = fs::read_to_string(root.join("var/lib/dpkg/status")).unwrap_or_default();
            packages.lines().filter(|line| line.starts_with("Package: ")).count()
        }
        System::Dnf(_) => {
            let list = Program::new("rpm", "rpm").args(["--root".as_ref(), root.as_os_str(), "-qa".as_ref()]);
            let said = program::run(cx, list).await.unwrap_or_default();
            said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()
        }
    }
}

/// Refuses everybody else.
pub(crate) fn need_root() -> Result<(), Failure> {
    match nix::unistd::geteuid().is_root() {
        true => Ok(()),
        false => Err(Failure::refused("a root has files of many owners, which only root can make")),
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

/// The public keys of those who work here.
pub(crate) fn keys(settings: &Settings) -> Vec<String> {
    let read = |key: &PathBuf| fs::read_to_string(format!("{}.pub", key.display())).ok();
    settings.ssh_keys.iter().filter_map(read).map(|key| format!("{}\n", key.trim())).collect()
}

fn put(inside: &Inside, entries: &[Entry]) -> io::Result<()> {
    for entry in entries {
        let (Entry::File { path, .. } | Entry::Link { path, .. }) = entry;
        let spot = inside.spot(path)?;
        let place = &spot.path;
        // A link that is there leads out of the root.
        match fs::remove_file(place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        match entry {
            Entry::Link { target, .. } => symlink(target, place)?,
            Entry::File { mode, text, .. } => {
                fs::write(place, text)?;
                fs::set_permissions(place, fs::Permissions::from_mode(*mode))?;
            }
        }
    }
    Ok(())
}
