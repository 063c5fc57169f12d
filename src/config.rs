//! What must be known before the database opens; everything else is table `site`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::Failure;

const DEFAULT_FILE: &str = "/etc/xcrane/xcrane.toml";
const DEFAULT_HOME: &str = "/var/lib/xcrane";

/// `/etc/xcrane/xcrane.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    home: Option<PathBuf>,
}

/// The directory of the database: `$XCRANE_HOME`, else `home` of the file `$XCRANE_CONFIG`, else `/var/lib/xcrane`.
pub(crate) fn home() -> Result<PathBuf, Failure> {
    if let Some(home) = variable("XCRANE_HOME") {
        return Ok(home);
    }
    let chosen = variable("XCRANE_CONFIG");
    let path = chosen.clone().unwrap_or_else(|| DEFAULT_FILE.into());
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(parse(&path, &text)?.home.unwrap_or_else(|| DEFAULT_HOME.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && chosen.is_none() => Ok(DEFAULT_HOME.into()),
        Err(error) => Err(Failure::refused(format!("cannot read {}: {error}", path.display()))),
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn parse(path: &Path, text: &str) -> Result<File, Failure> {
    toml::from_str(text).map_err(|error| Failure::refused(format!("cannot read {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_file_and_the_unknown_key() {
        let failure = parse(Path::new("/x.toml"), "hom = \"/a\"").unwrap_err();
        assert!(failure.message.starts_with("cannot read /x.toml:"), "{}", failure.message);
        assert!(failure.message.contains("unknown field `hom`"), "{}", failure.message);
    }
}
