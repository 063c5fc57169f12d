//! `make bench`: every figure beside that of a rival, measured in turn in one run. Started by `run`, which brings the rivals.

mod bmcs;
mod discovery;
mod engine;
mod files;
mod hosts;
mod images;
mod leases;
mod links;
mod modules;
mod networks;
mod pulls;
mod race;
mod report;
mod site;
mod tables;
mod wire;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use report::Report;

/// Nobody handles these errors; they end the run.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The program whose speed this is about.
const XCRANE: &str = env!("CARGO_BIN_EXE_xcrane");

fn main() -> Result<ExitCode> {
    // Cargo adds `--bench` of its own.
    let parts: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let started = Instant::now();
    let work = tempfile::tempdir()?;
    let mut report = Report::new()?;
    if wanted("tables") {
        tables::run(&mut report, work.path())?;
    }
    if wanted("hosts") {
        hosts::run(&mut report, work.path())?;
    }
    if wanted("links") {
        links::run(&mut report, work.path())?;
    }
    if wanted("networks") {
        networks::run(&mut report, work.path())?;
    }
    if wanted("images") {
        images::run(&mut report, work.path())?;
    }
    if wanted("pulls") {
        pulls::run(&mut report, work.path())?;
    }
    if wanted("nodeset") {
        bmcs::nodeset(&mut report, work.path())?;
    }
    if wanted("bmcs") {
        bmcs::run(&mut report, work.path())?;
    }
    if wanted("leases") {
        leases::run(&mut report, work.path())?;
    }
    if wanted("discovery") {
        discovery::run(&mut report, work.path())?;
    }
    if wanted("files") {
        files::run(&mut report, work.path())?;
    }
    if wanted("modules") {
        modules::run(&mut report, work.path())?;
    }
    report.close(started.elapsed())?;
    Ok(ExitCode::SUCCESS)
}

/// A path as a word of a command line; ours are all text.
fn word(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
