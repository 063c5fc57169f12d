//! Bundles: all that a site without the internet needs, as one signed file. What chosen modules and images need is looked up (wanted),
//! brought together piece by piece beside the file that is to be (parts, images, packages, files, own), listed and signed (list, signature)
//! and written (archive); elsewhere it is read to its end and compared, and only then given to registry and directories (import).
//!
//! Every piece goes by its digest, so that a run that was killed is completed by the same command, on either side.

pub(crate) mod archive;
pub(crate) mod export;
mod files;
pub(crate) mod held;
mod images;
pub(crate) mod import;
mod index;
pub(crate) mod list;
mod own;
mod packages;
pub(crate) mod parts;
pub(crate) mod signature;
mod store;
pub(crate) mod wanted;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use plugins::{Event, Progress, hex};
use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::pressed;
use crate::outcome::Outcome;
use crate::own_file;

/// What is said of a run that Ctrl-C has ended.
const GOES_ON: &str = "the same command goes on where this one was";

/// Read between two looks at the keyboard.
const PIECE: usize = 1 << 20;

/// Does the work unless Ctrl-C comes first; what was done stays, and the same command goes on from there.
async fn until_pressed<T>(cx: &Context, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut keyboard = cx.keyboard();
    let ended = tokio::select! {
        ended = work => ended,
        () = pressed(&mut keyboard) => {
            let failure = Failure::refused("interrupted").hint(GOES_ON);
            Err(Failure { outcome: Outcome::Interrupted, ..failure })
        }
    };
    cx.give_back(keyboard);
    ended
}

/// Copies so many bytes and lets others have their turn between the pieces; the digest of them.
async fn copied(from: &mut impl Read, size: u64, to: &mut impl Write, mut tell: impl FnMut(u64)) -> io::Result<String> {
    let (mut hasher, mut piece, mut left) = (Sha256::new(), vec![0; PIECE], size);
    while left > 0 {
        let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = from.read(&mut piece[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(&piece[..count]);
        to.write_all(&piece[..count])?;
        left -= count as u64;
        tell(count as u64);
        tokio::task::yield_now().await;
    }
    Ok(hex(&hasher.finalize()))
}

/// Size and digest of a file.
async fn measured(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    Ok((size, copied(&mut file, size, &mut io::sink(), |_| ()).await?))
}

/// `.NAME.part` beside NAME, which it becomes when it is whole; what a killed run has left is written over.
fn part(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.part", path.file_name().unwrap_or_default().to_string_lossy()))
}

/// Writes a small file, which is the old one or the new one at any moment.
fn replace(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        let mut file = own_file::aside(&part(path), 0o644)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(part(path), path)
    };
    write().map_err(|error: io::Error| Failure::refused(format!("cannot write {}: {error}", path.display())))
}

/// How far a long piece of work has come.
struct Bar {
    progress: Progress,
    host: String,
    what: String,
    done: u64,
    total: u64,
}

impl Bar {
    fn new(progress: &Progress, host: String, what: String, total: u64) -> Self {
        Self { progress: progress.clone(), host, what, done: 0, total }
    }

    fn tell(&mut self, count: u64) {
        self.done += count;
        let (host, what) = (self.host.clone(), self.what.clone());
        self.progress.tell(Event::Bytes { host, what, done: self.done, total: self.total });
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.progress.tell(Event::Done { host: std::mem::take(&mut self.host), what: std::mem::take(&mut self.what) });
    }
}
