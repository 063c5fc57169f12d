//! The blocks of a file, read in larger pieces.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use hyper::body::Bytes;
use tokio::task::spawn_blocking;

use super::packet::Mode;
use crate::root::Opened;

/// As much as the widest window of the largest blocks, and more.
const PIECE: usize = 128 << 10;
/// What is converted for clients that ask for text; loaders and kernels are none. All line ends, it is no more than a piece.
const LONGEST_TEXT: u64 = 64 << 10;

/// A file as its client wants it.
#[derive(Debug)]
pub(super) struct Source {
    file: Option<Arc<File>>,
    pub(super) length: u64,
    piece: Bytes,
    /// Where in the file the piece begins.
    at: u64,
}

impl Source {
    /// Reads nothing yet, unless the file is wanted as text.
    pub(super) fn new(opened: Opened, mode: Mode) -> io::Result<Self> {
        let Opened { file, length, .. } = opened;
        match mode {
            Mode::Octet => Ok(Self { file: Some(file.into()), length, piece: Bytes::new(), at: 0 }),
            Mode::Netascii if length > LONGEST_TEXT => {
                Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too long for mode netascii, take octet"))
            }
            Mode::Netascii => {
                let piece = netascii(&read(&file, 0, usize::try_from(length).unwrap_or(PIECE))?);
                Ok(Self::whole(piece.into()))
            }
        }
    }

    /// One that was read already, byte for byte.
    pub(super) fn whole(piece: Bytes) -> Self {
        Self { file: None, length: piece.len() as u64, piece, at: 0 }
    }

    /// The block of that number, the first being 1; the last one is shorter than the others, or empty.
    pub(super) async fn block(&mut self, number: u64, size: usize) -> io::Result<&[u8]> {
        let start = (number - 1) * size as u64;
        let count = self.length.saturating_sub(start).min(size as u64);
        if start < self.at || start + count > self.at + self.piece.len() as u64 {
            self.read(start).await?;
        }
        let from = usize::try_from(start - self.at).unwrap_or(usize::MAX);
        let block = self.piece.get(from..).and_then(|rest| rest.get(..usize::try_from(count).ok()?));
        block.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "it has become shorter meanwhile"))
    }

    async fn read(&mut self, start: u64) -> io::Result<()> {
        let Some(file) = self.file.clone() else { return Ok(()) };
        self.piece = spawn_blocking(move || read(&file, start, PIECE)).await??.into();
        self.at = start;
        Ok(())
    }
}

fn read(file: &File, start: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut piece[filled..], start + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    piece.truncate(filled);
    Ok(piece)
}

/// Text for the wire (RFC 764): LF becomes CR LF, CR becomes CR NUL.
fn netascii(text: &[u8]) -> Vec<u8> {
    let mut converted = Vec::with_capacity(text.len() + text.len() / 16);
    for byte in text {
        match byte {
            b'\n' => converted.extend_from_slice(b"\r\n"),
            b'\r' => converted.extend_from_slice(b"\r\0"),
            other => converted.push(*other),
        }
    }
    converted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_converted() {
        assert_eq!(netascii(b"a\nb\r\n"), b"a\r\nb\r\0\r\n");
    }
}
