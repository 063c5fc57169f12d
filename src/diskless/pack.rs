//! `packimage`: what nodes fetch. The same root gives the same bytes: files in order of their names, no time that is later than that of
//! its packages, nothing that was made by chance (see `netboot::image::leave_out`).

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::UNIX_EPOCH;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use netboot::image::initramfs::{Loaded, initramfs, is_static};
use netboot::image::leave_out::LeaveOut;
use netboot::image::modules::{self, Module, Packed};
use netboot::image::published::{self, FILES, Published, SUMS};
use plugins::hex;
use sha2::{Digest, Sha256};

use super::place::{Place, refuse_mounts};
use super::program::{self, Program, missing};
use super::root::kernels;
use super::{Image, images, table};
use crate::context::Context;
use crate::failure::Failure;
use crate::images::objects::now;

const STEPS: usize = 3;
/// Bytes of a module, unpacked: the largest of a distribution have a tenth of it, and whoever packed one may have packed anything.
const LARGEST: u64 = if cfg!(test) { 1 << 20 } else { 256 << 20 };

/// A method of squashfs and its level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Method {
    name: &'static str,
    level: Option<u8>,
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, level) = text.split_once(':').map_or((text, None), |(name, level)| (name, Some(level)));
        let (name, most) = match name {
            "zstd" => ("zstd", 22),
            "gzip" => ("gzip", 9),
            "xz" => ("xz", 0),
            "lz4" => ("lz4", 0),
            _ => return Err("it is one of zstd, gzip, xz, lz4".into()),
        };
        let level = match level.map(str::parse::<u8>) {
            None => None,
            Some(Ok(level)) if (1..=most).contains(&level) => Some(level),
            Some(_) if most == 0 => return Err(format!("{name} has no levels")),
            Some(_) => return Err(format!("{name} has the levels 1 to {most}")),
        };
        Ok(Self { name, level })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name)?;
        self.level.map_or(Ok(()), |level| write!(out, ":{level}"))
    }
}

/// What was packed.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) release: String,
    /// Of [`FILES`], in hexadecimal.
    pub(crate) digests: [String; 3],
    pub(crate) sizes: [u64; 3],
    /// It was so before.
    pub(crate) is_same: bool,
}

impl Image {
    /// Packs the root that is there, and puts it in the place of what nodes got before.
    pub(crate) async fn pack(&self, cx: &Context, method: &Method, reason: Option<String>) -> Result<Made, Failure> {
        let (root, leave_out) = (self.root(), self.leave_out()?);
        if !root.join("usr").is_dir() {
            return Err(Failure::refused(format!("image {}: there is no root in {}", self.name, root.display()))
                .hint(format!("make it with: genimage {}", self.name)));
        }
        refuse_mounts(&root)?;
        let release = self.release(&root)?;
        let target = published::directory(&images()?, &self.name);
        let before = Published::open(&images()?, &self.name).ok().flatten();
        let place = Place::take(&target)?;
        let dir = place.aside();
        self.tell("kernel and initial RAM disk", 1, STEPS);
        let failed = |error: io::Error| Failure::refused(format!("cannot pack image {}: {error}", self.name));
        fs::create_dir(dir).map_err(failed)?;
        fs::copy(within(&root, &kernel(&root, &release)?)?, dir.join(FILES[0])).map_err(failed)?;
        let loaded = self.modules(cx, &root, &release).await?;
        fs::write(dir.join(FILES[1]), packed(&initramfs(&busybox(&root)?, &loaded)).map_err(failed)?)
            .map_err(failed)?;
        self.tell("root", 2, STEPS);
        squash(cx, &root, &leave_out, dir, method).await?;
        self.tell("digests", 3, STEPS);
        let (mut digests, mut sizes) = <([String; 3], [u64; 3])>::default();
        for (index, file) in FILES.iter().enumerate() {
            (digests[index], sizes[index]) = digest(dir.join(file)).await.map_err(failed)?;
        }
        fs::write(dir.join(SUMS), published::sums(&digests)).map_err(failed)?;
        place.exchange()?;
        self.tell_end();
        let is_same = before.is_some_and(|before| before.digests == digests);
        let made = Made { release, digests, sizes, is_same };
        self.record(cx, &made, reason)?;
        Ok(made)
    }

