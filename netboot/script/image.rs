//! What a node loads of an image, by the files that its directories have: pure but for the question which are there.

use std::fs;
use std::path::{Path, PathBuf};

use tables::Row;

use super::Method;
use crate::http::encoded;
use crate::image::published::{FILES as PUBLISHED, SUMS};
use crate::install::{self, Installer, Media};
use crate::served::{is_for_nodes, withheld};

/// Names that kernels have, and what xCAT's genimage and packimage call the rest.
const KERNELS: &[&str] = &["kernel", "vmlinuz"];
const STATELESS: &[&str] = &["initrd-stateless.gz", "initrd.gz", "initrd.img", "initrd"];
const ROOTS: &[&str] =
    &["rootimg.sfs", "rootimg.cpio.gz", "rootimg.cpio.xz", "rootimg.tar.gz", "rootimg.tar.xz", "rootimg.gz"];

/// The cells of table bootparams for nodes with an image. Paths are those of our server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loads {
    pub kernel: String,
    pub initrd: String,
    /// A template.
    pub kcmdline: String,
}

/// Why nodes cannot boot an image, after "image X".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("has no files yet")]
    Unpacked,
    #[error("lacks {what} in {}", places(directories))]
    Lacks { what: &'static str, directories: Vec<PathBuf> },
    #[error("has provmethod={0}, which is not served: netboot and install are")]
    Method(String),
    #[error("has osvers '{0}', which has no installer here")]
    NoInstaller(String),
    #[error("is an image of a registry, for containers")]
    Container,
    #[error(
        "has files in {}, which is not served: xcrane's own are there, and of its home only images, roots and install are for \
         nodes",
        .0.display()
    )]
    Withheld(PathBuf),
    #[error("means boot target '{0}', which table boottarget does not have")]
    NoTarget(String),
}

impl Unfit {
    /// The reason behind files that lack: they may be where none is given out.
    fn for_want_of(self, home: &Path, linuximage: Option<&Row>) -> Self {
        let withheld = withheld(home, named(linuximage).chain(install::named(linuximage)));
        match (self, withheld) {
            (Self::Unpacked | Self::Lacks { .. }, Some(directory)) => Self::Withheld(directory),
            (unfit, _) => unfit,
        }
    }
}

fn places(directories: &[PathBuf]) -> String {
    directories.iter().map(|directory| directory.display().to_string()).collect::<Vec<_>>().join(" and ")
}

/// Where files of an image are: published below a home, else where table linuximage says. What leads out of the directory
/// of images is no name of one.
pub fn directories(home: &Path, image: &str, linuximage: Option<&Row>) -> Vec<PathBuf> {
    let is_plain = !image.is_empty() && !image.starts_with('.');
    let published = is_plain.then(|| home.join("images").join(image.replace('/', "_")));
    let own = published.into_iter().chain(named(linuximage)).filter(|directory| is_for_nodes(home, directory));
    own.chain(install::directories(home, linuximage)).collect()
}

/// Where the definition of an image says that its files are.
fn named(linuximage: Option<&Row>) -> impl Iterator<Item = PathBuf> {
    let columns = ["kerneldir", "rootimgdir"].into_iter();
    columns.filter_map(move |column| linuximage.and_then(|row| row.get(column)).map(PathBuf::from))
}

impl Loads {
    /// What nodes load of an image with these rows of osimage, linuximage and boottarget.
    pub fn of(home: &Path, osimage: &Row, linuximage: Option<&Row>, target: Option<&Row>) -> Result<Self, Unfit> {
        if osimage.get("imagetype") == Some("container") {
            return Err(Unfit::Container);
        }
        let method = osimage.get("provmethod").unwrap_or(Method::Netboot.word());
        let method = match Method::parse(method) {
            None | Some(Method::Statelite) => return Err(Unfit::Method(method.to_owned())),
            Some(method) => method,
        };
        let more = linuximage.and_then(|row| row.get("addkcmdline")).unwrap_or_default();
        let name = osimage.key()[0].to_owned();
        let mut loads = match (linuximage.and_then(|row| row.get("boottarget")), target) {
            (Some(wanted), None) => return Err(Unfit::NoTarget(wanted.to_owned())),
            (Some(_), Some(target)) => Self::target(target),
            (None, _) => {
                let found = match method == Method::Install {
                    true => Self::installer(home, osimage, linuximage),
                    false => Self::files(&name, directories(home, &name, linuximage)),
                };
                found.map_err(|unfit| unfit.for_want_of(home, linuximage))?
            }
        };
        loads.kcmdline = format!("{} {more}", loads.kcmdline).trim().to_owned();
        Ok(loads)
    }

