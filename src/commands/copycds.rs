//! `copycds`: an installation medium becomes a directory that nodes are installed from, and an image.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use netboot::install::{Installer, Medium};
use tables::definitions::{Assignment, Job};
use tables::objects;

use super::Run;
use crate::context::Context;
use crate::diskless::place::Place;
use crate::diskless::program::{self, Program};
use crate::failure::Failure;
use crate::outcome::Outcome;

/// Copy an installation medium and define an image that installs it
#[derive(Debug, Args)]
#[command(
    after_help = "The medium is an ISO file, which xorriso reads without mounting it, or a directory where one is mounted or was copied to.
What is on it is told by itself: Debian, Ubuntu, and the Red Hat family. It is copied to OSVERS/ARCH in the directory that
site.installdir names (/install), from where xcrane serve gives it to installers under /media/IMAGE, and the image
OSVERS-ARCH-install-compute is defined. Done again it replaces the copy at once and leaves of the image what it does not set.

A medium of Debian brings an installer that looks for its CD: nodes boot the one of the package
debian-installer-12-netboot-amd64 where that is installed here, or what linuximage.kerneldir names.

Examples:
  copycds debian-12.5.0-amd64-DVD-1.iso
  copycds -n rocky9.4 -a x86_64 /mnt
  copycds ubuntu-24.04-live-server-amd64.iso -p /srv/ubuntu24.04"
)]
pub(crate) struct Copycds {
    /// The ISO file or the directory
    #[arg(value_name = "MEDIUM")]
    medium: PathBuf,
    /// The system, such as rocky9.4, if the medium is not to be asked
    #[arg(short = 'n', long = "name", value_name = "OSVERS")]
    osvers: Option<String>,
    /// The architecture, such as x86_64
    #[arg(short = 'a', long = "arch", value_name = "ARCH")]
    osarch: Option<String>,
    /// Copy it to this directory
    #[arg(short = 'p', long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Only tell what the medium is
    #[arg(short = 'i', long)]
    inspection: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Run for Copycds {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let source = fs::canonicalize(&self.medium)
            .map_err(|error| Failure::refused(format!("cannot read {}: {error}", self.medium.display())))?;
        let install = PathBuf::from(cx.tables()?.site("installdir")?.unwrap_or_else(|| "/install".into()));
        if self.path.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err(Failure::usage("-p takes a whole path, which is kept in linuximage.pkgdir"));
        }
        if self.inspection && source.is_dir() {
            cx.ui.line(&self.known(&source)?.image());
            return Ok(Outcome::Done);
        }
        // What it is is known when it was copied; it is in its place only then.
        let aside = Place::take(self.path.as_deref().unwrap_or(&install.join("copycds")))?;
        self.copy(cx, &source, aside.aside()).await?;
        let medium = self.known(aside.aside())?;
        if self.inspection {
            cx.ui.line(&medium.image());
            return Ok(Outcome::Done);
        }
        let place = self.path.clone().unwrap_or_else(|| install.join(&medium.osvers).join(&medium.osarch));
        if self.path.is_some() {
            aside.exchange()?;
        } else {
            let target = Place::take(&place)?;
            fs::rename(aside.aside(), target.aside())
                .map_err(|error| Failure::refused(format!("cannot write {}: {error}", place.display())))?;
            target.exchange()?;
        }
        self.define(cx, &medium, &place)?;
        cx.ui.line(&format!("Defined osimage {} of {}.", medium.image(), place.display()));
        Ok(Outcome::Done)
    }
}

impl Copycds {
    /// What is in that directory, unless we were told.
    fn known(&self, root: &Path) -> Result<Medium, Failure> {
        let found = Medium::of(root);
        let word = |told: &Option<String>, found: Option<String>| told.clone().or(found);
        let osvers = word(&self.osvers, found.as_ref().map(|medium| medium.osvers.clone()));
        let osarch = word(&self.osarch, found.map(|medium| medium.osarch));
        let (Some(osvers), Some(osarch)) = (osvers, osarch) else {
            let what = self.medium.display();
            return Err(Failure::refused(format!("{what} does not say which system it installs: it has neither .disk/info nor .treeinfo of one that is known"))
                .hint("say it: copycds -n OSVERS -a ARCH MEDIUM"));
        };
        if Installer::of(&osvers).is_none() {
            return Err(Failure::refused(format!("'{osvers}' has no installer here"))
                .hint("it begins with debian, ubuntu, alma, centos, fedora, ol, rhel or rocky"));
        }
        if [&osvers, &osarch].iter().any(|word| word.contains('/') || word.starts_with('.')) {
            return Err(Failure::usage("OSVERS and ARCH are no paths"));
        }
        Ok(Medium { osvers, osarch })
    }

    /// Everybody may read the copy: it is given to whoever asks.
    async fn copy(&self, cx: &Context, source: &Path, aside: &Path) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::refused(format!("cannot write {}: {error}", aside.display()));
        let copy = if source.is_dir() {
            fs::create_dir(aside).map_err(failed)?;
            Program::new("cp", "coreutils").args(["-a", "--reflink=auto"]).arg(source.join(".")).arg(aside)
        } else {
            let program = Program::new("xorriso", "xorriso").args(["-osirrox", "on", "-indev"]).arg(source);
            program.args(["-extract", "/"]).arg(aside).arg("-end")
        };
        program::run(cx, copy).await?;
        let mode = Program::new("chmod", "coreutils").args(["-R", "u+w,a+rX"]).arg(aside);
        program::run(cx, mode).await?;
        // Ubuntu's installer loads the medium as a whole.
        if source.is_file() && aside.join("casper").is_dir() {
            let name = source.file_name().unwrap_or_default();
            fs::copy(source, aside.join(name).with_extension("iso")).map_err(failed)?;
        }
        Ok(())
    }

    fn define(&self, cx: &Context, medium: &Medium, place: &Path) -> Result<(), Failure> {
        let mut attributes = vec![
            ("imagetype", "linux".to_owned()),
            ("osname", "Linux".to_owned()),
            ("provmethod", "install".to_owned()),
            ("profile", "compute".to_owned()),
            ("osvers", medium.osvers.clone()),
            ("osarch", medium.osarch.clone()),
            ("pkgdir", place.display().to_string()),
        ];
        if let Some((release, arch)) = debian(medium) {
            let kernels = format!("/usr/lib/debian-installer/images/{release}/{arch}/text");
            match Path::new(&kernels).is_dir() {
                true => attributes.push(("kerneldir", kernels)),
                false => cx.ui.hints(&[format!(
                    "a medium of Debian has no installer that boots over the network: install the package debian-installer-{release}-netboot-{arch}, and copy again"
                )]),
            }
        }
        let changes: Vec<Assignment> =
            attributes.into_iter().map(|(name, value)| Assignment::set(name, value)).collect();
        let object = objects::find("osimage").expect("images are among the types");
        let name = medium.image();
        let origin = cx.origin(self.reason.clone());
        cx.tables()?.edit(&origin, |edit| edit.assign_all(object, &[Job { name: &name, changes: &changes }]))?;
        Ok(())
    }
}

/// Release and architecture as the packages with Debian's installer have them.
fn debian(medium: &Medium) -> Option<(&str, &'static str)> {
    let release = medium.osvers.strip_prefix("debian")?.split('.').next()?;
    Some((release, if medium.osarch == "aarch64" { "arm64" } else { "amd64" }))
}