    /// The kernel that is wanted, or the only one.
    fn release(&self, root: &Path) -> Result<String, Failure> {
        let kernels = kernels(root);
        let refused = |why: String| Failure::refused(format!("image {}: {why}", self.name));
        match (self.cell("kernelver"), kernels.as_slice()) {
            (Some(wanted), kernels) if kernels.iter().any(|kernel| kernel == wanted) => Ok(wanted.to_owned()),
            (Some(wanted), _) => Err(refused(format!("kernelver is {wanted}, and its root has {}", list(&kernels)))),
            (None, [kernel]) => Ok(kernel.clone()),
            (None, []) => Err(refused("its root has no kernel".into()).hint("add linux-image-amd64 to its pkglist")),
            (None, _) => Err(refused(format!("its root has several kernels: {}", list(&kernels)))
                .hint(format!("choose one: chdef -t osimage {} kernelver=VERSION", self.name))),
        }
    }

    /// What the initial RAM disk loads, in order. Drivers that the definition names must be there, of ours those that are.
    async fn modules(&self, cx: &Context, root: &Path, release: &str) -> Result<Vec<Loaded>, Failure> {
        let drivers = self.words("netdrivers");
        let all = |names: &[&str], must: bool| names.iter().map(|name| ((*name).to_owned(), must)).collect::<Vec<_>>();
        let mut wanted = all(modules::BUSES, false);
        match drivers.is_empty() {
            true => wanted.extend(all(modules::NETWORKS, false)),
            // xCAT's lists have the ends of file names.
            false => wanted.extend(drivers.iter().map(|driver| (driver.trim_end_matches(".ko").to_owned(), true))),
        }
        wanted.extend(all(modules::ROOT, true));
        let loaded = load(cx, root, release, wanted).await;
        loaded.map_err(|failure| Failure { message: format!("image {}: {}", self.name, failure.message), ..failure })
    }

    fn record(&self, cx: &Context, made: &Made, reason: Option<String>) -> Result<(), Failure> {
        let (size, packed, who) = (made.sizes[2].to_string(), now(), cx.who());
        let [kernel, initrd, root] = &made.digests;
        let cells = [
            ("release", made.release.as_str()),
            ("kerneldigest", kernel),
            ("initrddigest", initrd),
            ("rootdigest", root),
            ("rootsize", &size),
            ("packed", &packed),
            ("packedby", &who),
        ];
        let origin = cx.origin(reason);
        Ok(cx.tables()?.edit(&origin, |edit| edit.set(table("disklessimage"), &[&self.name], &cells).map(drop))?)
    }
}

/// Refuses a file whose path leads out of the root, by a link or otherwise: nodes would be given what is this machine's.
fn within(root: &Path, path: &Path) -> Result<PathBuf, Failure> {
    let failed = |error: io::Error| Failure::refused(format!("cannot read {}: {error}", path.display()));
    let (real, top) = (fs::canonicalize(path).map_err(failed)?, fs::canonicalize(root).map_err(failed)?);
    match real.starts_with(&top) {
        true => Ok(real),
        false => Err(Failure::refused(format!("{} leads out of the root, to {}", path.display(), real.display()))),
    }
}

/// Modules of a root's kernel with all that they need, in the order in which they are to be loaded. Those that must be there fail where
/// they are not.
pub(super) async fn load(
    cx: &Context,
    root: &Path,
    release: &str,
    wanted: Vec<(String, bool)>,
) -> Result<Vec<Loaded>, Failure> {
    let mut said = String::new();
    for (name, must) in wanted {
        match program::run(cx, modprobe(root, release, &name)).await {
            Ok(output) => said.push_str(&String::from_utf8_lossy(&output)),
            Err(failure)
                if must || !failure.hints.is_empty() || failure.outcome == crate::outcome::Outcome::Interrupted =>
            {
                return Err(failure);
            }
            Err(_) => (),
        }
    }
    let mut loaded = Vec::new();
    for module in modules::in_order(&said) {
        within(root, Path::new(&module.path))?;
        loaded.push(Loaded { content: content(cx, &module).await?, module });
    }
    Ok(loaded)
}

pub(super) fn list(kernels: &[String]) -> String {
    if kernels.is_empty() { "none".to_owned() } else { kernels.join(", ") }
}

