//! An image as one file: its definition, the files that this names, and what nodes fetch, if it was packed. A tar, in which a list
//! with digests comes first and everything else in the order of that list.
//!
//! A bundle is foreign: it is read to its end and compared with its list before anything is written, its files get names of ours,
//! and no place of the site that made it is in it.

mod export;
mod import;
mod list;

pub(crate) use export::export;
pub(crate) use import::import;

/// What was written or read.
#[derive(Debug)]
pub(crate) struct Bundled {
    pub(crate) name: String,
    pub(crate) files: usize,
    pub(crate) is_packed: bool,
    pub(crate) size: u64,
}
