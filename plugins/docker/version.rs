//! Which version of the engine's API both sides speak.

use std::fmt;

use serde::Deserialize;

use crate::{Error, Result};

/// The oldest engine we know how to talk to: Docker 19.03.
const OLDEST: ApiVersion = ApiVersion { major: 1, minor: 40 };
/// The newest version of the API that we ask for.
const NEWEST: ApiVersion = ApiVersion { major: 1, minor: 53 };

/// A version of the engine's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ApiVersion {
    pub(super) major: usize,
    pub(super) minor: usize,
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl ApiVersion {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Versions {
    pub(super) version: String,
    pub(super) api_version: String,
    #[serde(rename = "MinAPIVersion", default)]
    pub(super) oldest_api: String,
}

/// The newest version that both sides speak.
pub(super) fn agree(versions: &Versions, what: &str) -> Result<ApiVersion> {
    let garbled = || Error::Garbled { what: what.into(), why: format!("API version '{}'", versions.api_version) };
    let theirs = ApiVersion::parse(&versions.api_version).ok_or_else(garbled)?;
    let refuse = |why: String| Err(Error::Refused { what: what.into(), why });
    if theirs < OLDEST {
        return refuse(format!(
            "the engine is too old: version {} speaks API {theirs}, the oldest that works is {OLDEST}",
            versions.version
        ));
    }
    match ApiVersion::parse(&versions.oldest_api) {
        Some(oldest) if oldest > NEWEST => refuse(format!(
            "the engine is too new: version {} speaks API {oldest} and later, we speak {NEWEST}",
            versions.version
        )),
        _ => Ok(theirs.min(NEWEST)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(api: &str, oldest: &str) -> Versions {
        Versions { version: "v".into(), api_version: api.into(), oldest_api: oldest.into() }
    }

    #[test]
    fn the_newest_common_version() {
        let check = |api: &str, oldest: &str, expected: Option<&str>| {
            let agreed = agree(&versions(api, oldest), "h1").ok().map(|api| api.to_string());
            assert_eq!(agreed.as_deref(), expected, "{api}");
        };
        check("1.41", "1.12", Some("1.41"));
        check("1.40", "", Some("1.40"));
        check("1.99", "1.44", Some("1.53"));
        check("1.39", "1.12", None);
        check("1.99", "1.90", None);
        check("new", "", None);
    }

    #[test]
    fn an_old_engine_is_told_its_version() {
        let error = agree(&versions("1.38", "1.12"), "h1").expect_err("too old");
        assert!(error.to_string().contains("speaks API 1.38"), "{error}");
    }
}
