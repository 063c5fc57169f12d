//! The transport: libssh2 at one end of a socket pair, the host's TCP connection at the other end of ours.
//!
//! libssh2 must not touch the TCP socket itself, for two traps. A call that waits for one channel's answer reads what is
//! meant for the others, and nobody would know that they have work. And a call that could send only half a packet must
//! be repeated, the very same, before any other. Over the pair nothing comes in but what [`Wire::feed`] puts there, and
//! there is always room for a packet.

use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use nix::poll::{PollFd, PollFlags, PollTimeout};
use ssh2::{ErrorCode, Session};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

/// The most that is read at once; the pair holds at least that.
const CHUNK: usize = 64 * 1024;

/// How many bytes may wait for the TCP socket before libssh2 has to wait.
const BACKLOG: usize = 256 * 1024;

/// How often a call is repeated that has not read all there is.
const REPEATS: usize = 100;

/// A session and what carries it.
pub(super) struct Wire {
    pub(super) session: Session,
    /// Our end of the pair.
    near: UnixStream,
    /// The other end, which libssh2 takes for its socket.
    far: UnixStream,
    tcp: TcpStream,
    incoming: Queue,
    outgoing: Queue,
    hung_up: bool,
    /// What libssh2 reads into; kept, as it has to be filled with something first.
    scratch: Vec<u8>,
}

/// Bytes on their way, and how many of them have gone.
#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    gone: usize,
}

impl Wire {
    pub(super) fn new(tcp: TcpStream) -> io::Result<Self> {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        let mut session = Session::new()?;
        session.set_tcp_stream(far.try_clone()?);
        session.set_blocking(false);
        let (incoming, outgoing) = (Queue::default(), Queue::default());
        Ok(Self { session, near, far, tcp, incoming, outgoing, hung_up: false, scratch: vec![0; CHUNK] })
    }

    /// Makes one call of libssh2. Ready(None): it waits for the host. Pending: too much is waiting to be sent.
    pub(super) fn attempt<T>(
        &mut self,
        mut call: impl FnMut(&Session) -> io::Result<T>,
    ) -> Poll<io::Result<Option<T>>> {
        if self.outgoing.left().len() >= BACKLOG {
            return Poll::Pending;
        }
        let mut result = unless_blocked(call(&self.session));
        // At the head of a packet that has not come whole it stops, even where the rest has only to be fetched. Each
        // repetition fetches some; the number bounds what else might be wrong.
        for _ in 0..REPEATS {
            if !matches!(result, Ok(None)) || !self.has_unread()? {
                break;
            }
            result = unless_blocked(call(&self.session));
        }
        self.collect()?;
        Poll::Ready(result)
    }

    /// There is something from the host that libssh2 has not yet looked at.
    pub(super) fn has_unread(&self) -> io::Result<bool> {
        let mut asked = [PollFd::new(self.far.as_fd(), PollFlags::POLLIN)];
        Ok(nix::poll::poll(&mut asked, PollTimeout::ZERO)? > 0)
    }

    /// Makes a call that reads, and adds what it has read to `chunk`.
    pub(super) fn read(
        &mut self,
        chunk: &mut Vec<u8>,
        mut call: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> Poll<io::Result<Option<usize>>> {
        let mut scratch = mem::take(&mut self.scratch);
        let read = self.attempt(|_| call(&mut scratch));
        if let Poll::Ready(Ok(Some(count))) = &read {
            chunk.extend_from_slice(&scratch[..*count]);
        }
        self.scratch = scratch;
        read
    }

    /// Makes a call until it has its answer; only for as long as there is nothing else to do with the session.
    pub(super) async fn call<T>(&mut self, mut call: impl FnMut(&Session) -> io::Result<T>) -> io::Result<T> {
        poll_fn(|cx| {
            loop {
                let result = self.attempt(&mut call)?;
                let sent = self.flush(cx)?;
                if let Poll::Ready(Some(value)) = result {
                    return Poll::Ready(Ok(value));
                }
                if !(self.feed(cx)? || sent) {
                    return self.check_hung_up();
                }
            }
        })
        .await
    }

    /// Gives libssh2 what the host has sent. True if that is something.
    pub(super) fn feed(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        if self.incoming.left().is_empty() && !self.hung_up && self.receive(cx)?.is_pending() {
            return Ok(false);
        }
        let given = unless_blocked((&self.near).write(self.incoming.left()))?.unwrap_or(0);
        self.incoming.gone += given;
        Ok(given > 0)
    }

    /// Sends to the host what libssh2 has written. True if any of it could be sent.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut sent = false;
        while !self.outgoing.left().is_empty() {
            match Pin::new(&mut self.tcp).poll_write(cx, self.outgoing.left())? {
                Poll::Ready(count) => self.outgoing.gone += count,
                Poll::Pending => break,
            }
            sent = true;
        }
        Ok(sent)
    }

    /// Fails once the host has closed the connection; else there is something to wait for.
    pub(super) fn check_hung_up<T>(&self) -> Poll<io::Result<T>> {
        match self.hung_up {
            true => Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the host closed the connection"))),
            false => Poll::Pending,
        }
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.outgoing.left().is_empty()
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Says goodbye, as far as that can be done at once.
    pub(super) fn disconnect(mut self) {
        let said = self.session.disconnect(None, "done", None).is_ok() && self.collect().is_ok();
        if said {
            self.tcp.try_write(self.outgoing.left()).ok();
        }
        self.hang_up();
    }

    /// Cuts the line, so that libssh2 frees its channels without waiting for the host.
    pub(super) fn hang_up(self) {
        self.near.shutdown(Shutdown::Both).ok();
    }

    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Queue { bytes, gone } = &mut self.incoming;
        *gone = 0;
        let count = ready!(poll_read(&mut self.tcp, bytes, CHUNK, cx))?;
        self.hung_up = count == 0;
        // The host's sshd holds back a short answer until its last packet is acknowledged (Nagle), and our kernel
        // delays acknowledgements by 40 ms unless told each time not to.
        self.tcp.set_quickack(true)?;
        Poll::Ready(Ok(()))
    }

    /// Takes what libssh2 has written, so that there is room for its next packet.
    fn collect(&mut self) -> io::Result<()> {
        let Queue { bytes, gone } = &mut self.outgoing;
        if *gone == bytes.len() || *gone >= BACKLOG {
            bytes.drain(..*gone);
            *gone = 0;
        }
        bytes.reserve(CHUNK);
        unless_blocked(self.near.read_to_end(bytes)).map(drop)
    }
}

impl Queue {
    fn left(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }
}

/// Reads into an emptied buffer; unlike a slice, it need not be filled with zeros each time.
pub(super) fn poll_read(
    source: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    most: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    buffer.clear();
    buffer.reserve(most);
    pin!(source.read_buf(buffer)).poll(cx)
}

/// None where the call would have to wait.
fn unless_blocked<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells a failure, which is an answer, from "call again later".
pub(super) fn settled<T>(result: Result<T, ssh2::Error>) -> io::Result<Result<T, ssh2::Error>> {
    /// LIBSSH2_ERROR_EAGAIN.
    const AGAIN: ErrorCode = ErrorCode::Session(-37);
    match result {
        Err(error) if error.code() == AGAIN => Err(io::ErrorKind::WouldBlock.into()),
        answer => Ok(answer),
    }
}
