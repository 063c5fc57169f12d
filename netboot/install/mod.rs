//! Answers for installers: preseed (Debian), autoinstall (Ubuntu) and kickstart (the Red Hat family), and the script that ends an
//! installation, all from one set of templates. They are for one node only, which has a token for them.

mod media;
mod medium;
mod password;

use std::path::{Path, PathBuf};

use minijinja::{Value, context};
use tables::schema::{self, Table};
use tables::{Node, Row, Select, Tables, lists};

use crate::http::encoded;
use crate::image::distribution;
use crate::image::packages::Packages;
use crate::script::{self, Around, Templates};
use crate::served::is_for_nodes;

use password::Password;

pub use media::{Media, directories};
pub use medium::Medium;

/// What the end of an installation is, whatever the installer.
const FINISH: &str = "finish.sh";

/// What every installed node needs to tell us how far it has come.
const NEEDED: &[&str] = &["openssh-server", "curl"];

/// The mirror of installations that name none.
const MIRROR: &str = "http://deb.debian.org/debian";

/// The program that installs a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installer {
    Preseed,
    Autoinstall,
    Kickstart,
}

/// Families whose `osvers` begins so.
const FAMILIES: &[(&str, Installer)] = &[
    ("debian", Installer::Preseed),
    ("ubuntu", Installer::Autoinstall),
    ("alma", Installer::Kickstart),
    ("centos", Installer::Kickstart),
    ("fedora", Installer::Kickstart),
    ("ol", Installer::Kickstart),
    ("rhel", Installer::Kickstart),
    ("rocky", Installer::Kickstart),
];

/// Why a node cannot be installed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Tables(#[from] tables::Error),
    #[error(transparent)]
    Script(#[from] script::Error),
    #[error("it has no image to be installed")]
    NoImage,
    #[error("image {image}: {why}")]
    Image { image: String, why: String },
    #[error(
        "nobody could log in: neither has table passwd a password of root (key system), nor are there ssh keys here"
    )]
    NoLogin,
}

impl Installer {
    pub fn of(osvers: &str) -> Option<Self> {
        FAMILIES.iter().find(|(name, _)| osvers.starts_with(name)).map(|(_, installer)| *installer)
    }

    /// The words by which installers are told where their answers are: a template of the kernel's command line.
    pub fn kcmdline(self) -> &'static str {
        match self {
            Self::Preseed => {
                "auto=true priority=critical url={{ again }}/install/{{ token }}/preseed.cfg hostname={{ name }}"
            }
            Self::Autoinstall => "ip=dhcp autoinstall ds=nocloud-net;s={{ again }}/install/{{ token }}/",
            Self::Kickstart => "ip=dhcp inst.text inst.ks={{ again }}/install/{{ token }}/kickstart.cfg",
        }
    }

    /// The files that it asks for, and the template of each.
    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Preseed => &[("preseed.cfg", "preseed.cfg")],
            Self::Autoinstall => {
                &[("user-data", "user-data"), ("meta-data", "meta-data"), ("vendor-data", "vendor-data")]
            }
            Self::Kickstart => &[("kickstart.cfg", "kickstart.cfg")],
        }
    }
}

/// All that an installation is made of.
#[derive(Debug)]
pub struct Answers {
    node: Node,
    image: String,
    pub installer: Installer,
    packages: Packages,
    /// In the words of the installer.
    partitioning: Option<String>,
    /// A template of the site's own in place of ours.
    template: Option<String>,
    pkgdir: Option<String>,
    /// Mirrors for what is installed later, where the nodes' own medium is no place for that.
    mirrors: Vec<String>,
    suite: &'static str,
    password: Option<Password>,
    keys: Vec<String>,
    timezone: String,
    domain: String,
}

