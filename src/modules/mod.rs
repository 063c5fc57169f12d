//! Modules: what is set up on a cluster in parts that depend on each other. A module is a directory with `module.toml`.

pub(crate) mod add;
mod applied;
pub(crate) mod apply;
pub(crate) mod audit;
mod book;
pub(crate) mod builtin;
pub(crate) mod chain;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod contract;
pub(crate) mod image;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod kept;
mod lacking;
pub(crate) mod leavers;
pub(crate) mod manifest;
mod merge;
pub(crate) mod optional;
pub(crate) mod order;
mod outdated;
mod page;
pub(crate) mod plan;
mod program;
pub(crate) mod refusal;
pub(crate) mod requirements;
pub(crate) mod run;
pub(crate) mod schema;
mod secrets;
pub(crate) mod selector;
mod shared;
pub(crate) mod site;
pub(crate) mod state;
mod telling;
pub(crate) mod turn;
pub(crate) mod unreadable;
mod version;
pub(crate) mod words;
pub(crate) mod yaml;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use manifest::Manifest;

use crate::failure::Failure;

/// The target of a method that runs once and not for each node; no node is called so.
pub(crate) const WHOLE: &str = "";

/// The file of a module's directory that says from which container image it was added.
pub(crate) const WHENCE: &str = ".image";

/// A module that can be used.
#[derive(Debug, Clone)]
pub(crate) struct Module {
    /// Nothing for one that is built in.
    pub(crate) directory: PathBuf,
    pub(crate) manifest: Manifest,
}

impl Module {
    /// Whether it has no directory, and is part of this program.
    pub(crate) fn is_builtin(&self) -> bool {
        self.directory.as_os_str().is_empty()
    }

    /// The module of a directory.
    pub(crate) fn in_directory(directory: &Path) -> Result<Self, Failure> {
        let file = directory.join(manifest::FILE);
        let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        match read(&file) {
            Ok(Some(manifest)) => Ok(Self { directory: absolute, manifest }),
            Ok(None) => Err(Failure::refused(format!("there is no {}", file.display()))),
            Err(why) => Err(Failure::refused(format!("{}: {why}", file.display()))),
        }
    }
}

/// The modules of a site, by name, and what looks like one and is none.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    pub(crate) all: BTreeMap<String, Module>,
    /// Each names its file.
    pub(crate) problems: Vec<String>,
}

impl Modules {
    /// Reads every module below the directories. A directory that is not there has none; of two modules of one name the
    /// one in the earlier directory counts.
    pub(crate) fn find(directories: &[PathBuf]) -> Self {
        let mut modules = Self::default();
        for directory in directories {
            if directory.join(manifest::FILE).exists() {
                let directory = directory.display();
                modules
                    .problems
                    .push(format!("{directory} has a {} itself, and is for directories that do", manifest::FILE));
            }
            match subdirectories(directory) {
                Ok(places) => places.into_iter().for_each(|place| modules.take(place)),
                Err(error) => modules.problems.push(format!("cannot read {}: {error}", directory.display())),
            }
        }
        modules
    }

    fn take(&mut self, directory: PathBuf) {
        let file = directory.join(manifest::FILE);
        match read(&file) {
            Ok(None) => {}
            Ok(Some(manifest)) => match self.all.get(manifest.name()) {
                Some(other) => {
                    let other = other.directory.display();
                    self.problems.push(format!(
                        "{}: module {} is in {other} too, which counts",
                        file.display(),
                        manifest.name()
                    ));
                }
                None => drop(self.all.insert(manifest.name().to_owned(), Module { directory, manifest })),
            },
            Err(why) => self.problems.push(format!("{}: {why}", file.display())),
        }
    }

    /// Adds those that are built in; of one name the site's own counts.
    pub(crate) fn with_builtin(mut self) -> Self {
        for manifest in builtin::manifests() {
            let module = || Module { directory: PathBuf::new(), manifest: manifest.clone() };
            self.all.entry(manifest.name().to_owned()).or_insert_with(module);
        }
        self
    }

    /// All of them, as the order knows them.
    pub(crate) fn parts(&self) -> Vec<order::Part<'_>> {
        let parts = self.all.values().map(|Module { manifest, .. }| order::Part {
            name: manifest.name(),
            labels: &manifest.labels,
            strong: &manifest.requires.strong,
        });
        parts.collect()
    }
}

fn subdirectories(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut places = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    // What an import has not finished stands aside under such a name.
    places.retain(|place| place.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b".")));
    places.sort();
    Ok(places)
}

/// What the file says; `None` if there is no such file.
pub(crate) fn read(file: &Path) -> Result<Option<Manifest>, String> {
    page::read(file)?.map(|text| Manifest::read(&text)).transpose()
}