    fn target(row: &Row) -> Self {
        // A cell that begins with a slash would be taken for an expression.
        let cell = |column| row.get(column).unwrap_or_default().trim_start_matches('/').to_owned();
        Self { kernel: cell("kernel"), initrd: cell("initrd"), kcmdline: cell("kcmdline") }
    }

    /// The distribution's installer, which is told where its answers are.
    fn installer(home: &Path, osimage: &Row, linuximage: Option<&Row>) -> Result<Self, Unfit> {
        let osvers = osimage.get("osvers").unwrap_or_default();
        let installer = Installer::of(osvers).ok_or_else(|| Unfit::NoInstaller(osvers.to_owned()))?;
        let image = osimage.key()[0];
        let media = Media::find(home, installer, linuximage)
            .map_err(|what| Unfit::Lacks { what, directories: directories(home, image, linuximage) })?;
        let image = encoded(image);
        let iso = media.iso.map(|name| format!(" url={{{{ server }}}}/media/{image}/{}", encoded(&name)));
        Ok(Self {
            kernel: format!("image/{image}/{}", media.kernel),
            initrd: format!("image/{image}/{}", media.initrd),
            kcmdline: format!("{}{}", installer.kcmdline(), iso.unwrap_or_default()),
        })
    }

    fn files(image: &str, directories: Vec<PathBuf>) -> Result<Self, Unfit> {
        let has = |name: &str| directories.iter().any(|directory| directory.join(name).is_file());
        let path = |name: &str| format!("image/{}/{name}", encoded(image));
        let [kernel, initrd, root] = PUBLISHED;
        if digest(&directories).is_some() && PUBLISHED.iter().all(|name| has(name)) {
            // The card is up by its kernel's name when udev comes, which cannot rename it any more, and networkd then waits for that for ever.
            let kcmdline =
                format!("xcrane.root={{{{ server }}}}/{} xcrane.sha256={{{{ digest }}}} net.ifnames=0", path(root));
            return Ok(Self { kernel: path(kernel), initrd: path(initrd), kcmdline });
        }
        if !directories.iter().any(|directory| directory.is_dir()) {
            return Err(Unfit::Unpacked);
        }
        let [kernel, initrd, root] = laid_out(&directories)?.map(path);
        let kcmdline = format!("imgurl={{{{ server }}}}/{root} XCAT={{{{ address }}}}:3001 NODE={{{{ name }}}}");
        Ok(Self { kernel, initrd, kcmdline })
    }
}

/// The names of kernel, RAM disk and root in these directories, as xCAT's genimage and packimage leave them.
fn laid_out(directories: &[PathBuf]) -> Result<[&'static str; 3], Unfit> {
    let has = |name: &&str| directories.iter().any(|directory| directory.join(name).is_file());
    let first = |names: &[&'static str], what| {
        let found = names.iter().copied().find(has);
        found.ok_or_else(|| Unfit::Lacks { what, directories: directories.to_vec() })
    };
    let kernel = first(KERNELS, "a kernel")?;
    let initrd = first(STATELESS, "an initial RAM disk")?;
    Ok([kernel, initrd, first(ROOTS, "a root file system")?])
}

/// The files of an image that xCAT has laid out; None unless all are there.
pub fn files_of_xcat(home: &Path, image: &str, linuximage: Option<&Row>) -> Option<[PathBuf; 3]> {
    let directories = directories(home, image, linuximage);
    let names = laid_out(&directories).ok()?;
    let place = |name| directories.iter().map(|directory| directory.join(name)).find(|path| path.is_file());
    let [kernel, initrd, root] = names.map(place);
    Some([kernel?, initrd?, root?])
}

