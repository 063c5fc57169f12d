//! What a site has: the pieces that need not be sent to it again. Its own record of that is `$XCRANE_HOME/bundles/have.json`, which
//! every import writes and `xcrane bundle export --have` reads; an earlier bundle says the same.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::archive::Opened;
use super::list::LONGEST;
use super::replace;
use crate::failure::Failure;

const FORMAT: u32 = 1;

/// For whoever gives us a file of another kind.
const WHAT: &str = "it takes the site's $XCRANE_HOME/bundles/have.json, which every import writes there, or a bundle that it has imported";

/// Pieces by their digests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Held {
    format: u32,
    pieces: BTreeMap<String, Piece>,
}

/// How large a piece is, and where a registry has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Piece {
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
}

impl Default for Held {
    fn default() -> Self {
        Self { format: FORMAT, pieces: BTreeMap::new() }
    }
}

impl Held {
    /// What this home has.
    pub(crate) fn of(home: &Path) -> Result<Self, Failure> {
        match fs::read(file(home)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            text => Self::parse(&text.map_err(|error| refused(&file(home), &error.to_string()))?, &file(home)),
        }
    }

    /// What a file says that some site has: its record, or a bundle that it was given.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| refused(path, &error.to_string());
        let mut text = Vec::new();
        fs::File::open(path).map_err(cannot)?.take(LONGEST).read_to_end(&mut text).map_err(cannot)?;
        if text.first() == Some(&b'{') {
            return Self::parse(&text, path).map_err(|failure| failure.hint(WHAT));
        }
        let mut held = Self::default();
        let foreign = |failure: Failure| failure.hint(WHAT);
        for member in Opened::begin(path).map_err(foreign)?.list.members.iter().filter(|member| member.may_be_had()) {
            held.add(&member.sha256, member.size, None);
        }
        Ok(held)
    }

    fn parse(text: &[u8], path: &Path) -> Result<Self, Failure> {
        let held: Self = serde_json::from_slice(text).map_err(|error| refused(path, &error.to_string()))?;
        match held.format {
            FORMAT => Ok(held),
            other => Err(refused(path, &format!("it has format {other}, and known is {FORMAT}"))),
        }
    }

    pub(crate) fn has(&self, sha256: &str) -> bool {
        self.pieces.contains_key(sha256)
    }

    pub(crate) fn size(&self, sha256: &str) -> Option<u64> {
        self.pieces.get(sha256).map(|piece| piece.size)
    }

    /// The repository of our registry that had it when it was last given something.
    pub(crate) fn repository(&self, sha256: &str) -> Option<&str> {
        self.pieces.get(sha256)?.repository.as_deref()
    }

    pub(crate) fn add(&mut self, sha256: &str, size: u64, repository: Option<String>) {
        self.pieces.insert(sha256.to_owned(), Piece { size, repository });
    }

    pub(crate) fn save(&self, home: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec(self).map_err(|error| refused(&file(home), &error.to_string()))?;
        replace(&file(home), &text)
    }
}

/// Where a home has it written down.
pub(crate) fn file(home: &Path) -> PathBuf {
    home.join("bundles/have.json")
}

fn refused(path: &Path, why: &str) -> Failure {
    Failure::refused(format!("cannot use {}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_site_has_is_remembered() {
        let home = tempfile::tempdir().expect("a directory");
        let read = || Held::of(home.path()).map_err(|failure| failure.message);
        let mut held = read().expect("nothing yet");
        held.add("aa", 7, Some("apps/solver".into()));
        held.save(home.path()).map_err(|failure| failure.message).expect("it is written");
        assert_eq!(read(), Ok(held.clone()));
        assert_eq!((held.size("aa"), held.repository("aa"), held.has("bb")), (Some(7), Some("apps/solver"), false));
        let path = file(home.path());
        assert_eq!(Held::read(&path).map_err(|failure| failure.message), Ok(held));
        for bad in ["{}", "{\"format\":2,\"pieces\":{}}", "nonsense", ""] {
            fs::write(&path, bad).expect("a file");
            assert!(Held::read(&path).is_err(), "{bad}");
        }
    }
}
