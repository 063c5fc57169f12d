//! What we have put on a host, in a file of its own there: what is not in it is somebody else's.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where it stands on the host.
pub(super) const PATH: &str = "/etc/xcrane/dockerhost.json";

/// Our part of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Our keys of daemon.json, with what we set them to.
    #[serde(default)]
    pub(super) daemon: Map<String, Value>,
    #[serde(default)]
    pub(super) files: Vec<String>,
    #[serde(default)]
    pub(super) packages: Vec<String>,
    /// A daemon.json was there before us.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) found: bool,
}

impl Record {
    /// Reads it; one that was spoilt by hand counts as none.
    pub(super) fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("plain data");
        format!("{text}\n")
    }

    /// The files that a newer record does not have any more.
    pub(super) fn files_without(&self, newer: &Self) -> Vec<String> {
        self.files.iter().filter(|path| !newer.files.contains(path)).cloned().collect()
    }

    pub(super) fn packages_with(&self, new: &[String]) -> Vec<String> {
        let more = new.iter().filter(|name| !self.packages.contains(name));
        self.packages.iter().chain(more).cloned().collect()
    }
}