/// The SHA-256 of the root file system that is published in one of these directories, as sha256sum writes it.
pub fn digest(directories: &[PathBuf]) -> Option<String> {
    let sums = directories.iter().find_map(|directory| fs::read_to_string(directory.join(SUMS)).ok())?;
    let of_root = sums.lines().filter_map(|line| line.split_once("  ")).find(|(_, name)| *name == PUBLISHED[2]);
    of_root.map(|(digest, _)| digest.to_owned()).filter(|digest| digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use tables::schema;

    use super::*;

    fn row(table: &'static str, cells: &[(&str, &str)]) -> Row {
        let table = schema::find(table).unwrap();
        let cell =
            |column: &schema::Column| cells.iter().find(|(name, _)| *name == column.name).map_or("", |cell| cell.1);
        Row::new(table, table.columns.iter().map(cell))
    }

    #[test]
    fn what_is_there_decides() {
        let home = tempfile::tempdir().unwrap();
        let place = tempfile::tempdir().unwrap();
        let old = place.path().join("old");
        let linux = row(
            "linuximage",
            &[("imagename", "a/b"), ("rootimgdir", &old.to_string_lossy()), ("addkcmdline", "panic=9")],
        );
        let image = row("osimage", &[("imagename", "a/b"), ("provmethod", "netboot")]);
        let loads = || Loads::of(home.path(), &image, Some(&linux), None).map_err(|unfit| unfit.to_string());
        let put = |directory: &Path, names: &[&str]| {
            fs::create_dir_all(directory).unwrap();
            names.iter().for_each(|name| fs::write(directory.join(name), "x").unwrap());
        };
        assert_eq!(loads(), Err("has no files yet".into()));
        put(&old, &["vmlinuz", "rootimg.cpio.gz"]);
        let published = home.path().join("images/a_b");
        assert_eq!(loads(), Err(format!("lacks an initial RAM disk in {} and {}", published.display(), old.display())));
        assert_eq!(files_of_xcat(home.path(), "a/b", Some(&linux)), None);
        put(&old, &["initrd-stateless.gz"]);
        let files = ["vmlinuz", "initrd-stateless.gz", "rootimg.cpio.gz"].map(|name| old.join(name));
        assert_eq!(files_of_xcat(home.path(), "a/b", Some(&linux)), Some(files));
        let expected = Loads {
            kernel: "image/a%2Fb/vmlinuz".into(),
            initrd: "image/a%2Fb/initrd-stateless.gz".into(),
            kcmdline: "imgurl={{ server }}/image/a%2Fb/rootimg.cpio.gz XCAT={{ address }}:3001 NODE={{ name }} panic=9"
                .into(),
        };
        assert_eq!(loads(), Ok(expected));
        put(&published, &PUBLISHED);
        fs::write(published.join(SUMS), "aa  kernel\ncc0  root.sqfs\n").unwrap();
        let kcmdline =
            "xcrane.root={{ server }}/image/a%2Fb/root.sqfs xcrane.sha256={{ digest }} net.ifnames=0 panic=9";
        assert_eq!(loads().map(|loads| loads.kcmdline), Ok(kcmdline.into()));
        assert_eq!(digest(&directories(home.path(), "a/b", None)).as_deref(), Some("cc0"));
        for name in ["", ".", "..", "../images"] {
            assert!(directories(home.path(), name, None).is_empty(), "{name}");
        }
    }

    #[test]
    fn files_of_the_home_are_no_image_s() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("kernel"), "x").unwrap();
        let own = home.path().to_string_lossy();
        for column in ["kerneldir", "rootimgdir", "pkgdir"] {
            for (provmethod, osvers) in [("netboot", "debian12"), ("install", "rocky9")] {
                let linux = row("linuximage", &[("imagename", "a"), (column, &own)]);
                let image = row("osimage", &[("imagename", "a"), ("provmethod", provmethod), ("osvers", osvers)]);
                let published = home.path().join("images/a");
                assert_eq!(directories(home.path(), "a", Some(&linux)), [published], "{column}");
                assert!(install::package_directories(home.path(), Some(&linux)).is_empty());
                let unfit = Loads::of(home.path(), &image, Some(&linux), None);
                assert_eq!(unfit, Err(Unfit::Withheld(home.path().to_owned())), "{column} {provmethod}");
            }
        }
    }

    #[test]
    fn what_cannot_be_served_says_why() {
        let check = |image: &[(&str, &str)], linux: &[(&str, &str)], target: Option<&Row>, expected: &str| {
            let (image, linux) = (row("osimage", image), row("linuximage", linux));
            let loads = Loads::of(Path::new("/nonexistent"), &image, Some(&linux), target);
            assert_eq!(loads.map_or_else(|unfit| unfit.to_string(), |loads| loads.kernel), expected);
        };
        check(&[("imagetype", "container")], &[], None, "is an image of a registry, for containers");
        let statelite = "has provmethod=statelite, which is not served: netboot and install are";
        check(&[("provmethod", "statelite")], &[], None, statelite);
        check(
            &[("provmethod", "install"), ("osvers", "aix7")],
            &[],
            None,
            "has osvers 'aix7', which has no installer here",
        );
        check(&[], &[("boottarget", "t")], None, "means boot target 't', which table boottarget does not have");
        let target = row("boottarget", &[("bprofile", "t"), ("kernel", "/memtest")]);
        check(&[], &[("boottarget", "t")], Some(&target), "memtest");
    }
}
