//! Diskless images: a definition → a root from packages (genimage: apt, stages, dnf) or of a container image (imgimport: import, mend)
//! → kernel, initial RAM disk and root for nodes (packimage) → a trial (imgtest). Both as one file: bundle.

pub(crate) mod apt;
pub(crate) mod bundle;
mod callbacks;
mod dnf;
pub(crate) mod import;
pub(crate) mod inside;
pub(crate) mod maintenance;
mod mend;
pub(crate) mod pack;
pub(crate) mod place;
pub(crate) mod program;
pub(crate) mod removal;
pub(crate) mod root;
mod stages;
pub(crate) mod trial;

use std::fs;
use std::path::{Path, PathBuf};

use netboot::image::distribution::{self, Layout};
use netboot::image::leave_out::LeaveOut;
use netboot::image::packages::Packages;
use plugins::{Event, Progress};
use tables::schema::{self, Table};
use tables::{Row, Select, lists};

use crate::config;
use crate::context::Context;
use crate::failure::Failure;

/// A diskless image as it is defined.
pub(crate) struct Image {
    pub(crate) name: String,
    /// The directory with the root, `rootimg`.
    directory: PathBuf,
    osimage: Row,
    linuximage: Row,
    progress: Progress,
}

impl Image {
    /// The definition of that name, if diskless nodes boot such.
    pub(crate) fn read(cx: &Context, name: &str) -> Result<Self, Failure> {
        let row = |table: &'static Table| -> Result<Option<Row>, Failure> {
            let rows = cx.tables()?.rows(table, Select::Where(&[("imagename", name)]))?;
            Ok(rows.into_iter().find(|row| !row.is_disabled()))
        };
        let Some(osimage) = row(table("osimage"))? else {
            return Err(Failure::refused(format!("no image is named '{name}'"))
                .hint(format!("define it: mkdef -t osimage {name} imagetype=linux provmethod=netboot osvers=debian12 osarch=x86_64 pkglist=FILE")));
        };
        let cell = |column: &str| osimage.get(column).unwrap_or_default();
        if cell("imagetype") != "linux" || cell("provmethod") != "netboot" {
            return Err(Failure::refused(format!("image {name} is not one that diskless nodes boot"))
                .hint(format!("those have: chdef -t osimage {name} imagetype=linux provmethod=netboot")));
        }
        let linuximage = row(table("linuximage"))?.unwrap_or_else(|| Row::new::<&str>(table("linuximage"), []));
        Self::of_rows(cx, name, osimage, linuximage)
    }

    fn of_rows(cx: &Context, name: &str, osimage: Row, linuximage: Row) -> Result<Self, Failure> {
        if name.is_empty() || name.starts_with('.') || name.contains('/') {
            return Err(Failure::refused(format!(
                "image {name}: a diskless image is a directory, so no name with '/' or '.' in front"
            )));
        }
        let directory = match linuximage.get("rootimgdir") {
            Some(directory) => absolute(name, "rootimgdir", directory)?,
            None => config::home()?.join("roots").join(name),
        };
        Ok(Self { name: name.to_owned(), directory, osimage, linuximage, progress: cx.progress() })
    }

    /// Where the root is, as xCAT has it.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.join("rootimg")
    }

    fn cell(&self, column: &str) -> Option<&str> {
        self.linuximage.get(column).filter(|value| !value.is_empty())
    }

    fn words(&self, column: &str) -> Vec<String> {
        self.cell(column).map(|cell| lists::words(cell).map(str::to_owned).collect()).unwrap_or_default()
    }

    fn files(&self, column: &str) -> Result<Vec<PathBuf>, Failure> {
        self.words(column).iter().map(|file| absolute(&self.name, column, file)).collect()
    }

    fn osvers(&self) -> &str {
        self.osimage.get("osvers").unwrap_or_default()
    }

    /// The suite and the architecture as apt names them. Another machine's programs do not run here.
    fn system(&self) -> Result<(&'static str, &'static str), Failure> {
        let refused = |why: String| Failure::refused(format!("image {}: {why}", self.name));
        let osvers = self.osvers();
        let suite = distribution::suite(osvers).ok_or_else(|| {
            refused(format!(
                "osvers is '{osvers}'; known are {}, and rocky, alma, rhels, centos with a release",
                distribution::known()
            ))
        })?;
        let osarch = self.osimage.get("osarch").unwrap_or(std::env::consts::ARCH);
        let architecture = distribution::architecture(osarch)
            .ok_or_else(|| refused(format!("osarch is '{osarch}'; known are x86_64, aarch64, ppc64le")))?;
        if distribution::architecture(std::env::consts::ARCH) != Some(architecture) {
            return Err(refused(format!("it is for {osarch}, and this machine is {}", std::env::consts::ARCH)));
        }
        Ok((suite, architecture))
    }

    /// What its lists of packages ask for.
    fn packages(&self) -> Result<Packages, Failure> {
        let refused = |why: String| Failure::refused(format!("image {}: {why}", self.name));
        let mut packages = Packages::default();
        for file in self.files("pkglist")?.into_iter().chain(self.files("otherpkglist")?) {
            packages.add(&file, &read).map_err(refused)?;
        }
        if packages.wanted.is_empty() {
            return Err(refused("it has no packages".into())
                .hint(format!("list them in a file, systemd-sysv, udev and linux-image-amd64 among them: chdef -t osimage {} pkglist=FILE", self.name)));
        }
        packages.complete();
        Ok(packages)
    }

    /// Lines for apt; none means the distribution's own mirror.
    fn sources(&self, suite: &str) -> Result<Vec<String>, Failure> {
        let places = self.words("pkgdir").into_iter().chain(self.words("otherpkgdir"));
        let line = |place: String| distribution::source(&place, suite, layout);
        places
            .map(line)
            .collect::<Result<_, _>>()
            .map_err(|why| Failure::refused(format!("image {}: {why}", self.name)))
    }

    fn leave_out(&self) -> Result<LeaveOut, Failure> {
        let mut text = String::new();
        for file in self.files("exlist")? {
            text.push_str(&read(&file).map_err(|why| Failure::refused(format!("image {}: {why}", self.name)))?);
            text.push('\n');
        }
        Ok(LeaveOut::parse(&text))
    }

    /// Tells which step of how many begins.
    fn tell(&self, what: &str, number: usize, total: usize) {
        let (host, what) = (self.name.clone(), what.to_owned());
        self.progress.tell(Event::Step { host, what, number, total });
    }

    fn tell_end(&self) {
        self.progress.tell(Event::Done { host: self.name.clone(), what: String::new() });
    }
}

