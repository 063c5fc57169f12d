//! xcrane: servers and containers by the same noderange. argv in, one answer per node out.

mod addresses;
mod bmc;
mod boot;
mod bundles;
mod carriers;
mod circuits;
mod cli;
mod column;
mod columns;
mod command_line;
mod commands;
mod completion;
mod config;
mod console;
mod context;
mod daemon;
mod definition;
mod discovery;
mod diskless;
mod docker_host;
mod failure;
mod fanout;
mod group;
mod hosts;
mod images;
mod interruptible;
mod look;
mod modules;
mod names;
mod network;
mod osimage;
mod outcome;
mod own_file;
mod plan;
mod progress;
mod ranges;
mod registry;
mod remote;
mod reply;
mod size;
mod status;
mod switching;
mod synclist;
mod tarred;
mod template;
mod turn;
mod ui;
mod update;
mod upkeep;

use std::process::ExitCode;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

fn main() -> ExitCode {
    allow_connections();
    cli::run(std::env::args_os().collect())
}

/// Opens as many connections as the machine lets us: the usual limit is lower, for the sake of programs that call select(2).
fn allow_connections() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // What cannot be opened is told by whoever wanted it.
        setrlimit(Resource::RLIMIT_NOFILE, most, most).ok();
    }
}
