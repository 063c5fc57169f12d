//! `mknb`: the maintenance system, which runs from its initial RAM disk: a kernel with its drivers, busybox, scripts of ours.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use netboot::image::initramfs::{is_static, maintenance};
use netboot::image::modules::{BUSES, HARDWARE, NETWORKS};

use super::pack::{busybox, kernel, list, load, packed};
use super::place::Place;
use super::program::{self, Program};
use super::root::kernels;
use crate::config;
use crate::context::Context;
use crate::failure::Failure;
use crate::size::size;

/// What it is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    /// A root with a kernel and its modules; `/` is this machine's own.
    pub(crate) root: PathBuf,
    /// Instead of it, packages of Debian with them.
    pub(crate) packages: Vec<PathBuf>,
    pub(crate) release: Option<String>,
    /// Programs that are added.
    pub(crate) programs: Vec<PathBuf>,
}

/// What was made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) release: String,
    pub(crate) modules: usize,
    pub(crate) size: String,
}

impl Parts {
    /// Makes the files of that architecture in `genesis` of xcrane's home; those of others stay.
    pub(crate) async fn make(&self, cx: &Context, architecture: &str) -> Result<Made, Failure> {
        let target = config::home()?.join("genesis");
        let failed = |error: io::Error| Failure::refused(format!("cannot make {}: {error}", target.display()));
        let programs = self.programs.iter().map(|path| added(path)).collect::<Result<Vec<_>, _>>()?;
        let place = Place::take(&target)?;
        let dir = place.aside();
        fs::create_dir(dir).map_err(failed)?;
        let unpacked = dir.join("unpacked");
        let root = if self.packages.is_empty() { &self.root } else { &unpacked };
        for package in &self.packages {
            let program =
                Program::new("dpkg-deb", "dpkg").args(["-x".as_ref(), package.as_os_str(), unpacked.as_os_str()]);
            program::run(cx, program).await?;
        }
        let release = self.release(cx, root).await?;
        fs::copy(kernel(root, &release)?, dir.join(format!("kernel.{architecture}"))).map_err(failed)?;
        let names = BUSES.iter().chain(NETWORKS).chain(HARDWARE);
        let loaded = load(cx, root, &release, names.map(|name| ((*name).to_owned(), false)).collect()).await?;
        let archive = packed(&maintenance(&busybox(root)?, &loaded, &programs)).map_err(failed)?;
        fs::write(dir.join(format!("initrd.{architecture}")), &archive).map_err(failed)?;
        if unpacked.exists() {
            fs::remove_dir_all(&unpacked).map_err(failed)?;
        }
        keep_others(&target, dir).map_err(failed)?;
        place.exchange()?;
        Ok(Made { release, modules: loaded.len(), size: size(archive.len() as u64) })
    }

    async fn release(&self, cx: &Context, root: &Path) -> Result<String, Failure> {
        if !self.packages.is_empty() {
            // A package has its list of modules only once it is installed.
            for entry in fs::read_dir(root.join("lib/modules")).into_iter().flatten().flatten() {
                let (base, name) = (root.as_os_str(), entry.file_name());
                program::run(cx, Program::new("depmod", "kmod").args(["-b".as_ref(), base, &*name])).await?;
            }
        }
        let kernels = kernels(root);
        let place = if self.packages.is_empty() { root.display().to_string() } else { "the packages".to_owned() };
        match (&self.release, kernels.as_slice()) {
            (Some(wanted), all) if all.contains(wanted) => Ok(wanted.clone()),
            (Some(wanted), all) => {
                Err(Failure::refused(format!("there is no kernel {wanted} in {place}, but {}", list(all))))
            }
            (None, []) => Err(Failure::refused(format!("there is no kernel with modules in {place}"))
                .hint("install linux-image-amd64 here, or name its file: mknb x86_64 --package linux-image-….deb")),
            (None, [one]) => Ok(one.clone()),
            (None, all) => Err(Failure::refused(format!("there are several kernels in {place}: {}", list(all)))
                .hint("choose one: mknb x86_64 --kernelver VERSION")),
        }
    }
}

/// The name and the content of a program, which finds no libraries there.
fn added(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let content =
        fs::read(path).map_err(|error| Failure::refused(format!("cannot read {}: {error}", path.display())))?;
    if !content.starts_with(b"#!") && !is_static(&content) {
        return Err(Failure::refused(format!(
            "{} is neither a script nor a program without libraries, and there are none in the maintenance system",
            path.display()
        )));
    }
    match path.file_name().and_then(|name| name.to_str()) {
        Some(name) if name != "busybox" && name != "sh" => Ok((name.to_owned(), content)),
        _ => Err(Failure::refused(format!("{}: a program cannot have that name there", path.display()))),
    }
}

/// What is there of other architectures goes along.
fn keep_others(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let target = to.join(entry.file_name());
        if !target.exists() && entry.file_type()?.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
