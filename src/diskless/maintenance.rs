//! `mknb`: the maintenance system, which runs from its initial RAM disk: a kernel with its drivers, busybox, scripts of ours.

use std::collections::BTreeMap;
use std::ffi::OsStr;
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

/// A program that discovery uses and busybox has not; it is taken from this machine.
#[derive(Debug)]
struct Helper {
    program: &'static str,
    package: &'static str,
    /// What machines cannot report without it.
    tells: &'static str,
    /// What somebody may have added in its place.
    instead: Option<&'static str>,
}

const HELPERS: [Helper; 2] = [
    Helper { program: "ipmitool", package: "ipmitool", tells: "the address of its BMC", instead: None },
    Helper {
        program: "tcpdump",
        package: "tcpdump",
        tells: "the switch and the port that it is at",
        instead: Some("neighbour"),
    },
];

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
        let mut programs = BTreeMap::new();
        for path in &self.programs {
            add(cx, path, &mut programs).await?;
        }
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
        self.add_helpers(cx, &mut programs).await;
        let archive = packed(&maintenance(&busybox(root)?, &loaded, &programs)).map_err(failed)?;
        fs::write(dir.join(format!("initrd.{architecture}")), &archive).map_err(failed)?;
        if unpacked.exists() {
            fs::remove_dir_all(&unpacked).map_err(failed)?;
        }
        keep_others(&target, dir).map_err(failed)?;
        place.exchange()?;
        Ok(Made { release, modules: loaded.len(), size: size(archive.len() as u64) })
    }

    /// Adds the helpers that nobody has named. What lacks one still boots and is matched by all else, so that a warning does.
    async fn add_helpers(&self, cx: &Context, programs: &mut BTreeMap<String, Vec<u8>>) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        for helper in HELPERS.iter().filter(|helper| !helper.is_among(&self.programs)) {
            let why = match helper.find(&path) {
                Some(found) => add(cx, &found, programs).await.err().map(|failure| failure.message),
                None => Some(format!("there is no {} on this machine (package {})", helper.program, helper.package)),
            };
            if let Some(why) = why {
                cx.ui.warning(&format!("{why}: an unknown machine will not report {}", helper.tells));
            }
        }
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

impl Helper {
    fn is_among(&self, programs: &[PathBuf]) -> bool {
        let names = [Some(self.program), self.instead];
        programs.iter().any(|path| names.contains(&path.file_name().and_then(OsStr::to_str)))
    }

    /// Where it is. Not everybody who is root has the directories of root's programs in PATH.
    fn find(&self, path: &OsStr) -> Option<PathBuf> {
        let dirs = std::env::split_paths(path).chain(["/usr/sbin".into(), "/sbin".into()]);
        dirs.map(|dir| dir.join(self.program)).find(|program| program.is_file())
    }
}

/// Adds a program to `files`, which are those of the system by their paths there, and the libraries that it runs with.
async fn add(cx: &Context, path: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), Failure> {
    let content = read(path)?;
    let name = match path.file_name().and_then(|name| name.to_str()) {
        Some(name) if name != "busybox" && name != "sh" => format!("bin/{name}"),
        _ => return Err(Failure::refused(format!("{}: a program cannot have that name there", path.display()))),
    };
    if !content.starts_with(b"#!") && !is_static(&content) {
        let told = program::run(cx, Program::new("ldd", "libc-bin").arg(path)).await.map_err(|failure| {
            Failure::refused(format!("{} is neither a script nor a program: {}", path.display(), failure.message))
        })?;
        for library in libraries(&String::from_utf8_lossy(&told)) {
            let library = library.map_err(|missing| {
                Failure::refused(format!("{} lacks the library {missing} on this machine", path.display()))
            })?;
            files.insert(library.trim_start_matches('/').to_owned(), read(Path::new(library))?);
        }
    }
    files.insert(name, content);
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::refused(format!("cannot read {}: {error}", path.display())))
}

/// The files of a program's libraries in what `ldd` tells; an error names one that is not there.
fn libraries(told: &str) -> impl Iterator<Item = Result<&str, &str>> {
    told.lines().filter_map(|line| match line.trim().split_once(" => ") {
        Some((name, "not found")) => Some(Err(name)),
        Some((_, found)) => found.split(' ').next().filter(|path| path.starts_with('/')).map(Ok),
        // The loader stands for itself, and what the kernel brings is no file.
        None => line.trim().split(' ').next().filter(|path| path.starts_with('/')).map(Ok),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_are_those_of_this_machine_unless_they_are_named() {
        let place = tempfile::tempdir().unwrap();
        let (first, second) = (place.path().join("first"), place.path().join("second"));
        fs::create_dir(&first).unwrap();
        fs::create_dir(&second).unwrap();
        fs::create_dir(first.join("tcpdump")).unwrap();
        fs::write(second.join("tcpdump"), "").unwrap();
        let path = std::env::join_paths([&first, &second]).unwrap();
        let [ipmitool, tcpdump] = HELPERS;
        assert_eq!(tcpdump.find(&path), Some(second.join("tcpdump")), "a directory is no program");
        let check = |helper: &Helper, named: &str, expected: bool| {
            assert_eq!(helper.is_among(&[PathBuf::from("/bin/other"), named.into()]), expected, "{named}");
        };
        check(&tcpdump, "/opt/bin/tcpdump", true);
        check(&tcpdump, "neighbour", true);
        check(&tcpdump, "/tcpdump/other", false);
        check(&ipmitool, "/usr/bin/ipmitool", true);
        check(&ipmitool, "neighbour", false);
    }

    #[test]
    fn libraries_are_read_of_what_ldd_tells() {
        let told = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibpcap.so.0.8 => /lib/x86_64-linux-gnu/libpcap.so.0.8 (0x7f)\n\
                    \tlibodd.so => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
        let expected =
            [Ok("/lib/x86_64-linux-gnu/libpcap.so.0.8"), Err("libodd.so"), Ok("/lib64/ld-linux-x86-64.so.2")];
        assert_eq!(libraries(told).collect::<Vec<_>>(), expected);
    }
}
