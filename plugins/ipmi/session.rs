//! A session with a BMC: asking, leaving. The packets themselves are the business of the pure modules.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::cipher::Keys;
use super::completion;
use super::handshake::Privilege;
use super::identity;
use super::login::{Entered, Entry, garbled};
use super::message::{Repeat, Request, Response};
use super::packet::{self, Kind, Packet};
use super::pauses::Pauses;
use super::target::Target;
use super::window::Window;
use super::wire::{Line, Wire};
use crate::secret::random_bytes;
use crate::{Error, Result};

/// The first wait for an answer to a command; some BMCs take a second for each.
const FIRST_WAIT_OF_COMMAND: Duration = Duration::from_secs(1);
/// How long a BMC may take to hear that we leave.
const LEAVING: Duration = Duration::from_millis(700);

/// An open session; dropping it tells the BMC, whose sessions are few.
pub(super) struct Session {
    /// None only while it is dropped.
    talk: Option<Talk>,
    endings: TaskTracker,
}

impl Session {
    /// Logs in within `limit`, whatever the BMC does.
    pub(super) async fn open(wire: &Wire, target: &Target, limit: Duration, endings: &TaskTracker) -> Result<Self> {
        let entered = Entry::new(wire, target, limit).log_in().await?;
        // From here on it is left again, whatever comes.
        let talk = Talk::new(entered, target.name.clone(), limit);
        let mut session = Self { talk: Some(talk), endings: endings.clone() };
        session.talk().raise().await?;
        Ok(session)
    }

    fn talk(&mut self) -> &mut Talk {
        self.talk.as_mut().expect("only the end of a session takes it")
    }

    /// The data of a successful answer.
    pub(super) async fn ask(&mut self, doing: &str, request: &Request) -> Result<Vec<u8>> {
        self.talk().ask(doing, request).await
    }

    /// The answer of a request that may well be refused.
    pub(super) async fn try_ask(&mut self, doing: &str, request: &Request) -> Result<Response> {
        self.talk().try_ask(doing, request).await
    }

    /// The data of an answer that must be a success.
    pub(super) fn succeeded(&mut self, doing: &str, response: Response) -> Result<Vec<u8>> {
        self.talk().succeeded(doing, response)
    }

    /// Asks without waiting; what [`Self::receive`] brings may be the answer.
    pub(super) async fn begin(&mut self, request: &Request) -> Result<()> {
        let talk = self.talk();
        let message = talk.numbered(request);
        talk.send(Kind::Message, &message).await
    }

    /// Sends a packet of serial over LAN.
    pub(super) async fn send_serial(&mut self, payload: &[u8]) -> Result<()> {
        self.talk().send(Kind::Serial, payload).await
    }

    /// What comes next; None when nothing comes until then. May be dropped and called again without losing anything.
    pub(super) async fn receive(&mut self, until: Instant) -> Option<Received> {
        let talk = self.talk();
        loop {
            let bytes = talk.line.receive(until).await?;
            match talk.unsealed(&bytes) {
                Some((Kind::Serial, payload)) => return Some(Received::Serial(payload)),
                Some((_, payload)) => match Response::read(&payload) {
                    Some(response) => return Some(Received::Response(response)),
                    None => continue,
                },
                None => continue,
            }
        }
    }

    /// Whether a response is to the request that was begun last.
    pub(super) fn is_answer(&mut self, request: &Request, response: &Response) -> bool {
        let message = self.talk().message;
        request.is_answered_by(response, message)
    }

    /// How errors call the BMC.
    pub(super) fn name(&self) -> &str {
        self.talk.as_ref().map_or("", |talk| &talk.name)
    }

    /// The BMC's number for it.
    pub(super) fn number(&self) -> Option<u32> {
        self.talk.as_ref().map(|talk| talk.managed)
    }

    /// Where the BMC is.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.talk.as_ref().map(|talk| talk.line.peer)
    }

    /// Which BMC it is; None where it does not tell.
    pub(super) fn guid(&self) -> Option<[u8; 16]> {
        self.talk.as_ref().and_then(|talk| identity::told(talk.guid))
    }

    /// Fails if what is being done is longer under way than it may be: a BMC that answers each of many questions late is not to
    /// hold up the rest for hours.
    pub(super) fn in_time(&self, doing: &str, begun: Instant, limit: Duration) -> Result<()> {
        if begun.elapsed() < limit {
            return Ok(());
        }
        Err(Error::TimedOut { what: format!("{}: cannot {doing}", self.name()), after: limit })
    }

    /// An answer that is too short or says what cannot be.
    pub(super) fn garbled(&self, doing: &str) -> Error {
        garbled(self.name(), doing)
    }
}

/// What comes in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Received {
    Response(Response),
    /// A packet of serial over LAN.
    Serial(Vec<u8>),
}

impl Drop for Session {
    fn drop(&mut self) {
        if let (Some(talk), Ok(runtime)) = (self.talk.take(), Handle::try_current()) {
            self.endings.spawn_on(talk.leave(), &runtime);
        }
    }
}

