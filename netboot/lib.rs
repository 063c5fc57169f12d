//! What a node talks to: names and networks now; DHCP, TFTP, HTTP and boot scripts later.

pub mod hosts;
pub mod interfaces;
pub mod networks;
pub mod rewrite;
