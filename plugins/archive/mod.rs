//! Archives of images: what `docker save` writes and OCI layouts, as a tar (plain, gzip or zstd) or as a directory.
//!
//! Reading order: `source` (bytes), `members` (what is in it, one after the other), `index` (where everything is),
//! `contents` (which images these are), `unpacked` (what packed layers really hold), `parcel` (what an engine is sent), `tree` and `unpack`
//! (the root that an image's layers make).
//!
//! An archive is foreign: all that is kept in memory is bounded, what an engine gets is made anew, with names of ours, and
//! names of its own are written only below a new directory, from a tree in which no link is followed.

mod contents;
mod index;
mod members;
mod parcel;
mod source;
mod split;
#[cfg(test)]
mod tests;
mod tree;
mod unpack;
mod unpacked;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Mutex;

pub use contents::{Image, Layer};
pub use parcel::Parcel;
pub use split::Split;
pub use unpack::Unpacked;

use index::{Entry, Index};
use source::Source;

use crate::{Error, Result};

/// An archive whose images are known.
pub struct Archive {
    source: Source,
    entries: Vec<Entry>,
    images: Vec<Image>,
    /// Bytes in packed layers that were unpacked and found to be what they say.
    unpacked: Mutex<HashMap<usize, u64>>,
}

impl Archive {
    /// Finds out what is in it; layers are not read, unless the whole of it is packed.
    pub fn open(path: &Path) -> Result<Self> {
        let refused = |error| failed(path, error);
        let source = Source::open(path).map_err(refused)?;
        let index = Index::read(&source).map_err(refused)?;
        let images = contents::images(&index).map_err(|why| unfit(path, &why))?;
        Ok(Self { source, entries: index.entries, images, unpacked: Mutex::default() })
    }

    /// What it holds, in its order; never nothing.
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// Calls its images something else than it does.
    pub fn rename(&mut self, name: &str) -> Result<()> {
        let [image] = self.images.as_mut_slice() else {
            let why = format!("it holds {} images, which cannot all be called {name}", self.images.len());
            return Err(unfit(self.source.path(), &why));
        };
        image.names = vec![name.to_owned()];
        Ok(())
    }
}

/// Of a file in an archive that we make, whose name is ours and short.
pub(crate) fn header(name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).expect("a name of ours fits");
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    header
}

fn unfit(path: &Path, why: &str) -> Error {
    Error::Refused { what: format!("cannot use {}", path.display()), why: why.to_owned() }
}

fn failed(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => unfit(path, "it ends before its time; it was not copied whole"),
        io::ErrorKind::InvalidData | io::ErrorKind::Other => unfit(path, &error.to_string()),
        _ => Error::File { doing: "read", path: path.display().to_string(), source: error },
    }
}

fn bad(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}
