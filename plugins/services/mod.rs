//! Services of a cluster as things that must be true of its machines: a pure function each, from a config to a list.

pub mod etcd;
pub mod monitoring;
pub mod node_base;

use std::net::IpAddr;

/// An address as it stands before a port.
fn place(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::from((address, port)).to_string()
}
