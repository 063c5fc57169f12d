//! What a daemon logs unless `XCRANE_LOG` says otherwise.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Log {
    Text,
    Json,
}

/// Starts the log of a program that nobody watches. `XCRANE_LOG`, if there is one, was heeded at its start.
pub(crate) fn start(form: Log) {
    if std::env::var_os("XCRANE_LOG").is_some() {
        return;
    }
    let format = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("info"))
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_writer(std::io::stderr);
    // The journal of systemd has a time of its own for each line.
    match (form, std::env::var_os("JOURNAL_STREAM").is_some()) {
        (Log::Json, _) => format.json().flatten_event(true).init(),
        (Log::Text, true) => format.without_time().init(),
        (Log::Text, false) => format.init(),
    }
}
