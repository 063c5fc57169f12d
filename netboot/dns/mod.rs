//! DNS for the defined nodes, straight from the tables: names and addresses as makehosts writes them, forward and reverse.
//!
//! The domains and networks of the tables are ours: what is not there does not exist. All else is passed on to
//! site.forwarders, for machines of our networks only, or refused. hickory-proto reads and writes the messages.

mod answer;
mod forward;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod names;
mod serve;
#[cfg(test)]
mod tests;

pub use names::Names;
pub use serve::{PORT, Server, serve_tcp, serve_udp};