pub(super) fn kernel(root: &Path, release: &str) -> Result<PathBuf, Failure> {
    let places = [root.join(format!("boot/vmlinuz-{release}")), root.join(format!("lib/modules/{release}/vmlinuz"))];
    let found = places.iter().find(|place| place.is_file()).cloned();
    found.ok_or_else(|| Failure::refused(format!("there is no {}", places[0].display())))
}

/// Of this machine's own settings for modules none is the image's.
fn modprobe(root: &Path, release: &str, name: &str) -> Program {
    let own = root.join("etc/modprobe.d");
    let settings = if own.is_dir() { own } else { PathBuf::from("/dev/null") };
    Program::new("modprobe", "kmod")
        .args(["--dirname".as_ref(), root.as_os_str(), "--set-version".as_ref(), release.as_ref()])
        .args(["--config".as_ref(), settings.as_os_str(), "--show-depends".as_ref(), name.as_ref()])
}

/// A module's file, unpacked: what loads it there need not know how.
async fn content(cx: &Context, module: &Module) -> Result<Vec<u8>, Failure> {
    let unpack = |program, package| {
        let unpacks = Program::new(program, package).args(["-dc", &module.path]);
        let bounds = Program::new("head", "coreutils").args(["-c", &(LARGEST + 1).to_string()]);
        program::piped(cx, [unpacks, bounds])
    };
    let failed = |error: io::Error| Failure::refused(format!("cannot read {}: {error}", module.path));
    let open = || File::open(&module.path).map_err(failed);
    let content = match module.packed() {
        Packed::Xz => unpack("xz", "xz-utils").await?,
        Packed::Zstd => unpack("zstd", "zstd").await?,
        Packed::Not => start(open()?).map_err(failed)?,
        Packed::Gzip => start(GzDecoder::new(open()?)).map_err(failed)?,
    };
    fit(module, content)
}

fn fit(module: &Module, content: Vec<u8>) -> Result<Vec<u8>, Failure> {
    match content.len() as u64 > LARGEST {
        true => Err(Failure::refused(format!("{} is no module: it has more than {LARGEST} bytes", module.path))),
        false => Ok(content),
    }
}

/// As much of it as a module may have, and a byte more if there is one.
fn start(file: impl Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// That of the root if it has one: then the image is made of its packages alone.
pub(super) fn busybox(root: &Path) -> Result<Vec<u8>, Failure> {
    let places =
        [root.join("bin/busybox"), root.join("usr/bin/busybox"), "/bin/busybox".into(), "/usr/bin/busybox".into()];
    let mut found = places.iter().filter_map(|place| fs::read(place).ok());
    found.find(|program| is_static(program)).ok_or_else(|| missing("static busybox", "busybox-static"))
}

/// The time in gzip's head is none, so that the same content is the same bytes.
pub(super) fn packed(archive: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(archive)?;
    encoder.finish()
}

/// Names in order → tar → mksquashfs, which sees nothing but the tar.
async fn squash(cx: &Context, root: &Path, leave_out: &LeaveOut, dir: &Path, method: &Method) -> Result<(), Failure> {
    let names = dir.join("names");
    let failed = |error: io::Error| Failure::refused(format!("cannot pack {}: {error}", root.display()));
    let mut list = Vec::new();
    walk(root, "./", leave_out, &mut list).map_err(failed)?;
    fs::write(&names, list).map_err(failed)?;
    let epoch = epoch(root);
    let tar = Program::new("tar", "tar")
        .args(["--create", "--format=pax", "--pax-option=delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f"])
        .args(["--numeric-owner", "--xattrs", "--xattrs-include=*", "--clamp-mtime", &format!("--mtime=@{epoch}")])
        .args(["--directory".as_ref(), root.as_os_str(), "--no-recursion".as_ref(), "--null".as_ref()])
        .args(["--verbatim-files-from".as_ref(), "--files-from".as_ref(), names.as_os_str()]);
    let out = dir.join(FILES[2]);
    let mut squashfs = Program::new("mksquashfs", "squashfs-tools")
        .args(["-".as_ref(), out.as_os_str(), "-tar".as_ref()])
        .args(["-noappend", "-no-progress", "-quiet", "-comp", method.name])
        .env("SOURCE_DATE_EPOCH", epoch.to_string());
    if let Some(level) = method.level {
        squashfs = squashfs.args(["-Xcompression-level", &level.to_string()]);
    }
    program::piped(cx, [tar, squashfs]).await?;
    fs::remove_file(&names).map_err(failed)
}

/// Paths below a directory as tar wants them, in order. What is left out may have something in it that is not.
fn walk(root: &Path, path: &str, leave_out: &LeaveOut, list: &mut Vec<u8>) -> io::Result<()> {
    let mut entries = fs::read_dir(root.join(path))?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let Some(text) = name.to_str() else {
            let why = format!("{path}{} is not UTF-8", name.to_string_lossy());
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        };
        let below = format!("{path}{text}");
        if !leave_out.has(&below) {
            list.extend_from_slice(below.as_bytes());
            list.push(0);
        }
        if entry.file_type()?.is_dir() {
            walk(root, &format!("{below}/"), leave_out, list)?;
        }
    }
    Ok(())
}