impl Answers {
    /// What the tables say of a node; `keys` are public keys that open root's account.
    pub fn read(tables: &Tables, node: &Node, keys: &[String]) -> Result<Self, Error> {
        let row = |name: &str, key: &str| -> tables::Result<Option<Row>> {
            Ok(tables.rows(table(name), Select::Keys(&[key]))?.into_iter().find(|row| !row.is_disabled()))
        };
        let image = node.get("provmethod").ok_or(Error::NoImage)?;
        let wrong = |why: String| Error::Image { image: image.to_owned(), why };
        let osimage = row("osimage", image)?.ok_or(Error::NoImage)?;
        let linuximage = row("linuximage", image)?;
        let cell = |column: &str| linuximage.as_ref().and_then(|row| row.get(column)).unwrap_or_default();
        let osvers = osimage.get("osvers").unwrap_or_default();
        let installer =
            Installer::of(osvers).ok_or_else(|| wrong(format!("osvers is '{osvers}', which has no installer here")))?;
        let mut packages = Packages::default();
        for list in lists::words(cell("pkglist")).chain(lists::words(cell("otherpkglist"))) {
            packages.add(Path::new(list), &text_of).map_err(wrong)?;
        }
        for needed in NEEDED {
            if !packages.wanted.iter().any(|name| name == needed) {
                packages.wanted.push((*needed).to_owned());
            }
        }
        let mut places = lists::words(cell("pkgdir")).map(str::to_owned);
        let password = root(tables)?;
        if password.is_none() && keys.is_empty() {
            return Err(Error::NoLogin);
        }
        let site = |key: &str| tables.site(key).map(Option::unwrap_or_default);
        let timezone = site("timezone")?;
        Ok(Self {
            node: node.clone(),
            image: image.to_owned(),
            installer,
            packages,
            partitioning: partitioning(cell("partitionfile")).map_err(wrong)?,
            template: template(cell("template")).map_err(wrong)?,
            pkgdir: places.next(),
            mirrors: places.filter(|place| !place.starts_with('/')).collect(),
            suite: distribution::suite(osvers).unwrap_or_default(),
            password,
            keys: keys.iter().map(|key| key.trim().to_owned()).collect(),
            timezone: if timezone.is_empty() { "UTC".to_owned() } else { timezone },
            domain: site("domain")?,
        })
    }

    /// The same without the hash, for people to look at.
    #[must_use]
    pub fn without_password(self) -> Self {
        Self { password: self.password.map(|_| Password::Hidden), ..self }
    }

    /// The names of what an installer is given.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.installer.files().iter().map(|(name, _)| *name).chain([FINISH])
    }

    /// A file of that name; None for one that the installer is not given.
    pub fn write(
        &self,
        templates: &Templates,
        name: &str,
        around: &Around<'_>,
    ) -> Result<Option<String>, script::Error> {
        if name == FINISH {
            return templates.render(FINISH, self.values(around)).map(Some);
        }
        let Some((name, built_in)) = self.installer.files().iter().find(|(known, _)| *known == name) else {
            return Ok(None);
        };
        let first = self.installer.files()[0].0;
        match &self.template {
            Some(text) if *name == first => templates.render_text(name, text, self.values(around)).map(Some),
            _ => templates.render(built_in, self.values(around)).map(Some),
        }
    }

    /// Whether a file is asked for at the end of an installation, which may be hours after its begin.
    pub fn is_late(name: &str) -> bool {
        name == FINISH
    }

    fn values(&self, around: &Around<'_>) -> Value {
        let again = script::again(around);
        let token = around.token.unwrap_or_default();
        let mirror = self.mirror(around.server);
        let (host, directory) = split(&mirror);
        let name = self.node.name();
        context! {
            name,
            fqdn => if self.domain.is_empty() { name.to_owned() } else { format!("{name}.{}", self.domain) },
            domain => self.domain,
            mac => around.mac.to_string(),
            server => around.server,
            address => around.address,
            token,
            again,
            base => format!("{again}/install/{token}"),
            image => self.image,
            packages => self.packages.wanted,
            unwanted => self.packages.unwanted,
            partitioning => self.partitioning,
            mirror,
            mirror_host => host,
            mirror_directory => directory,
            is_own_mirror => self.has_own_mirror(),
            sources => self.sources(),
            suite => self.suite,
            password => self.password.as_ref().map(Password::hash),
            keys => self.keys,
            timezone => self.timezone,
            node => script::public(&self.node),
        }
    }

    /// Whether packages come from a medium that we serve, which nobody has signed.
    fn has_own_mirror(&self) -> bool {
        self.pkgdir.as_deref().is_some_and(|place| place.starts_with('/'))
    }

    /// What stands in place of that medium in sources.list of an installed node: the site's mirrors, else the distribution's.
    fn sources(&self) -> Vec<String> {
        let suite = self.suite;
        let [distribution, security, parts] = match self.installer {
            _ if !self.has_own_mirror() || suite.is_empty() => return Vec::new(),
            Installer::Preseed => [MIRROR, "http://security.debian.org/debian-security", "main"],
            Installer::Autoinstall => {
                ["http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu", "main universe"]
            }
            Installer::Kickstart => return Vec::new(),
        };
        let line = |mirror: &String| match mirror.starts_with("deb ") {
            true => mirror.clone(),
            false => format!("deb {} {suite} {parts}", mirror.trim_end_matches('/')),
        };
        match self.mirrors.is_empty() {
            false => self.mirrors.iter().map(line).collect(),
            true => vec![
                format!("deb {distribution} {suite} {parts}"),
                format!("deb {distribution} {suite}-updates {parts}"),
                format!("deb {security} {suite}-security {parts}"),
            ],
        }
    }

    /// Where packages come from, as the node sees it; empty for an installer that brings them.
    fn mirror(&self, server: &str) -> String {
        match (self.pkgdir.as_deref(), self.installer) {
            (Some(place), _) if place.starts_with('/') => format!("{server}/media/{}", encoded(&self.image)),
            (Some(place), _) => place.trim_end_matches('/').to_owned(),
            (None, Installer::Preseed) => MIRROR.to_owned(),
            (None, _) => String::new(),
        }
    }
}

