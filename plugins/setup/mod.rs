//! Setting up a host: what must be true of it as data, a pure plan, and one runner that carries the plan out.
//!
//! Reading order: the [`Thing`]s below, `observe` (what is), `plan` (what is to be done), `step` (how that is told to
//! people), `carry_out` and `packages` (how it is done). A kind of host is a list of things and nothing else touches it.

mod carry_out;
mod guard;
mod local_packages;
mod observe;
mod packages;
mod plan;
mod step;
mod text;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Secret;

pub use carry_out::carry_out;
pub use local_packages::packages_from;
pub use observe::{FileState, Observed, PackageState, UnitState, observe};
pub use packages::refuse_needed;
pub use plan::plan;
pub use step::{Install, Step};
pub use text::Text;

/// One thing that must be true of a host; the order of a list is the order in which it is made so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// Installed; `docker.io|docker-ce` is whichever of the two is there, else the first that the host's source offers.
    Packages(Vec<String>),
    /// Not installed.
    NoPackages(Vec<String>),
    File(File),
    /// A file that must not be there; directories that this leaves empty go with it.
    NoFile(String),
    /// The same for a file whose text is in no diff and no observation.
    NoSecret(String),
    Unit(Unit),
    Fact(Fact),
    Risk(Risk),
}

/// A file; its parent directories are made. One that is there keeps its owner, and one that an admin's link leads to is
/// changed where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub path: String,
    pub text: Text,
    pub mode: u32,
}

impl File {
    /// One that everybody may read.
    pub fn public(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: Text::Public(text.into()), mode: 0o644 }
    }

    /// One whose text nobody may see, here or there.
    pub fn secret(path: impl Into<String>, text: impl Into<String>, mode: u32) -> Self {
        Self { path: path.into(), text: Text::Secret(Secret::new(text)), mode }
    }
}

/// A unit of systemd. One that is named several times follows all that any of them follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub name: String,
    pub enabled: bool,
    pub active: bool,
    /// Paths of [`Thing::File`] and those that must not be there: when one of them changes while the unit runs, it is
    /// restarted or reloaded.
    pub follows: Vec<String>,
    pub follow_by: Follow,
}

/// How a unit takes notice of a changed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Follow {
    Restart,
    Reload,
}

/// Anything else: true when the program `check` exits 0, made so by the program `make`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// A clause that says what is true, such as `bridge br-lab exists`; it is the fact's name in a plan.
    pub what: String,
    pub check: Vec<String>,
    pub make: Vec<String>,
}

impl Fact {
    /// A fact whose programs are scripts of sh, with the same arguments.
    pub fn shell(what: impl Into<String>, check: &str, make: &str, arguments: &[&str]) -> Self {
        let program =
            |script: &str| ["sh", "-c", script, "sh"].iter().chain(arguments).map(|word| (*word).to_owned()).collect();
        Self { what: what.into(), check: program(check), make: program(make) }
    }
}

/// A fact whose making may cut the host off. The host undoes it by itself, unless a new login finds that all is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    /// A word for it that no other risk of the host has; a file is named so.
    pub name: String,
    pub fact: Fact,
    pub undo: Vec<String>,
}

/// How a host's packages are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Apt,
    Dnf,
}

/// Where packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// What the host's own package manager is told to use.
    Host,
    /// A directory of this machine: what is missing is copied over. Needs no network on the host.
    Directory(PathBuf),
}

#[cfg(test)]
mod tests;