/// No file of the image is later than this: the time of its youngest package, which its changelog has.
fn epoch(root: &Path) -> u64 {
    if let Some(epoch) = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|epoch| epoch.parse().ok()) {
        return epoch;
    }
    let packages = fs::read_dir(root.join("usr/share/doc")).into_iter().flatten().flatten();
    let of_package = |entry: fs::DirEntry| {
        let files = fs::read_dir(entry.path()).into_iter().flatten().flatten();
        let of_file = |file: fs::DirEntry| {
            let is_dated = file.file_name().as_bytes().starts_with(b"changelog");
            let modified = file.metadata().ok().filter(|_| is_dated)?.modified().ok()?;
            modified.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
        };
        files.filter_map(of_file).max()
    };
    packages.filter_map(of_package).max().unwrap_or(0)
}

async fn digest(path: PathBuf) -> io::Result<(String, u64)> {
    let work = move || {
        let mut hasher = Sha256::new();
        let size = io::copy(&mut File::open(path)?, &mut hasher)?;
        Ok((hex(&hasher.finalize()), size))
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_levels() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let parsed = text.parse::<Method>().map(|method| method.to_string());
            assert_eq!(parsed.as_deref().map_err(String::as_str), expected, "{text}");
        };
        check("zstd", Ok("zstd"));
        check("zstd:19", Ok("zstd:19"));
        check("zstd:23", Err("zstd has the levels 1 to 22"));
        check("gzip:0", Err("gzip has the levels 1 to 9"));
        check("xz:3", Err("xz has no levels"));
        check("zip", Err("it is one of zstd, gzip, xz, lz4"));
    }

    #[test]
    fn what_unpacks_to_more_than_a_module_is_refused() {
        let module = Module { path: "/r/e1000.ko.gz".to_owned(), options: String::new() };
        let read = |length: u64| {
            let packed = packed(&vec![0; usize::try_from(length).unwrap()]).unwrap();
            let read = fit(&module, start(GzDecoder::new(packed.as_slice())).unwrap());
            read.map(|content| content.len() as u64).map_err(|failure| failure.message)
        };
        assert_eq!(read(LARGEST), Ok(LARGEST));
        assert_eq!(read(LARGEST * 9), Err("/r/e1000.ko.gz is no module: it has more than 1048576 bytes".to_owned()));
    }

    #[test]
    fn names_are_in_order_without_what_is_left_out() {
        let root = tempfile::tempdir().unwrap();
        for dir in ["usr/share/man/de", "usr/bin", "etc/ssh"] {
            fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        for file in ["usr/bin/b", "usr/bin/a", "usr/share/man/de/x", "usr/share/man/y", "etc/ssh/ssh_host_rsa_key"] {
            fs::write(root.path().join(file), "").unwrap();
        }
        let mut list = Vec::new();
        walk(root.path(), "./", &LeaveOut::parse("./usr/share/man/*\n+./usr/share/man/de*"), &mut list).unwrap();
        let text = String::from_utf8(list).unwrap();
        let names: Vec<&str> = text.trim_end_matches('\0').split('\0').collect();
        let expected = [
            "etc",
            "etc/ssh",
            "usr",
            "usr/bin",
            "usr/bin/a",
            "usr/bin/b",
            "usr/share",
            "usr/share/man",
            "usr/share/man/de",
            "usr/share/man/de/x",
        ];
        assert_eq!(names, expected.map(|name| format!("./{name}")));
    }
}
