//! What a node talks to: names and networks, DHCP, DNS, TFTP and HTTP, boot scripts, postscripts, diskless images.

pub mod advertise;
pub mod arrivals;
mod datagrams;
pub mod dhcp;
pub mod discovery;
pub mod dns;
pub mod events;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod hostkey;
pub mod hosts;
pub mod http;
pub mod image;
pub mod install;
pub mod interfaces;
mod limit;
pub mod live;
pub mod mac;
pub mod metrics;
pub mod networks;
pub mod postscripts;
mod recent;
pub mod rewrite;
pub mod root;
pub mod script;
mod served;
pub mod sockets;
pub mod tftp;
pub mod why;
