//! The loop of a connection: opens channels, moves their bytes, sleeps when nothing can move.
//!
//! It is one future that looks at every channel each time it wakes: with a hundred channels that is some ten
//! microseconds, and nothing can be forgotten. It never waits for one caller: a slow one keeps its own window shut.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::unconstrained;
use tokio::time::{Sleep, sleep};

use super::channel::{Channel, Start, Turn, refusable};
use super::connection::Answer;
use super::pipe::{Link, Process, Stream};
use super::wire::Wire;

/// What callers ask of the thread.
pub(super) enum Request {
    Stream { path: String, reply: oneshot::Sender<Answer<Stream>> },
    Exec { start: Start, permit: Arc<OwnedSemaphorePermit>, reply: oneshot::Sender<Answer<Process>> },
    Close(u64),
}

impl Request {
    /// What the caller wants opened.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Stream { path, .. } => path,
            Self::Exec { start: Start::Command(command), .. } => command,
            Self::Exec { start: Start::Login(_), .. } => "",
            Self::Close(_) => "",
        }
    }

    fn is_abandoned(&self) -> bool {
        match self {
            Self::Stream { reply, .. } => reply.is_closed(),
            Self::Exec { reply, .. } => reply.is_closed(),
            Self::Close(_) => true,
        }
    }
}

/// Where requests come from, and how a new channel gets a sender of its own.
type Requests = (mpsc::UnboundedReceiver<Request>, mpsc::WeakUnboundedSender<Request>);

/// Everything that the thread of a connection knows.
pub(super) struct Driver {
    wire: Wire,
    requests: Requests,
    /// All that could ask have gone.
    unasked: bool,
    queue: VecDeque<Request>,
    opening: Option<Opening>,
    channels: BTreeMap<u64, Channel>,
    last_id: u64,
    limit: Duration,
}

/// libssh2 opens one channel at a time.
struct Opening {
    request: Request,
    deadline: Pin<Box<Sleep>>,
}

impl Driver {
    pub(super) fn new(wire: Wire, requests: Requests, limit: Duration) -> Self {
        let (queue, channels) = (VecDeque::new(), BTreeMap::new());
        Self { wire, requests, unasked: false, queue, opening: None, channels, last_id: 0, limit }
    }

    /// Serves until all callers have gone, or the connection breaks; then `lost` says why.
    pub(super) async fn run(mut self, lost: &OnceLock<String>) {
        // Unconstrained: tokio's budget would end in every wake at the same channel, and starve those behind it.
        let result = unconstrained(poll_fn(|cx| self.poll(cx))).await;
        let Err(error) = result else { return self.wire.disconnect() };
        let reason = format!("the ssh connection broke: {error}");
        lost.set(reason.clone()).ok();
        self.channels.into_values().for_each(|channel| channel.lose(&reason));
        self.wire.hang_up();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let asked = self.take_requests(cx);
            let opened = self.open_next(cx)?;
            let moved = self.move_all(cx)?;
            let sent = self.wire.flush(cx)?;
            let fed = self.wire.feed(cx)?;
            let pumped = self.wire.has_unread()? && self.pump()?;
            if self.is_done() {
                return Poll::Ready(Ok(()));
            }
            if !(asked || opened || moved || sent || fed || pumped) {
                return self.wire.check_hung_up();
            }
        }
    }

    /// Nobody is left to ask for anything, and what they said has been sent.
    fn is_done(&self) -> bool {
        let settled = self.queue.is_empty() && self.channels.values().all(Channel::is_settled);
        self.unasked && settled && self.wire.is_flushed()
    }

    fn take_requests(&mut self, cx: &mut Context<'_>) -> bool {
        let mut asked = false;
        while !self.unasked {
            match self.requests.0.poll_recv(cx) {
                Poll::Ready(Some(Request::Close(id))) => {
                    if let Some(channel) = self.channels.get_mut(&id) {
                        channel.dropped = true;
                    }
                }
                Poll::Ready(Some(request)) => self.queue.push_back(request),
                Poll::Ready(None) => self.unasked = true,
                Poll::Pending => break,
            }
            asked = true;
        }
        asked
    }

    /// Any channel that waits for something makes libssh2 read for all; without one, opening the next will.
    fn pump(&mut self) -> io::Result<bool> {
        for channel in self.channels.values() {
            if channel.pump(&mut self.wire)? == Poll::Ready(true) {
                return Ok(!self.wire.has_unread()?);
            }
        }
        Ok(false)
    }

    fn open_next(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        if self.opening.is_none() {
            self.queue.retain(|request| !request.is_abandoned());
            let next = self.queue.pop_front();
            self.opening = next.map(|request| Opening { request, deadline: Box::pin(sleep(self.limit)) });
        }
        let Some(opening) = &mut self.opening else { return Ok(false) };
        let opened = self.wire.attempt(|session| {
            refusable(match &opening.request {
                Request::Stream { path, .. } => session.channel_direct_streamlocal(path, None),
                Request::Exec { .. } | Request::Close(_) => session.channel_session(),
            })
        })?;
        if let Poll::Ready(Some(answer)) = opened {
            let request = self.opening.take().map(|opening| opening.request);
            request.into_iter().for_each(|request| self.answer(request, &answer));
            return Ok(true);
        }
        match opening.deadline.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(false),
        }
    }

    /// Hands the new channel to its caller; one that has gone meanwhile drops it, which closes it.
    fn answer(&mut self, request: Request, answer: &Answer<ssh2::Channel>) {
        self.last_id += 1;
        let (id, lost) = (self.last_id, Arc::default());
        let link = self.requests.1.upgrade().map(|requests| Arc::new(Link { id, requests, lost }));
        match (request, answer, link) {
            (Request::Stream { reply, .. }, Ok(ssh), Some(link)) => {
                let (channel, stream) = Channel::stream(ssh.clone(), link);
                self.channels.insert(id, channel);
                reply.send(Ok(stream)).ok();
            }
            (Request::Exec { start, permit, reply }, Ok(ssh), Some(link)) => {
                self.channels.insert(id, Channel::program(ssh.clone(), link, (start, permit), reply));
            }
            (Request::Stream { reply, .. }, Err(why), _) => drop(reply.send(Err(why.clone()))),
            (Request::Exec { reply, .. }, Err(why), _) => drop(reply.send(Err(why.clone()))),
            // Without a sender there is no caller left; the connection is about to end.
            (_, Ok(_), None) | (Request::Close(_), ..) => (),
        }
    }

    fn move_all(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut moved = false;
        let mut over = Vec::new();
        for (id, channel) in &mut self.channels {
            match channel.turn(&mut self.wire, cx)? {
                Turn::Waiting => (),
                Turn::Moved => moved = true,
                Turn::Over => over.push(*id),
            }
        }
        moved |= !over.is_empty();
        over.iter().for_each(|id| drop(self.channels.remove(id)));
        Ok(moved)
    }
}
