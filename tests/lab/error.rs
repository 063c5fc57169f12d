//! What can go wrong with a lab itself. Tests never see these: for them a broken lab is a panic.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a lab cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program of the machine is not installed.
    #[error("the lab needs the program `{tool}`: install the package {package}")]
    MissingTool { tool: &'static str, package: &'static str },
    /// A program ended with a failure.
    #[error("{what} failed ({status}): {output}")]
    Failed { what: String, status: String, output: String },
    /// Something did not happen within its limit.
    #[error("{what}: not after {} s: {status}", limit.as_secs())]
    TimedOut { what: String, limit: Duration, status: String },
    /// A file cannot be read or written.
    #[error("{}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// A program cannot be started.
    #[error("cannot start {what}")]
    Start { what: String, source: std::io::Error },
    /// The lab is not there, or is there already, or has no such host.
    #[error("{0}")]
    Refused(String),
}

/// The result of everything a lab does.
pub type Result<T> = std::result::Result<T, Error>;

/// Names the file in an error about it.
pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    |source| Error::File { path: path.to_owned(), source }
}

/// What a test does with a lab that does not work: it is no finding about the program under test, so it panics.
#[track_caller]
pub(crate) fn ok<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{}", chain(&error)))
}

/// An error with what caused it.
pub fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
