//! DHCP for IPv4, straight from the tables: bytes → `packet` → what is known (`view`, `pool`) → `reply` → bytes.
//!
//! Known machines have what tables mac and hosts say and need no lease. Unknown ones have an address of their network's
//! dynamic range for a while, which is written down before they hear of it. Replies to machines without an address go to
//! all on the wire from a socket that is bound to it: iPXE, OVMF and Linux take them, and no raw socket is needed.

mod client;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod options;
mod packet;
mod pool;
mod reply;
mod serve;
mod service;
mod subnet;
#[cfg(test)]
mod tests;
mod view;

pub use client::{Client, Platform, Source};
pub use packet::{Kind, Reply, Request, To};
pub use reply::{Facts, Manner, reply};
use serve::CLIENT_PORT;
pub use serve::{PROXY_PORT, SERVER_PORT, serve};
pub use service::{ANOTHER_SERVER, Answer, Link, NO_LOADER, Served, Service};
pub use subnet::Subnet;
pub use view::View;
