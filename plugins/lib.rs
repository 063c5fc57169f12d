//! What xcrane can do to machines: one capability trait a file, one folder a driver.
//!
//! Nothing here prints and nothing here reads a table: a [`tables::Node`] arrives fully resolved, a typed answer leaves.

pub mod archive;
pub mod authority;
mod backend;
mod beacon;
mod boot;
mod console;
mod docker;
pub mod dockerhost;
mod error;
mod eventlog;
mod exec;
mod files;
mod guests;
mod host;
mod hosts;
mod images;
mod inventory;
mod ipmi;
mod mac;
mod mark;
pub mod networks;
mod power;
mod progress;
mod reach;
mod reference;
pub mod registry;
mod secret;
mod settings;
pub mod setup;
pub mod ssh;
mod stream;
mod vitals;

pub use backend::{Backend, Backends};
pub use beacon::{Beacon, BeaconState};
pub use boot::{Boot, BootDevice, BootOverride, Persistence};
pub use console::{Console, Control, Session, Size};
pub use docker::HOSTS_FILE;
pub use error::{Error, RegistryFault, Result, chain};
pub use eventlog::{EventLog, MachineEvent};
pub use exec::{Exec, Invocation, Output, Program};
pub use files::Files;
pub use guests::{Changed, Created, Guest, GuestState, Guests, Port, WantedImage};
pub use host::{Host, Ran};
pub use hosts::{Carried, HostState, Hosts};
pub use images::{Build, Built, Commit, Committed, HostImage, Images, Loaded, Pull, Pulled, Pushed, Removed};
pub use inventory::{Fact, Inventory, Part};
pub use mac::derived_mac;
pub use power::{Power, PowerAction, PowerReading, PowerState, Powered};
pub use progress::{Event, Progress};
pub use reach::{Reach, Reached};
pub use reference::{Digest, Reference};
pub use secret::Secret;
pub use settings::Settings;
pub use vitals::{Health, Life, Vitals};
