//! What a daemon logs unless `XCRANE_LOG` says otherwise.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts the log of a program that nobody watches. `XCRANE_LOG`, if there is one, was heeded at its start.
pub(crate) fn start() {
    if std::env::var_os("XCRANE_LOG").is_some() {
        return;
    }
    let format = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("info"))
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_writer(std::io::stderr);
    // The journal of systemd has a time of its own for each line.
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        format.without_time().init();
    } else {
        format.init();
    }
}