/// Packages that make an image.
pub(crate) struct Needed {
    pub(crate) osvers: String,
    pub(crate) names: Vec<String>,
    /// Lines for apt; none means the distribution's own mirror.
    pub(crate) sources: Vec<String>,
}

impl Image {
    /// What genimage would install, unless the image was packed and needs none of it any more.
    pub(crate) fn needed(&self) -> Result<Option<Needed>, Failure> {
        if images()?.join(&self.name).is_dir() {
            return Ok(None);
        }
        let (suite, _) = self.system()?;
        let (names, sources) = (self.packages()?.wanted, self.sources(suite)?);
        Ok(Some(Needed { osvers: self.osvers().to_owned(), names, sources }))
    }
}

/// Where packed images are.
pub(crate) fn images() -> Result<PathBuf, Failure> {
    Ok(config::home()?.join("images"))
}

pub(crate) fn table(name: &str) -> &'static Table {
    schema::find(name).expect("the tables of images are in the schema")
}

fn absolute(name: &str, column: &str, path: &str) -> Result<PathBuf, Failure> {
    match path.starts_with('/') {
        true => Ok(path.into()),
        false => Err(Failure::refused(format!("image {name}: {column} has '{path}', which does not begin with '/'"))),
    }
}

/// The text of a file that an image names.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// How a directory of packages is laid out, if it is one.
pub(crate) fn layout(place: &str) -> Option<Layout> {
    let dir = Path::new(place);
    let has = |names: &[&str]| names.iter().any(|name| dir.join(name).exists());
    match () {
        () if !dir.is_absolute() => None,
        () if has(&["dists"]) => Some(Layout::Pool),
        () if has(&["Packages", "Packages.gz", "Packages.xz"]) => Some(Layout::Flat),
        () => None,
    }
}
