//! One channel of a connection, between libssh2 and the caller's pipes.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncWrite, DuplexStream, duplex};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::connection::Answer;
use super::pipe::{Exit, Link, PIPE, Process, Reader, Stream, Waiter, Writer};
use super::wire::{Wire, poll_read, settled};
use crate::Size;

/// The most that is taken from a caller at once, which is also the largest packet that libssh2 sends.
const CHUNK: usize = 32 * 1024;

/// What every BMC knows.
const TERMINAL: &str = "vt100";

/// What is known of a channel on the driver's side.
pub(super) struct Channel {
    ssh: ssh2::Channel,
    program: Option<Program>,
    input: Input,
    outputs: Vec<Output>,
    /// The host has closed its side for good.
    host_closed: bool,
    /// The caller has dropped everything of this channel.
    pub(super) dropped: bool,
    close_sent: bool,
    lost: Arc<OnceLock<String>>,
}

/// What an exec channel has beyond a stream.
struct Program {
    start: Option<(Start, oneshot::Sender<Answer<Process>>, Process)>,
    exit: Option<oneshot::Sender<Exit>>,
    /// Held until the host has closed the channel, which is when its sshd counts one session less.
    _permit: Arc<OwnedSemaphorePermit>,
}

/// What an exec channel runs.
pub(super) enum Start {
    /// A command line.
    Command(String),
    /// What the user has at login, on a terminal of this size; or without one, once the host has given it.
    Login(Option<Size>),
}

/// Bytes on their way to the host.
#[derive(Default)]
struct Input {
    pipe: Option<DuplexStream>,
    chunk: Vec<u8>,
    sent: usize,
    end_sent: bool,
}

/// Bytes on their way from the host.
struct Output {
    stream: i32,
    /// None once the caller has dropped its end; the bytes are then read and thrown away.
    pipe: Option<DuplexStream>,
    chunk: Vec<u8>,
    given: usize,
}

/// What a turn has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Waiting,
    Moved,
    /// The channel is closed on both sides.
    Over,
}

impl Channel {
    /// A channel to a socket, and the caller's end of it.
    pub(super) fn stream(ssh: ssh2::Channel, link: Arc<Link>) -> (Self, Stream) {
        let (input, writer) = duplex(PIPE);
        let (output, reader) = duplex(PIPE);
        let channel = Self::new(ssh, &link, None, input, vec![Output::new(0, output)]);
        let reader = Reader { pipe: reader, link: link.clone() };
        (channel, Stream { reader, writer: Writer { pipe: writer, link } })
    }

    /// A channel that starts something on its first turn, and answers then.
    pub(super) fn program(
        ssh: ssh2::Channel,
        link: Arc<Link>,
        (start, permit): (Start, Arc<OwnedSemaphorePermit>),
        reply: oneshot::Sender<Answer<Process>>,
    ) -> Self {
        let (input, stdin) = duplex(PIPE);
        let (output, stdout) = duplex(PIPE);
        let (errors, stderr) = duplex(PIPE);
        let (exit, waiter) = oneshot::channel();
        let process = Process {
            stdin: Writer { pipe: stdin, link: link.clone() },
            stdout: Reader { pipe: stdout, link: link.clone() },
            stderr: Reader { pipe: stderr, link: link.clone() },
            exit: Waiter { exit: waiter, link: link.clone() },
        };
        let program = Program { start: Some((start, reply, process)), exit: Some(exit), _permit: permit };
        let outputs = vec![Output::new(0, output), Output::new(ssh2::EXTENDED_DATA_STDERR, errors)];
        Self::new(ssh, &link, Some(program), input, outputs)
    }

    fn new(
        ssh: ssh2::Channel,
        link: &Link,
        program: Option<Program>,
        input: DuplexStream,
        outputs: Vec<Output>,
    ) -> Self {
        let input = Input { pipe: Some(input), ..Input::default() };
        let lost = link.lost.clone();
        let (host_closed, dropped, close_sent) = (false, false, false);
        Self { ssh, program, input, outputs, host_closed, dropped, close_sent, lost }
    }

