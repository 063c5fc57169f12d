//! `imgimport`: a container image becomes the root of a diskless image.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use netboot::image::lint::{Finding, View, lint};
use plugins::Reference;
use plugins::archive::Unpacked;
use tables::{Row, schema::Table};

use super::inside::Inside;
use super::place::Place;
use super::root::{kernels, need_root};
use super::{Image, table};
use crate::config;
use crate::context::Context;
use crate::failure::Failure;
use crate::images::archives::{self, Fetched};
use crate::images::hosts::image;

/// Where a container image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whence {
    File(PathBuf),
    Registry(Reference),
}

impl Whence {
    /// What stands behind `docker://`: a file begins with '/' or '.'.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        if text.starts_with(['/', '.']) { Ok(Self::File(text.into())) } else { image(text).map(Self::Registry) }
    }

    /// What its image is called here unless that is said.
    pub(crate) fn name(&self) -> String {
        let (name, tag) = match self {
            Self::File(file) => {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                (name.split(".tar").next().unwrap_or_default().to_owned(), None)
            }
            Self::Registry(image) => {
                let name = image.repository().rsplit('/').next().unwrap_or_default();
                (name.to_owned(), image.tag().filter(|tag| *tag != "latest"))
            }
        };
        tag.map(|tag| format!("{name}-{tag}")).unwrap_or(name)
    }
}

/// What is to be done about what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Findings {
    /// Told, and nothing is made.
    Tell,
    /// Nothing is made where there are any.
    Refuse,
    Mend,
    /// Made as it is.
    Leave,
}

/// What has come of it.
pub(crate) struct Imported {
    pub(crate) unpacked: Unpacked,
    /// What was found, and what is left of that.
    pub(crate) found: Vec<Finding>,
    pub(crate) left: Vec<Finding>,
    pub(crate) kernels: Vec<String>,
    pub(crate) is_made: bool,
}

impl Image {
    /// The definition that is there; else one for an image of which no more is known than its name.
    pub(crate) fn read_or_new(cx: &Context, name: &str) -> Result<Self, Failure> {
        let known = cx.tables()?.rows(table("osimage"), tables::Select::Where(&[("imagename", name)]))?;
        if !known.is_empty() {
            return Self::read(cx, name);
        }
        let osimage = row(table("osimage"), &[("imagename", name), ("imagetype", "linux"), ("provmethod", "netboot")]);
        Self::of_rows(cx, name, osimage, row(table("linuximage"), &[("imagename", name)]))
    }

    /// Makes the root of a container image.
    pub(crate) async fn import(
        mut self,
        cx: &Context,
        whence: &Whence,
        kernel_of: Option<&str>,
        findings: Findings,
        reason: Option<String>,
    ) -> Result<Imported, Failure> {
        need_root()?;
        let donor = kernel_of.map(|name| Self::read(cx, name)).transpose()?;
        let _directory = Directory(self.directory.clone());
        let place = Place::take(&self.root())?;
        // A foreign root has programs that run as root: nobody else of this machine is to reach them.
        let failed = |error: io::Error| Failure::refused(format!("cannot write {}: {error}", self.directory.display()));
        fs::set_permissions(&self.directory, Permissions::from_mode(0o700)).map_err(failed)?;
        let aside = place.aside().to_owned();
        let (unpacked, told) = match whence {
            Whence::File(file) => (self.unpack(cx, file, &aside).await?, format!("container image {}", file.display())),
            Whence::Registry(image) => {
                let file = self.fetch(cx, image).await?;
                let unpacked = self.unpack(cx, &file.0, &aside).await?;
                (unpacked, format!("container image {image}"))
            }
        };
        self.tell("look", 3, STEPS);
        let inside = look_into(&aside)?;
        if let Some(donor) = &donor {
            self.take_kernel(cx, donor, &aside).await?;
        }
        self.learn(&inside);
        let found = lint(&inside);
        let mut left = found.clone();
        if findings == Findings::Mend && !found.is_empty() {
            self.tell("mend", 4, STEPS);
            self.mend(cx, &aside, &found).await?;
            left = lint(&look_into(&aside)?);
            if let Some(fatal) = left.iter().find(|finding| finding.is_fatal) {
                let why = format!("image {}: nothing is made, for this is left: {}", self.name, fatal.text);
                return Err(Failure::refused(why).hint(fatal.fix.words()));
            }
        }
        self.tell_end();
        let is_made = match findings {
            Findings::Tell => false,
            Findings::Refuse => left.is_empty(),
            Findings::Mend | Findings::Leave => true,
        };
        let kernels = kernels(&aside);
        if is_made {
            place.exchange()?;
            self.define(cx, &told, reason)?;
        }
        Ok(Imported { unpacked, found, left, kernels, is_made })
    }

