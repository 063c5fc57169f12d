//! Pieces of files on their way out. Their memory is used again: to have it from the system anew, empty, costs as much as filling it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use hyper::body::Bytes;

/// Read at once: fewer changes of thread than smaller ones, less memory for a thousand clients than larger ones.
pub(super) const LONGEST: usize = 256 << 10;
/// Pieces that are kept for the next who ask.
const KEPT: usize = 64;

static FREE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

struct Piece {
    memory: Vec<u8>,
    length: usize,
}

/// Reads `length` bytes from there on, [`LONGEST`] at most. A file that has become shorter is an error: more was promised.
pub(super) fn read(file: &File, start: u64, length: usize) -> io::Result<Bytes> {
    let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut piece = Piece { memory: free.unwrap_or_else(|| vec![0; LONGEST]), length: length.min(LONGEST) };
    file.read_exact_at(&mut piece.memory[..piece.length], start)?;
    Ok(Bytes::from_owner(piece))
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.length]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(std::mem::take(&mut self.memory));
        }
    }
}
