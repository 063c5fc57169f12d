//! What a node talks to: names and networks, DHCP; TFTP, HTTP and boot scripts later.

pub mod advertise;
pub mod dhcp;
pub mod hosts;
pub mod interfaces;
pub mod live;
pub mod mac;
pub mod networks;
pub mod rewrite;
pub mod sockets;
