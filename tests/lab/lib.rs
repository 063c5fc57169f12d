//! Real Docker hosts on one machine, for tests and for people.
//!
//! A test begins with a [`Lab`] and reads as a terminal session. The hosts are processes in namespaces of their own over one
//! read-only root: each has its own network, files, sshd and dockerd, can be switched off, cut off, or have its engine broken.
//! None of xcrane's crates is used here: what they get wrong must not be wrong here in the same way.

mod bmc;
mod client;
mod emulator;
mod error;
mod faults;
mod host;
mod kind;
mod lab;
mod medium;
mod old_engine;
mod once;
mod packages;
mod place;
mod pypi;
mod reach;
mod redfish;
mod room;
mod root;
mod run;
mod running;
mod serial;
mod server;
mod simulation;
mod stranger;
mod stream;
mod test_host;
mod test_stranger;
mod virtual_machine;
mod wait;
mod words;

pub use bmc::{Bmcs, Fault, Machine, Network};
pub use client::Client;
pub use emulator::Emulator;
pub use error::{Error, Result, chain};
pub use host::Host;
pub use kind::Kind;
pub use lab::Lab;
pub use old_engine::OldEngine;
pub use place::{claim, clean, default_directory, labs};
pub use pypi::install as install_pypi;
pub use reach::{Station, unreached};
pub use redfish::{
    DriveManner, RedfishBmcs, RedfishController, RedfishDrive, RedfishFault, RedfishMachine, RedfishUser,
};
pub use room::{Owner, Room};
pub use root::Root;
pub use run::Run;
pub use running::{Pty, Running};
pub use serial::Serial;
pub use server::Server;
pub use stranger::{Stranger, Wire};
pub use test_host::TestHost;
pub use test_stranger::TestStranger;
pub use virtual_machine::{Controller, Firmware};
pub use wait::{Wait, wait_for};

/// Whether the user does without something, such as `LAB_SKIP=docker`; says so, for a test must not be silent about it.
#[expect(clippy::print_stderr, reason = "a test that does nothing has to say why")]
pub fn skipped(what: &str) -> bool {
    let skipped = std::env::var("LAB_SKIP").is_ok_and(|list| list.split(',').any(|word| word.trim() == what));
    if skipped {
        eprintln!("skipped: this test needs {what}, and LAB_SKIP says to do without");
    }
    skipped
}
