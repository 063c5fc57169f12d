//! The caller's ends of a channel: a stream to a socket, or a running program with its three streams.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::{mpsc, oneshot};

use super::driver::Request;

/// Bytes a pipe holds before its writer has to wait.
pub(super) const PIPE: usize = 64 * 1024;

/// Keeps a channel open; the last one dropped closes it.
pub(super) struct Link {
    pub(super) id: u64,
    pub(super) requests: mpsc::UnboundedSender<Request>,
    /// Set when the connection broke under the channel: an end of file must not pass for a proper one then.
    pub(super) lost: Arc<OnceLock<String>>,
}

impl Link {
    fn error(&self) -> Option<io::Error> {
        self.lost.get().map(|reason| io::Error::new(io::ErrorKind::ConnectionReset, reason.clone()))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The driver may be gone, and the channel with it.
        self.requests.send(Request::Close(self.id)).ok();
    }
}

/// What comes from the host. End of file only when the host said so; a lost connection is an error.
pub struct Reader {
    pub(super) pipe: DuplexStream,
    pub(super) link: Arc<Link>,
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.pipe).poll_read(cx, buffer);
        let ended = matches!(result, Poll::Ready(Ok(()))) && buffer.filled().len() == before && buffer.remaining() > 0;
        match ended.then(|| self.link.error()).flatten() {
            Some(error) => Poll::Ready(Err(error)),
            None => result,
        }
    }
}

/// What goes to the host. Shutting it down or dropping it tells the host that there is no more.
pub struct Writer {
    pub(super) pipe: DuplexStream,
    pub(super) link: Arc<Link>,
}

impl Writer {
    fn explain<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        result.map_err(|error| self.link.error().unwrap_or(error))
    }
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.pipe).poll_write(cx, bytes);
        self.explain(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.pipe).poll_flush(cx);
        self.explain(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.pipe).poll_shutdown(cx);
        self.explain(result)
    }
}

/// A connection to a socket on the host.
pub struct Stream {
    pub reader: Reader,
    pub writer: Writer,
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(cx)
    }
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    /// The signal's name without `SIG`.
    Signal(String),
}

/// A program running on the host. Both outputs must be read: they share one window.
pub struct Process {
    pub stdin: Writer,
    pub stdout: Reader,
    pub stderr: Reader,
    /// Resolves when the program has ended and its output has been read.
    pub exit: Waiter,
}

/// The end of a program, still to come.
pub struct Waiter {
    pub(super) exit: oneshot::Receiver<Exit>,
    pub(super) link: Arc<Link>,
}

impl Waiter {
    /// Waits for the end of the program; an error means that the connection was lost before.
    pub async fn wait(self) -> io::Result<Exit> {
        let lost = || self.link.error().unwrap_or_else(|| io::ErrorKind::ConnectionReset.into());
        self.exit.await.map_err(|_| lost())
    }
}