/// A conversation inside a session.
struct Talk {
    line: Line,
    name: String,
    keys: Keys,
    /// As the BMC gave it in the login.
    guid: [u8; 16],
    /// The BMC's number for the session.
    managed: u32,
    privilege: Privilege,
    /// For one command, repeats included.
    limit: Duration,
    /// Of the last packet sent.
    sequence: u32,
    /// Of the last request, six bits.
    message: u8,
    window: Window,
}

impl Talk {
    fn new(entered: Entered, name: String, limit: Duration) -> Self {
        let Entered { line, keys, guid, managed, privilege } = entered;
        Self { line, name, keys, guid, managed, privilege, limit, sequence: 0, message: 0, window: Window::default() }
    }

    /// A new session has the rights of a user only, whatever was agreed on.
    async fn raise(&mut self) -> Result<()> {
        loop {
            let request = Request::new(0x06, 0x3b, &[self.privilege as u8]);
            let response = self.try_ask("log in", &request).await?;
            match (response.code, self.privilege.lower()) {
                (0, _) => return Ok(()),
                (0x80 | 0x81, Some(lower)) => self.privilege = lower,
                (code, _) => return Err(self.refused("log in", code)),
            }
        }
    }

    fn refused(&self, doing: &str, code: u8) -> Error {
        Error::Refused { what: format!("{}: cannot {doing}", self.name), why: completion::words(code) }
    }

    async fn ask(&mut self, doing: &str, request: &Request) -> Result<Vec<u8>> {
        let response = self.try_ask(doing, request).await?;
        self.succeeded(doing, response)
    }

    fn succeeded(&self, doing: &str, response: Response) -> Result<Vec<u8>> {
        if response.code == 0 { Ok(response.data) } else { Err(self.refused(doing, response.code)) }
    }

    /// Asks until the BMC has time for it.
    async fn try_ask(&mut self, doing: &str, request: &Request) -> Result<Response> {
        let deadline = Instant::now() + self.limit;
        let mut pauses = Pauses::from(Duration::from_millis(200));
        loop {
            let (response, sent) = self.exchange(doing, request, deadline).await?;
            let again = Instant::now() + pauses.pause();
            // A BMC that is busy may be so with the first copy, whose answer was lost.
            let may_be_done = request.repeat != Repeat::Soon && sent > 1;
            if may_be_done || !completion::is_busy(response.code, request.repeat) || again >= deadline {
                return Ok(response);
            }
            sleep(again - Instant::now()).await;
        }
    }

    /// The answer, and how many times the question was sent for it.
    async fn exchange(&mut self, doing: &str, request: &Request, deadline: Instant) -> Result<(Response, u32)> {
        let message = self.numbered(request);
        let first = match request.repeat {
            Repeat::Soon => FIRST_WAIT_OF_COMMAND.min(self.limit / 4),
            Repeat::Late | Repeat::Never => self.limit / 2,
        };
        let mut pauses = Pauses::from(first);
        for sent in 1.. {
            match self.send(Kind::Message, &message).await {
                Err(error) if sent == 1 => return Err(error),
                // The first copy may have been heard, so that this is no BMC that was not reached.
                Err(error) => debug!(bmc = self.name, %error, "not sent again"),
                Ok(()) => (),
            }
            let is_last = request.is_last(sent);
            let until = if is_last { deadline } else { (Instant::now() + pauses.pause()).min(deadline) };
            while let Some(bytes) = self.line.receive(until).await {
                let response = self.unsealed(&bytes).filter(|(kind, _)| *kind == Kind::Message);
                let response = response.and_then(|(_, payload)| Response::read(&payload));
                if let Some(response) = response.filter(|response| request.is_answered_by(response, self.message)) {
                    return Ok((response, sent));
                }
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        let perhaps = if request.repeat == Repeat::Soon { "" } else { ", though it may have been done" };
        Err(Error::TimedOut { what: format!("{}: cannot {doing}{perhaps}", self.name), after: self.limit })
    }

    /// The request under the next number.
    fn numbered(&mut self, request: &Request) -> Vec<u8> {
        self.message = (self.message + 1) & 0x3f;
        request.write(self.message)
    }

    async fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<()> {
        // 0 is for packets outside of sessions.
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        let bytes = packet::sealed(&self.keys, random_bytes()?, (self.managed, self.sequence), kind, payload);
        self.line.send(&bytes).await
    }

    /// What a packet of this session carries, unless it was seen before.
    fn unsealed(&mut self, bytes: &[u8]) -> Option<(Kind, Vec<u8>)> {
        let packet = Packet::read(bytes)?;
        let payload = packet.unsealed(&self.keys)?;
        self.window.admits(packet.sequence).then_some((packet.kind, payload))
    }

    /// Says good-bye. That nobody answers is no news: the BMC forgets the session by itself after a while.
    async fn leave(mut self) {
        self.limit = LEAVING;
        let request = Request::new(0x06, 0x3c, &self.managed.to_le_bytes());
        if let Err(error) = self.try_ask("leave", &request).await {
            debug!(bmc = self.name, %error, "session not closed");
        }
    }
}
