//! Backends that are executables: each in `plugins.d` is one, called by its name. What is said is that of modules: the method as the only
//! argument, one JSON object on standard input, lines of JSON on standard output. The page plugins/examples/README.md tells it.
//!
//! What it can is asked once, when a node is first found to be its. What it says is input from outside, and limited in time and bytes.

mod console;
mod guests;
mod mask;
mod power;
mod process;
mod words;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tables::Node;

use crate::{Backend, Console, Error, Event, Guests, Power, PowerAction, Progress, Result, Settings, trusted};
use mask::Mask;
use process::Heard;

/// One executable.
pub(crate) struct Executable {
    name: &'static str,
    path: PathBuf,
    /// Its own, for whatever it has to remember.
    directory: PathBuf,
    limit: Duration,
    metadata_limit: Duration,
    metadata: OnceLock<std::result::Result<Metadata, String>>,
    /// Where its warnings go.
    progress: Progress,
}

/// What an executable can do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    capabilities: Vec<Capability>,
    /// What `power` can be asked for beside `stat`.
    #[serde(default = "usual")]
    actions: Vec<PowerAction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Capability {
    Power,
    Console,
    Guests,
}

fn usual() -> Vec<PowerAction> {
    vec![PowerAction::On, PowerAction::Off]
}

/// The executables of these directories, without those whose names others have. Of two of one name the first counts.
pub(crate) fn all(settings: &Settings, taken: &[&'static str], progress: &Progress) -> Vec<Executable> {
    let mut found: Vec<Executable> = Vec::new();
    for directory in &settings.executables {
        for path in programs(directory) {
            let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| is_name(name)) else {
                continue;
            };
            if taken.contains(&name) || found.iter().any(|known| known.name == name) {
                continue;
            }
            found.push(Executable {
                // As long as the program itself, as the names of all other backends are.
                name: name.to_owned().leak(),
                directory: settings.executables_state.join(name),
                path,
                limit: settings.request_limit,
                metadata_limit: settings.connect_limit,
                metadata: OnceLock::new(),
                progress: progress.clone(),
            });
        }
    }
    found
}

/// The file that would be the backend of that name if it could be run.
pub(crate) fn unfit(settings: &Settings, name: &str) -> Option<PathBuf> {
    let files = settings.executables.iter().map(|directory| directory.join(name));
    files.filter(|_| is_name(name)).find(|path| path.is_file())
}

fn programs(directory: &Path) -> Vec<PathBuf> {
    // One that is not there, or not ours to read, has none.
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(std::result::Result::ok);
    let is_program = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let mut programs: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_program).collect();
    programs.sort();
    programs
}

/// A word of column `mgt`.
fn is_name(word: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    word.len() <= 32 && word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.chars().all(is_fit)
}

impl Executable {
    fn metadata(&self) -> Result<&Metadata> {
        let asked = self.metadata.get_or_init(|| self.ask_metadata().map_err(|error| crate::chain(&error)));
        asked.as_ref().map_err(|why| Error::Refused { what: format!("backend {}", self.name), why: why.clone() })
    }

    fn ask_metadata(&self) -> Result<Metadata> {
        self.prepare()?;
        let request = json!({ "contract": process::CONTRACT, "method": "metadata", "directory": self.directory });
        let Heard { warnings, ended } = process::ask_now(&self.path, "metadata", &request, self.metadata_limit);
        self.warn(self.name, warnings);
        serde_json::from_value(ended?).map_err(|error| self.garbled("metadata", &error.to_string()))
    }

    fn prepare(&self) -> Result<()> {
        let failed = |doing, path: &Path| {
            let path = path.display().to_string();
            move |source| Error::File { doing, path, source }
        };
        trusted(&self.path)?;
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.directory).map_err(failed("make", &self.directory))
    }

    /// Whether it says of itself that it can.
    fn can(&self, capability: Capability) -> bool {
        // Why it does not say is told when it is used.
        self.metadata().map_or(true, |metadata| metadata.capabilities.contains(&capability))
    }

    /// Asks one method about a node.
    async fn ask<T: DeserializeOwned>(&self, method: &str, node: &Node, more: Value) -> Result<T> {
        self.metadata()?;
        let request = self.request(method, node, more);
        let Heard { warnings, ended } = process::ask(&self.path, method, &request, self.limit).await;
        let mask = Mask::of(node);
        self.warn(node.name(), warnings.iter().map(|warning| mask.over(warning)));
        let value = ended.map_err(|error| mask.over_error(error))?;
        serde_json::from_value(value).map_err(|error| self.garbled(method, &mask.over(&error.to_string())))
    }

    fn warn(&self, whom: &str, warnings: impl IntoIterator<Item = String>) {
        for text in warnings {
            self.progress.tell(Event::Note { host: whom.to_owned(), text });
        }
    }

    fn request(&self, method: &str, node: &Node, more: Value) -> Value {
        let attributes: Map<String, Value> =
            node.attributes().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let mut request = json!({
            "contract": process::CONTRACT,
            "method": method,
            "directory": self.directory,
            "node": { "name": node.name(), "attributes": attributes },
        });
        if let (Some(request), Value::Object(more)) = (request.as_object_mut(), more) {
            request.extend(more);
        }
        request
    }

    fn garbled(&self, method: &str, why: &str) -> Error {
        let why = format!("its result is not that of the contract: {why}");
        Error::Garbled { what: format!("{method} of backend {}", self.name), why }
    }

    fn unable(&self, what: &str) -> Error {
        Error::Unsupported { what: what.into(), column: "mgt", driver: self.name.into() }
    }
}

impl Backend for Executable {
    fn name(&self) -> &'static str {
        self.name
    }

    fn power(&self) -> Option<&dyn Power> {
        self.can(Capability::Power).then_some(self)
    }

    fn console(&self) -> Option<&dyn Console> {
        self.can(Capability::Console).then_some(self)
    }

    fn guests(&self) -> Option<&dyn Guests> {
        self.can(Capability::Guests).then_some(self)
    }
}

#[cfg(test)]
mod tests;
