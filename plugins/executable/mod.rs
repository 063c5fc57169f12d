//! Backends that are executables: each in `plugins.d` is one, called by its name. What is said is that of modules: the method as the only
//! argument, one JSON object on standard input, lines of JSON on standard output. The page plugins/examples/README.md tells it.
//!
//! What it can is asked once, when a node is first found to be its. What it says is input from outside, and limited in time and bytes.

mod console;
mod guests;
mod power;
mod process;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tables::Node;

use crate::{Backend, Console, Error, Guests, Power, Result, Settings, trusted};

/// Attributes whose values are shown nowhere, whatever a program says.
const SECRETS: [&str; 4] = ["password", "passwd", "community", "key"];

/// One executable.
pub(crate) struct Executable {
    name: &'static str,
    path: PathBuf,
    /// Its own, for whatever it has to remember.
    directory: PathBuf,
    limit: Duration,
    metadata_limit: Duration,
    metadata: OnceLock<std::result::Result<Metadata, String>>,
}

/// What an executable can do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Metadata {
    capabilities: Vec<Capability>,
    /// What `power` can be asked for beside `stat`.
    #[serde(default = "usual")]
    actions: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Capability {
    Power,
    Console,
    Guests,
}

fn usual() -> Vec<String> {
    ["on", "off"].map(str::to_owned).to_vec()
}

/// The executables of these directories, without those whose names others have. Of two of one name the first counts.
pub(crate) fn all(settings: &Settings, taken: &[&'static str]) -> Vec<Executable> {
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
            });
        }
    }
    found
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
        let value = process::ask_now(&self.path, "metadata", &request, self.metadata_limit)?;
        serde_json::from_value(value).map_err(|error| self.garbled("metadata", &error.to_string()))
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
        let answer = process::ask(&self.path, method, &request, self.limit).await;
        let value = answer.map_err(|error| self.masked(node, error))?;
        serde_json::from_value(value).map_err(|error| self.garbled(method, &error.to_string()))
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

    /// The error without what nobody is to see.
    fn masked(&self, node: &Node, error: Error) -> Error {
        let secrets: Vec<&str> = node
            .attributes()
            .filter(|(name, value)| !value.is_empty() && SECRETS.iter().any(|secret| name.contains(secret)))
            .map(|(_, value)| value)
            .collect();
        let mask = |text: String| secrets.iter().fold(text, |text, secret| text.replace(secret, "***"));
        match error {
            Error::Refused { what, why } => Error::Refused { what, why: mask(why) },
            Error::Garbled { what, why } => Error::Garbled { what, why: mask(why) },
            other => other,
        }
    }

    fn garbled(&self, method: &str, why: &str) -> Error {
        Error::Garbled { what: format!("{method} of backend {}", self.name), why: why.to_owned() }
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
mod tests {
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;
    use crate::{PowerAction, PowerState};

    /// An executable that says `script` to whatever it is asked but for `metadata`.
    fn executable(place: &Path, script: &str) -> Executable {
        let path = place.join("lamp");
        let metadata = r#"{"result":{"capabilities":["power"],"actions":["on"]}}"#;
        let text =
            format!("#!/bin/sh\nread -r request\ncase $1 in\nmetadata) echo '{metadata}' ;;\n*) {script} ;;\nesac\n");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&path).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        Executable {
            name: "lamp",
            path,
            directory: place.join("state"),
            limit: Duration::from_secs(2),
            metadata_limit: Duration::from_secs(20),
            metadata: OnceLock::new(),
        }
    }

    fn asked(script: &str) -> std::result::Result<(PowerState, String), String> {
        let place = tempfile::tempdir().unwrap();
        let lamp = executable(place.path(), script);
        let node = Node::new("n1", Default::default(), None).with(&[("bmcpassword", "sesame")]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let reading = runtime.block_on(Power::state(&lamp, &node)).map_err(|error| crate::chain(&error));
        reading.map(|reading| (reading.state, reading.word))
    }

    #[test]
    fn what_it_says_is_taken_if_it_makes_sense() {
        let check = |script: &str, expected: &str| {
            let why = asked(script).expect_err(script);
            assert!(why.contains(expected), "{why}");
            assert!(!why.contains("sesame"), "{why}");
        };
        let said = r#"echo; echo '{"progress":"a"}'; echo '{"result":{"state":"on","word":"glows"}}'"#;
        assert_eq!(asked(said), Ok((PowerState::On, "glows".into())));
        check("echo hello", "which is no message of the contract");
        check("echo '{\"error\":\"no sesame here\"}'", "no *** here");
        check("echo 'sesame seeds' >&2; exit 3", "it ended with 3 and without a result\n*** seeds");
        check("echo '{\"result\":{\"state\":\"blue\"}}'", "unknown variant `blue`");
        check("echo '{\"result\":1}'; echo '{\"result\":1}'", "more than one result");
        check("echo '{\"result\":{\"state\":\"on\"}}'; exit 1", "it said a result and ended with 1");
        check("sleep 60 & wait", "no answer after 2 s");
        check("yes", "which is no message");
    }

    #[test]
    fn what_it_cannot_is_refused_before_it_is_asked() {
        let place = tempfile::tempdir().unwrap();
        let lamp = executable(place.path(), "exit 1");
        let node = Node::new("n1", Default::default(), None);
        assert!(lamp.console().is_none() && lamp.guests().is_none());
        let lamp_power = lamp.power().unwrap();
        assert!(lamp_power.check(&node, PowerAction::On).is_ok());
        let why = lamp_power.check(&node, PowerAction::Reset).unwrap_err().to_string();
        assert_eq!(why, "reset is not supported when using mgt=lamp");
        fs::set_permissions(&lamp.path, fs::Permissions::from_mode(0o777)).unwrap();
        let open = Executable { metadata: OnceLock::new(), ..lamp };
        assert!(
            open.power()
                .unwrap()
                .check(&node, PowerAction::On)
                .unwrap_err()
                .to_string()
                .contains("everybody may write")
        );
    }
}
