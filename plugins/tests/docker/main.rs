//! The docker backend against real engines: what is asked for is what `docker inspect` on the host shows.

mod console;
mod exec;
mod faults;
mod fields;
mod files;
mod guests;
mod network;
mod nics;
mod power;
mod world;
