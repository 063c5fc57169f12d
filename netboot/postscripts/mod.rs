//! The scripts that run on a node once it is installed or booted, with the environment that xCAT gives them (its `mypostscript`).
//!
//! A node gets one archive: `mypostscript`, which holds the environment and calls the scripts, and the site's directory of
//! scripts beside it. It is the same whether `updatenode` sends it or a node that boots fetches it.

mod bundle;
mod variables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tables::schema::{self, Table};
use tables::{Node, Row, Select, Tables, lists};

pub use bundle::Files;

/// Those of xCAT that `updatenode` does itself, and that would ask xCAT's own daemon.
const OURS: &[&str] = &["syncfiles", "ospkgs", "otherpkgs"];

/// What runs on one node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Postscripts {
    variables: BTreeMap<String, String>,
    /// Once it is installed, and at each boot without a disk.
    pub post: Vec<Script>,
    /// When the installed system has started, and after the others at each boot without a disk.
    pub postboot: Vec<Script>,
}

/// A script of the site's directory with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    pub name: String,
    pub arguments: Vec<String>,
}

/// Why they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    Boot,
    /// An admin's command, on a node that is up.
    Update,
}

/// Why a node's scripts cannot be told or sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Tables(#[from] tables::Error),
    #[error("'{0}' is no name of a script: it is a file of the directory of postscripts")]
    Name(String),
    #[error("script '{name}' is not in {}", directory.display())]
    Absent { name: String, directory: PathBuf },
    #[error("cannot read {}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} holds more than {} MiB, which every node would be sent", directory.display(), bundle::MOST >> 20)]
    TooMuch { directory: PathBuf },
}

/// The site's directory of scripts.
pub fn directory(tables: &Tables) -> tables::Result<PathBuf> {
    let installdir = tables.site("installdir")?;
    Ok(Path::new(installdir.as_deref().unwrap_or("/install")).join("postscripts"))
}

impl Script {
    /// A word of a list such as `confignics --ib 2`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut words = text.split_whitespace().map(str::to_owned);
        let name = words.next().unwrap_or_default();
        let is_plain = |part: &str| !part.is_empty() && !part.starts_with(['.', '-']);
        if !name.split('/').all(is_plain) || name.contains(char::is_control) {
            return Err(Error::Name(name));
        }
        Ok(Self { name, arguments: words.collect() })
    }

    /// A list by comma, without those that `updatenode` does itself.
    pub fn list(text: &str) -> Result<Vec<Self>, Error> {
        let scripts: Vec<Self> = lists::words(text).map(Self::parse).collect::<Result<_, _>>()?;
        Ok(scripts.into_iter().filter(|script| !script.is_ours()).collect())
    }

    /// Whether there is nothing to run: what it does is done in another way.
    pub fn is_ours(&self) -> bool {
        OURS.contains(&self.name.as_str())
    }
}

impl Postscripts {
    /// All of a node: what is for every node, of its image, and its own, each once. `master` is our address as it sees us.
    pub fn of(tables: &Tables, node: &Node, master: &str, occasion: Occasion) -> Result<Self, Error> {
        let row = |name: &str, key: &str| -> tables::Result<Option<Row>> {
            Ok(tables.rows(table(name), Select::Keys(&[key]))?.into_iter().find(|row| !row.is_disabled()))
        };
        let image = node.get("provmethod").map(|image| row("osimage", image)).transpose()?.flatten();
        let linuximage = node.get("provmethod").map(|image| row("linuximage", image)).transpose()?.flatten();
        let defaults = row("postscripts", "xcatdefaults")?;
        let list = |column: &str| {
            let cell = |row: &Option<Row>| row.as_ref().and_then(|row| row.get(column)).unwrap_or_default().to_owned();
            let first = lists::appended(&cell(&defaults), &cell(&image), ',');
            Script::list(&lists::appended(&first, node.get(column).unwrap_or_default(), ','))
        };
        let site = tables.rows(table("site"), Select::All)?;
        let known = variables::Known { node, master, occasion, site: &site, image: image.as_ref(), linuximage };
        Ok(Self { variables: known.variables(), post: list("postscripts")?, postboot: list("postbootscripts")? })
    }

    /// The same environment for other scripts.
    #[must_use]
    pub fn with(self, scripts: Vec<Script>) -> Self {
        Self { post: scripts, postboot: Vec::new(), ..self }
    }

    pub fn scripts(&self) -> impl Iterator<Item = &Script> {
        self.post.iter().chain(&self.postboot)
    }

    pub fn is_empty(&self) -> bool {
        self.post.is_empty() && self.postboot.is_empty()
    }

    /// The program that runs them, in the directory where they are; its argument `post` or `postboot` chooses a part.
    pub fn program(&self) -> String {
        let exports: String =
            self.variables.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value))).collect();
        let call = |script: &Script| {
            let words = std::iter::once(&script.name).chain(&script.arguments);
            format!("run_ps {}\n", words.map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
        };
        let calls = |scripts: &[Script]| scripts.iter().map(call).collect::<String>();
        include_str!("mypostscript.sh")
            .replace("@exports@\n", &exports)
            .replace("@post@\n", &calls(&self.post))
            .replace("@postboot@\n", &calls(&self.postboot))
    }
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn table(name: &str) -> &'static Table {
    schema::find(name).expect("the tables of nodes and images are in the schema")
}

#[cfg(test)]
mod tests;