    async fn unpack(&self, cx: &Context, file: &Path, to: &Path) -> Result<Unpacked, Failure> {
        self.tell("unpack", 2, STEPS);
        Ok(archives::unpack(cx, file, to).await?.0)
    }

    /// The image of a registry as a file, which goes again.
    async fn fetch(&self, cx: &Context, image: &Reference) -> Result<Fetched, Failure> {
        self.tell("fetch", 1, STEPS);
        archives::fetch(cx, image, self.directory.join(".container.tar")).await
    }

    /// What the root says of itself fills in what the definition does not say.
    fn learn(&mut self, inside: &Inside) {
        let release = inside.text("/etc/os-release").unwrap_or_default();
        let value = |name: &str| {
            let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value.map(|value| value.trim_matches('"')).filter(|value| is_word(value)).unwrap_or_default().to_owned()
        };
        let known = [
            ("osvers", format!("{}{}", value("ID"), value("VERSION_ID"))),
            ("osarch", std::env::consts::ARCH.to_owned()),
            ("osname", "Linux".to_owned()),
        ];
        let cells: Vec<(&str, String)> = table("osimage")
            .columns
            .iter()
            .map(|column| {
                let own = self.osimage.get(column.name).map(str::to_owned);
                let known = || known.iter().find(|(name, _)| *name == column.name).map(|(_, value)| value.clone());
                (column.name, own.or_else(known).unwrap_or_default())
            })
            .collect();
        let cells: Vec<(&str, &str)> = cells.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.osimage = row(table("osimage"), &cells);
    }

    fn define(&self, cx: &Context, whence: &str, reason: Option<String>) -> Result<(), Failure> {
        let mut cells: Vec<(&str, &str)> = ["imagetype", "provmethod", "osvers", "osarch", "osname"]
            .iter()
            .filter_map(|name| Some((*name, self.osimage.get(name)?)))
            .collect();
        cells.push(("description", self.osimage.get("description").unwrap_or(whence)));
        Ok(cx.tables()?.edit(&cx.origin(reason), |edit| {
            edit.set(table("osimage"), &[&self.name], &cells)?;
            edit.set(table("linuximage"), &[&self.name], &[("disable", "")]).map(drop)
        })?)
    }
}

const STEPS: usize = 4;

/// Where an image is made; it goes again where nothing came of that.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).ok(); // with anything in it, it stays
    }
}

/// What of a foreign file is taken into a definition.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '.' || letter == '-')
}

fn look_into(root: &Path) -> Result<Inside, Failure> {
    Inside::open(root).map_err(|error| Failure::refused(format!("cannot read {}: {error}", root.display())))
}

pub(super) fn row(table: &'static Table, cells: &[(&str, &str)]) -> Row {
    let of = |name: &str| cells.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value);
    Row::new(table, table.columns.iter().map(|column| of(column.name)))
}

/// Where a site keeps what came with bundles.
pub(super) fn carried(name: &str) -> Result<PathBuf, Failure> {
    Ok(config::home()?.join("imported").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_names() {
        for (text, expected) in [
            ("10.0.0.1:5000/apps/solver:2.0", "solver-2.0"),
            ("10.0.0.1:5000/apps/solver:latest", "solver"),
            ("/srv/solver.tar.gz", "solver"),
            ("./layout", "layout"),
        ] {
            let whence = Whence::parse(text).map_err(|failure| failure.message).unwrap();
            assert_eq!(
                (whence.name().as_str(), matches!(whence, Whence::File(_))),
                (expected, text.starts_with(['/', '.']))
            );
        }
    }
}
