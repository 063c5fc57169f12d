//! What a console says, as one stream of bytes: an engine's raw stream or its log, with a look now and then whether the
//! engine is still there, because a network that has gone sends no end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, TryStreamExt, stream};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::{Bytes, Incoming};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio_util::io::StreamReader;

use super::engine::Engine;
use super::frames::next_frame;
use crate::{Error, Output as Piece};

/// How often the engine is asked for a sign of life while a console is open.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A read of an engine's stream.
const CHUNK: usize = 16 * 1024;

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Reads pieces, and fails when the engine no longer answers.
pub(super) struct Output {
    pieces: Pieces,
    rest: Bytes,
    lost: Pin<Box<dyn Future<Output = io::Error> + Send>>,
}

impl Output {
    pub(super) fn new(engine: Arc<Engine>, pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        let lost = async move { io::Error::other(silence(&engine).await) };
        Self { pieces: Box::pin(pieces), rest: Bytes::new(), lost: Box::pin(lost) }
    }
}

impl AsyncRead for Output {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match self.pieces.as_mut().poll_next(cx) {
                Poll::Ready(Some(piece)) => self.rest = piece?,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return self.lost.as_mut().poll(cx).map(Err),
            }
        }
        let length = buffer.remaining().min(self.rest.len());
        buffer.put_slice(&self.rest.split_to(length));
        Poll::Ready(Ok(()))
    }
}

/// Ends when the engine no longer answers, with what was wrong.
pub(super) async fn silence(engine: &Engine) -> Error {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        match engine.ask_for(Method::GET, "/_ping", None, engine.connect_limit).await {
            Ok(Ok(_)) => (),
            Ok(Err(no)) => return no.into_error(&engine.host, "reach the engine"),
            Err(error) => return error,
        }
    }
}

/// The pieces of a followed log, both of its streams as they came.
pub(super) fn log(body: Incoming) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let reader = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    stream::try_unfold(reader, async |mut reader| {
        Ok(match next_frame(&mut reader).await? {
            Some(Piece::Stdout(bytes) | Piece::Stderr(bytes)) => Some((bytes.into(), reader)),
            None => None,
        })
    })
}

/// Reads what is there already, up to a short moment in which nothing came.
pub(super) async fn early(reader: &mut (impl AsyncRead + Unpin), moment: Duration) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    let mut buffer = vec![0; CHUNK];
    while read.len() < CHUNK {
        match tokio::time::timeout(moment, reader.read(&mut buffer)).await {
            Err(_) | Ok(Ok(0)) => break,
            Ok(length) => read.extend_from_slice(&buffer[..length?]),
        }
    }
    Ok(read)
}

/// A log and the stream that was opened just before it was read, as one text: what is in both is there once.
pub(super) fn joined(log: &[u8], early: &[u8]) -> Bytes {
    let longest = log.len().min(early.len());
    let both = (0..=longest).rev().find(|&length| log.ends_with(&early[..length])).unwrap_or(0);
    [log, &early[both..]].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_and_stream_overlap() {
        let check = |log: &str, early: &str, expected: &str| {
            assert_eq!(joined(log.as_bytes(), early.as_bytes()), expected.as_bytes(), "{log:?} {early:?}");
        };
        check("", "", "");
        check("a\nb\n", "", "a\nb\n");
        check("", "$ ", "$ ");
        check("a\nb\n", "$ ", "a\nb\n$ ");
        check("a\nb\nc\n", "b\nc\n$ ", "a\nb\nc\n$ ");
        check("hello\n", "llo\nworld\n", "hello\nworld\n");
        check("same\n", "same\n", "same\n");
    }
}