    /// Moves what can be moved without waiting.
    pub(super) fn turn(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> io::Result<Turn> {
        if !self.started(wire)? {
            return Ok(Turn::Waiting);
        }
        let poured = self.pour(wire, cx)?;
        let fed = self.feed(wire, cx)?;
        if self.finish(wire)? {
            return Ok(Turn::Over);
        }
        Ok(if poured || fed { Turn::Moved } else { Turn::Waiting })
    }

    /// Lets libssh2 sort what the host has sent into its channels. False if this channel waits for nothing more, so
    /// that libssh2 does not look for it.
    pub(super) fn pump(&self, wire: &mut Wire) -> Poll<io::Result<bool>> {
        let read = wire.attempt(|_| {
            self.ssh.clone().wait_eof()?;
            Ok(self.ssh.clone().wait_close()?)
        });
        read.map_ok(|closed| closed.is_none())
    }

    /// Nothing of it is left to be sent.
    pub(super) fn is_settled(&self) -> bool {
        self.close_sent
    }

    /// Tells the caller that the connection broke.
    pub(super) fn lose(self, reason: &str) {
        if !self.host_closed {
            self.lost.set(reason.into()).ok();
        }
    }

    fn started(&mut self, wire: &mut Wire) -> io::Result<bool> {
        let Some(program) = &mut self.program else { return Ok(true) };
        let Some((start, ..)) = &mut program.start else { return Ok(true) };
        if let Start::Login(Some(Size { rows, columns })) = *start {
            let window = Some((u32::from(columns), u32::from(rows), 0, 0));
            let given = wire.attempt(|_| refusable(self.ssh.request_pty(TERMINAL, None, window)));
            let Poll::Ready(Some(_given_or_done_without)) = given? else { return Ok(false) };
            *start = Start::Login(None);
        }
        let started = wire.attempt(|_| {
            refusable(match start {
                Start::Command(command) => self.ssh.exec(command),
                Start::Login(_) => self.ssh.shell(),
            })
        });
        let Poll::Ready(Some(answer)) = started? else { return Ok(false) };
        // A caller that has gone drops the process here, which closes the channel.
        if let Some((_, reply, process)) = program.start.take() {
            reply.send(answer.map(|()| process)).ok();
        }
        Ok(true)
    }

    /// From the host to the caller: one chunk an output, so that no channel keeps the others waiting.
    fn pour(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut moved = false;
        for output in &mut self.outputs {
            moved |= output.give(cx);
            if output.given < output.chunk.len() || self.ssh.read_window().available == 0 {
                continue;
            }
            output.chunk.clear();
            output.given = 0;
            let mut stream = self.ssh.stream(output.stream);
            let read = wire.read(&mut output.chunk, |buffer| stream.read(buffer))?;
            moved |= matches!(read, Poll::Ready(Some(1..)));
            output.give(cx);
        }
        Ok(moved)
    }

    /// From the caller to the host, as far as the host's window is open.
    fn feed(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> io::Result<bool> {
        if self.host_closed || self.close_sent {
            self.input = Input { end_sent: true, ..Input::default() };
            return Ok(false);
        }
        let mut moved = self.input.take(cx);
        let rest = &self.input.chunk[self.input.sent..];
        if !rest.is_empty() && self.ssh.write_window().remaining > 0 {
            let sent = wire.attempt(|_| self.ssh.write(rest));
            if let Poll::Ready(Some(count)) = sent? {
                self.input.sent += count;
                moved |= count > 0;
            }
        }
        if self.input.is_over() && !self.input.end_sent {
            let sent = wire.attempt(|_| Ok(self.ssh.send_eof()?));
            self.input.end_sent = matches!(sent?, Poll::Ready(Some(())));
            moved |= self.input.end_sent;
        }
        Ok(moved)
    }

    /// Closes what both sides are done with. True once that is confirmed.
    fn finish(&mut self, wire: &mut Wire) -> io::Result<bool> {
        let all_given = self.outputs.iter().all(|output| output.given == output.chunk.len());
        if !self.host_closed && all_given && self.ssh.read_window().available == 0 && self.ssh.eof() {
            self.outputs.iter_mut().for_each(|output| output.pipe = None);
            let closed = wire.attempt(|_| Ok(self.ssh.wait_close()?));
            if matches!(closed?, Poll::Ready(Some(()))) {
                self.host_closed = true;
                self.tell_exit()?;
            }
        }
        let given_up = self.dropped && (self.input.end_sent || self.ssh.write_window().remaining == 0);
        if !self.host_closed && !given_up {
            return Ok(false);
        }
        let closed = wire.attempt(|_| Ok(self.ssh.close()?))?;
        self.close_sent |= closed.is_ready();
        Ok(matches!(closed, Poll::Ready(Some(()))))
    }

    fn tell_exit(&mut self) -> io::Result<()> {
        let Some(exit) = self.program.as_mut().and_then(|program| program.exit.take()) else { return Ok(()) };
        let how = match self.ssh.exit_signal()?.exit_signal {
            Some(signal) => Exit::Signal(signal),
            None => Exit::Code(self.ssh.exit_status()?),
        };
        // The caller need not care how its program ended.
        exit.send(how).ok();
        Ok(())
    }
}

impl Input {
    /// Takes the next chunk from the caller if the last one has gone.
    fn take(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        if self.sent < self.chunk.len() {
            return false;
        }
        self.sent = 0;
        let Poll::Ready(read) = poll_read(pipe, &mut self.chunk, CHUNK, cx) else { return false };
        if !matches!(read, Ok(1..)) {
            self.pipe = None;
        }
        true
    }

    fn is_over(&self) -> bool {
        self.pipe.is_none() && self.sent == self.chunk.len()
    }
}

impl Output {
    fn new(stream: i32, pipe: DuplexStream) -> Self {
        Self { stream, pipe: Some(pipe), chunk: Vec::new(), given: 0 }
    }

    /// Gives the chunk to the caller as far as it takes it.
    fn give(&mut self, cx: &mut Context<'_>) -> bool {
        let before = self.given;
        while self.given < self.chunk.len() {
            let Some(pipe) = &mut self.pipe else {
                self.given = self.chunk.len();
                break;
            };
            match Pin::new(pipe).poll_write(cx, &self.chunk[self.given..]) {
                Poll::Ready(Ok(count)) => self.given += count,
                Poll::Ready(Err(_)) => self.pipe = None,
                Poll::Pending => break,
            }
        }
        self.given > before
    }
}

/// Tells the host's refusal of a request from a failure of the connection.
pub(super) fn refusable<T>(result: Result<T, ssh2::Error>) -> io::Result<Answer<T>> {
    /// LIBSSH2_ERROR_CHANNEL_FAILURE and LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED.
    const REFUSALS: [ssh2::ErrorCode; 2] = [ssh2::ErrorCode::Session(-21), ssh2::ErrorCode::Session(-22)];
    match settled(result)? {
        Ok(value) => Ok(Ok(value)),
        Err(error) if REFUSALS.contains(&error.code()) => Ok(Err(error.message().to_lowercase())),
        Err(error) => Err(error.into()),
    }
}