/// Root's password, if it has one.
fn root(tables: &Tables) -> Result<Option<Password>, Error> {
    let rows = tables.rows(table("passwd"), Select::Where(&[("key", "system"), ("username", "root")]))?;
    Ok(rows.iter().find(|row| !row.is_disabled()).and_then(|row| row.get("password")).and_then(Password::read))
}

/// What lays out the disks, in the words of the installer.
fn partitioning(file: &str) -> Result<Option<String>, String> {
    match file {
        "" => Ok(None),
        file if file.starts_with('/') => text_of(Path::new(file)).map(|text| Some(text.trim_end().to_owned())),
        other => {
            Err(format!("partitionfile is '{other}': a whole path is understood, no script (s:) and no disk (d:)"))
        }
    }
}

fn template(file: &str) -> Result<Option<String>, String> {
    if file.is_empty() {
        return Ok(None);
    }
    let text = text_of(Path::new(file))?;
    if ["#INCLUDE:", "#TABLE:", "#XCATVAR:", "#ENV:", "#COMMAND:"].iter().any(|mark| text.contains(mark)) {
        return Err(format!("{file} is a template in xCAT's own form; without attribute template ours is used"));
    }
    Ok(Some(text))
}

/// Host and directory of an address of http.
fn split(mirror: &str) -> (&str, String) {
    let rest = mirror.split_once("://").map_or(mirror, |(_, rest)| rest);
    let (host, directory) = rest.split_once('/').unwrap_or((rest, ""));
    (host, format!("/{directory}"))
}

fn text_of(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The directories with the packages of an image, for the installers of nodes.
pub fn package_directories(home: &Path, linuximage: Option<&Row>) -> Vec<PathBuf> {
    named(linuximage).filter(|place| is_for_nodes(home, place)).collect()
}

/// Those that its definition names, whether they are for nodes or not.
pub(crate) fn named(linuximage: Option<&Row>) -> impl Iterator<Item = PathBuf> {
    let cell = linuximage.and_then(|row| row.get("pkgdir")).unwrap_or_default();
    lists::words(cell).filter(|place| place.starts_with('/')).map(PathBuf::from)
}

fn table(name: &str) -> &'static Table {
    schema::find(name).expect("the tables of images are in the schema")
}

#[cfg(test)]
mod tests;
