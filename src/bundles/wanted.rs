//! What is to be in a bundle: what somebody has chosen, and what that requires.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use netboot::image::distribution;
use plugins::{Digest, Reference};
use tables::Select;

use super::images::tag;
use super::list::{File, is_word};
use crate::context::Context;
use crate::diskless::{self, Image};
use crate::failure::Failure;
use crate::images::hosts::image;
use crate::images::objects::TYPE;
use crate::modules::Module;
use crate::modules::site::Site;

/// What somebody has chosen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    pub(crate) modules: Vec<String>,
    pub(crate) images: Vec<String>,
    pub(crate) osimages: Vec<String>,
    /// `OS=NAME,…`
    pub(crate) packages: Vec<String>,
    /// `OS=PLACE`
    pub(crate) sources: Vec<String>,
    /// Archives with images that no registry of ours has.
    pub(crate) archives: Vec<PathBuf>,
    /// Whose engine has images that no registry of ours has.
    pub(crate) host: Option<String>,
    pub(crate) recommends: bool,
    pub(crate) program: bool,
    pub(crate) tables: bool,
    pub(crate) passwords: bool,
}

/// All that comes of it.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// In the order in which they are applied.
    pub(crate) modules: Vec<Module>,
    /// By the name that people know, with the content that a module insists on.
    pub(crate) images: BTreeMap<Reference, Option<Digest>>,
    pub(crate) osimages: Vec<String>,
    /// By operating system.
    pub(crate) packages: BTreeMap<String, Packages>,
    pub(crate) files: BTreeSet<File>,
}

/// Packages of an operating system.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    pub(crate) names: BTreeSet<String>,
    /// Lines for apt; none means the distribution's own mirror.
    pub(crate) sources: BTreeSet<String>,
}

impl Wanted {
    /// Looks up what the chosen ones require; nothing is asked of anybody else.
    pub(crate) fn of(cx: &Context, choice: &Choice) -> Result<Self, Failure> {
        let mut wanted = Self::default();
        wanted.take_modules(cx, choice)?;
        for name in &choice.images {
            wanted.take_image(image(name)?, None)?;
        }
        for name in &choice.osimages {
            wanted.take_osimage(cx, name)?;
        }
        for text in &choice.packages {
            let (os, names) = parts(text, "packages are chosen as in debian12=etcd-server,curl")?;
            for name in names.split(',') {
                if !is_package(name) {
                    return Err(Failure::usage(format!("'{name}' is no name of a package")));
                }
                wanted.packages.entry(os.to_owned()).or_default().names.insert(name.to_owned());
            }
        }
        for text in &choice.sources {
            let (os, place) = parts(text, "a place of packages is given as in debian12=http://mirror/debian")?;
            let refused = |why: String| Failure::refused(format!("packages of {os}: {why}"));
            let suite = suite(os)?;
            let line = distribution::source(place, suite, diskless::layout).map_err(refused)?;
            if let Some(packages) = wanted.packages.get_mut(os) {
                packages.sources.insert(line);
            }
        }
        wanted.packages.keys().try_for_each(|os| suite(os).map(drop))?;
        Ok(wanted)
    }

    fn take_modules(&mut self, cx: &Context, choice: &Choice) -> Result<(), Failure> {
        if choice.modules.is_empty() {
            return Ok(());
        }
        let site = Site::read(cx)?;
        for module in site.whole(&choice.modules)? {
            let requirements = &module.manifest.requirements;
            for required in &requirements.images {
                self.take_image(required.reference.complete(), Some(required.digest.clone()))?;
            }
            if let Some(image) = module.image()? {
                // Elsewhere it is to be what it is here, whatever its tag means by then.
                let here = module.image_here()?;
                self.take_image(image, here.and_then(|here| here.digest().cloned()))?;
            }
            for (os, names) in &requirements.packages {
                self.packages.entry(os.clone()).or_default().names.extend(names.iter().cloned());
            }
            self.files.extend(requirements.files.iter().map(|file| File {
                module: module.manifest.name().to_owned(),
                path: file.path.display().to_string(),
                url: file.url.clone(),
                sha256: file.sha256.to_ascii_lowercase(),
            }));
            self.modules.push(module.clone());
        }
        Ok(())
    }

    fn take_image(&mut self, name: Reference, digest: Option<Digest>) -> Result<(), Failure> {
        let digest = digest.or_else(|| name.digest().cloned());
        let name = name.tagged(tag(&name)).map_err(Failure::refused)?;
        match self.images.get(&name) {
            Some(Some(known)) if digest.as_ref().is_some_and(|digest| digest != known) => {
                Err(Failure::refused(format!("{name} is wanted with two contents, {known} and another")))
            }
            Some(Some(_)) => Ok(()),
            Some(None) | None => {
                self.images.insert(name, digest);
                Ok(())
            }
        }
    }

    /// One of a registry, or one that diskless nodes boot: where that was never packed, the packages that make it.
    fn take_osimage(&mut self, cx: &Context, name: &str) -> Result<(), Failure> {
        let rows = cx.tables()?.rows(diskless::table("osimage"), Select::Where(&[("imagename", name)]))?;
        if rows.iter().any(|row| row.get("imagetype") == Some(TYPE)) {
            return self.take_image(image(name)?, None);
        }
        if !is_word(name) {
            return Err(Failure::refused(format!("image {name}: its name is none that a bundle can have")));
        }
        let read = Image::read(cx, name)?;
        if let Some(needed) = read.needed()? {
            let packages = self.packages.entry(needed.osvers).or_default();
            packages.names.extend(needed.names);
            packages.sources.extend(needed.sources);
        }
        self.osimages.push(name.to_owned());
        Ok(())
    }
}

fn parts<'a>(text: &'a str, example: &str) -> Result<(&'a str, &'a str), Failure> {
    let parts = text.split_once('=').filter(|(os, rest)| is_word(os) && !rest.is_empty());
    parts.ok_or_else(|| Failure::usage(format!("'{text}': {example}")))
}

/// As apt knows the operating system.
pub(super) fn suite(os: &str) -> Result<&'static str, Failure> {
    distribution::suite(os).ok_or_else(|| {
        Failure::refused(format!("packages of {os} cannot be gathered; those of {} can", distribution::known()))
    })
}

/// A word of apt's command line.
fn is_package(word: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '_' | ':' | '=' | '~');
    word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(is_fit)
}
