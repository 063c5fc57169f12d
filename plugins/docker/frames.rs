//! The engine's framing of output without a terminal, where two streams share one connection.
//!
//! ```text
//! 0      1 2 3   4 5 6 7           8
//! stream 0 0 0   length, big end   length bytes      stream: 0 stdin, 1 stdout, 2 stderr
//! ```

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::Output;

const HEADER: usize = 8;
const STDERR: u8 = 2;
/// No engine sends a frame this long; a length beyond it means that these are not frames.
const LONGEST: usize = 64 << 20;

/// Reads one frame; None at the end of the stream.
pub(super) async fn next_frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Output>> {
    let mut header = [0; HEADER];
    match stream.read(&mut header).await? {
        0 => return Ok(None),
        count => stream.read_exact(&mut header[count..]).await?,
    };
    let [kind, 0, 0, 0, length @ ..] = header else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the engine's output is not framed"));
    };
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if kind > STDERR || length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the engine's output is not framed"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(Some(if kind == STDERR { Output::Stderr(bytes) } else { Output::Stdout(bytes) }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(mut bytes: &[u8]) -> io::Result<Vec<Output>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut all = Vec::new();
            while let Some(frame) = next_frame(&mut bytes).await? {
                all.push(frame);
            }
            Ok(all)
        })
    }

    fn frame(kind: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
        [&[kind, 0, 0, 0], &length[..], bytes].concat()
    }

    #[test]
    fn two_streams() {
        let bytes = [frame(1, b"out"), frame(2, b"err"), frame(1, b"")].concat();
        let expected = vec![Output::Stdout(b"out".into()), Output::Stderr(b"err".into()), Output::Stdout(Vec::new())];
        assert_eq!(read_all(&bytes).expect("framed"), expected);
    }

    #[test]
    fn what_is_not_framed_is_refused() {
        assert!(read_all(b"plain text").is_err());
        assert!(read_all(&frame(3, b"x")).is_err());
        assert!(read_all(&[1, 0, 0, 0, 255, 255, 255, 255]).is_err());
        assert!(read_all(&frame(1, b"cut")[..9]).is_err());
        assert!(read_all(&frame(1, b"cut")[..5]).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read_all(&bytes);
        }
    }
}
