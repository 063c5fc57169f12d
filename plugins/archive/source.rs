//! The bytes of an archive: a file, a packed file, or the files of a directory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::bad;
use super::members::{Files, Members, Tar};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;
/// What unpacks to more than so many times its size, and to more than [`LARGE`], is made to fill disks.
const RATIO: u64 = 200;
const LARGE: u64 = if cfg!(test) { 16 << 20 } else { 4 << 30 };

/// How bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    /// What the first bytes say.
    pub(super) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The bytes as they were before they were packed into `size` bytes.
    pub(super) fn undo<'a>(self, packed: impl Read + Send + 'a, size: u64) -> Box<dyn Read + Send + 'a> {
        let packed = BufReader::with_capacity(CHUNK, packed);
        let left = LARGE.max(size.saturating_mul(RATIO));
        match self {
            Self::None => Box::new(packed),
            Self::Gzip => Box::new(Bounded { reader: MultiGzDecoder::new(packed), left }),
            Self::Zstd => Box::new(Bounded { reader: Zstd::new(packed), left }),
        }
    }
}

/// Where an archive is.
#[derive(Debug)]
pub(super) enum Source {
    Tar { path: PathBuf, packing: Packing },
    Directory { path: PathBuf },
}

impl Source {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = path.to_owned();
        if std::fs::metadata(&path)?.is_dir() {
            return Ok(Self::Directory { path });
        }
        let mut head = Vec::new();
        File::open(&path)?.take(4).read_to_end(&mut head)?;
        Ok(Self::Tar { packing: Packing::of(&head), path })
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Tar { path, .. } | Self::Directory { path } => path,
        }
    }

    /// Its members from the first on, in the same order each time.
    pub(super) fn members(&self) -> io::Result<Members> {
        Ok(match self {
            Self::Directory { path } => Members::Files(Files::under(path)?),
            Self::Tar { path, packing } => {
                let file = File::open(path)?;
                let length = file.metadata()?.len();
                Members::Tar(Tar::new(match packing {
                    Packing::None => Box::new(Plain { file: BufReader::with_capacity(CHUNK, file), at: 0, length }),
                    packing => Box::new(Stream(packing.undo(file, length))),
                }))
            }
        })
    }
}

/// Bytes of which some are not wanted.
pub(super) trait Input: Read + Send {
    fn skip(&mut self, count: u64) -> io::Result<()>;
}

struct Plain {
    file: BufReader<File>,
    at: u64,
    length: u64,
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Input for Plain {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.length).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.file.seek_relative(i64::try_from(count).map_err(|_| io::ErrorKind::UnexpectedEof)?)?;
        self.at = end;
        Ok(())
    }
}

pub(super) struct Stream(pub(super) Box<dyn Read + Send>);

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Input for Stream {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        match io::copy(&mut self.0.by_ref().take(count), &mut io::sink())? {
            skipped if skipped == count => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Gives up on what unpacks to far too much.
struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            bad(format!("it unpacks to more than {RATIO} times its size; if that is right, unpack it first"))
        })?;
        Ok(count)
    }
}

/// Frames of zstd, one after the other; those that hold no data are passed over.
struct Zstd<R> {
    packed: R,
    frame: FrameDecoder,
    is_within: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(packed: R) -> Self {
        Self { packed, frame: FrameDecoder::new(), is_within: false }
    }

    /// Goes into the next frame; false at the end.
    fn enter(&mut self) -> io::Result<bool> {
        while !self.packed.fill_buf()?.is_empty() {
            match self.frame.init(&mut self.packed) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut self.packed.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(bad(error.to_string())),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.is_within && self.frame.can_collect() > 0 {
                return self.frame.read(buffer);
            }
            if !self.is_within || self.frame.is_finished() {
                self.is_within = self.enter()?;
                if !self.is_within {
                    return Ok(0);
                }
            }
            let some = BlockDecodingStrategy::UptoBytes(CHUNK);
            self.frame.decode_blocks(&mut self.packed, some).map_err(|error| bad(error.to_string()))?;
        }
    }
}
