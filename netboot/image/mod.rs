//! Diskless images: what is in them beside packages, the initial RAM disk that fetches them, and what the kernel is told for that.
//!
//! All of this is pure; what runs programs and writes files is the program's. Same input, same bytes.

pub mod cpio;
pub mod distribution;
pub mod el;
pub mod initramfs;
pub mod leave_out;
pub mod lint;
pub mod modules;
pub mod packages;
pub mod published;
pub mod site;
