//! A session with a BMC: logging in, asking, leaving. The packets themselves are the business of the pure modules.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::cipher::{Keys, Suite};
use super::completion;
use super::handshake::{self, Login, Privilege, Refusal};
use super::identity;
use super::message::{Repeat, Request, Response};
use super::packet::{self, Kind, Packet};
use super::pauses::Pauses;
use super::target::Target;
use super::window::Window;
use super::wire::{Line, Wire};
use crate::secret::random_bytes;
use crate::{Error, Result};

/// The first wait for an answer to a message of the login.
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// The same for a command; some BMCs take a second for each.
const FIRST_WAIT_OF_COMMAND: Duration = Duration::from_secs(1);
/// A message of the login that is repeated so often in vain is a login to start over.
const SENDS: usize = 3;
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
        let entry = Entry { wire, target, deadline: Instant::now() + limit, limit };
        // From here on it is left again, whatever comes.
        let mut session = Self { talk: Some(entry.log_in().await?), endings: endings.clone() };
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

fn garbled(name: &str, doing: &str) -> Error {
    Error::Garbled { what: format!("{name}: cannot {doing}"), why: "its answer makes no sense".into() }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let (Some(talk), Ok(runtime)) = (self.talk.take(), Handle::try_current()) {
            self.endings.spawn_on(talk.leave(), &runtime);
        }
    }
}

/// A login under way.
struct Entry<'a> {
    wire: &'a Wire,
    target: &'a Target,
    deadline: Instant,
    limit: Duration,
}

/// Why one attempt to log in has ended.
enum Ended {
    Refused(Refusal),
    /// Nothing came in the middle of it.
    Silent,
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Entry<'_> {
    /// Tries what the BMC may be able to, until it lets us in, says a final no, or time is up.
    async fn log_in(&self) -> Result<Talk> {
        let (mut suites, mut privilege) = (&[Suite::Sha256, Suite::Sha1][..], Privilege::Administrator);
        let mut pauses = Pauses::from(FIRST_WAIT);
        loop {
            let refusal = match self.attempt(suites, privilege).await {
                Ok(talk) => return Ok(talk),
                Err(Ended::Failed(error)) => return Err(error),
                Err(Ended::Silent) => None,
                Err(Ended::Refused(refusal)) => Some(refusal),
            };
            debug!(bmc = self.target.name, ?refusal, ?suites, ?privilege, "login");
            match refusal {
                Some(refusal) if refusal.is_of_suite() && suites.len() > 1 => suites = &suites[1..],
                Some(refusal) if refusal.is_of_privilege() && privilege.lower().is_some() => {
                    privilege = privilege.lower().unwrap_or(Privilege::User);
                }
                refusal if refusal.is_none_or(Refusal::may_pass) => {
                    let again = Instant::now() + pauses.pause();
                    if again >= self.deadline {
                        return Err(refusal.map_or_else(|| self.stuck(), |refusal| self.denied(refusal)));
                    }
                    tokio::time::sleep_until(again).await;
                }
                Some(refusal) => return Err(self.denied(refusal)),
                None => return Err(self.stuck()),
            }
        }
    }

    fn denied(&self, refusal: Refusal) -> Error {
        Error::Denied { what: self.target.name.clone(), why: refusal.words(&self.target.user) }
    }

    fn stuck(&self) -> Error {
        Error::TimedOut { what: format!("{}: cannot log in", self.target.name), after: self.limit }
    }

    async fn attempt(&self, suites: &[Suite], privilege: Privilege) -> Result<Talk, Ended> {
        let mut line = self.wire.line(self.target.address)?;
        let (suite, managed) = self.open_session(&mut line, suites).await?;
        let Target { user, password, .. } = self.target;
        let nonce = random_bytes()?;
        let login = Login { suite, user, password, privilege, console: line.console, managed, nonce };

        let first = packet::bare(Kind::Rakp1, &login.first(1));
        let second = self.exchange(&mut line, &first, Kind::Rakp2, 1).await?;
        let answered = match login.answered(&second, 2) {
            Some(Ok(answered)) => answered,
            Some(Err(refusal)) => {
                if refusal == Refusal::WrongPassword {
                    line.send(&packet::bare(Kind::Rakp3, &login.farewell(2))).await?;
                }
                return Err(refusal.into());
            }
            None => return Err(garbled(&self.target.name, "log in").into()),
        };
        let third = packet::bare(Kind::Rakp3, &answered.reply);
        let fourth = self.exchange(&mut line, &third, Kind::Rakp4, 2).await?;
        let finished = login.finished(&fourth, &answered);
        finished.ok_or_else(|| garbled(&self.target.name, "log in"))??;
        Ok(Talk {
            line,
            name: self.target.name.clone(),
            keys: answered.keys,
            guid: answered.guid,
            managed,
            privilege,
            limit: self.limit,
            sequence: 0,
            message: 0,
            window: Window::default(),
        })
    }

    /// Asks for a session with each suite in turn, as a BMC may not even answer to one that it does not know.
    async fn open_session(&self, line: &mut Line, suites: &[Suite]) -> Result<(Suite, u32), Ended> {
        let mut pauses = Pauses::from(FIRST_WAIT);
        for (tag, &suite) in (0..=u8::MAX).zip(suites.iter().cycle()) {
            let request = handshake::open_request(tag, line.console, suite);
            line.send(&packet::bare(Kind::OpenRequest, &request)).await?;
            let until = (Instant::now() + pauses.pause()).min(self.deadline);
            while let Some(bytes) = line.receive(until).await {
                let Some(payload) = answer(&bytes, Kind::OpenResponse) else { continue };
                // The answer may be to an earlier question.
                let Some(suite) = handshake::tag_of(payload).and_then(|tag| suites.iter().cycle().nth(tag.into()))
                else {
                    continue;
                };
                let opened = handshake::opened(payload, *suite);
                let managed = opened.ok_or_else(|| garbled(&self.target.name, "log in"))??;
                return Ok((*suite, managed));
            }
            if Instant::now() >= self.deadline {
                break;
            }
        }
        let why = format!("no answer within {} s", self.limit.as_secs_f32());
        Err(Error::Unreachable { what: self.target.name.clone(), source: why.into() }.into())
    }

    /// Sends a message of the login, a few times if need be; the answer with this tag.
    async fn exchange(&self, line: &mut Line, message: &[u8], kind: Kind, tag: u8) -> Result<Vec<u8>, Ended> {
        let mut pauses = Pauses::from(FIRST_WAIT);
        for _ in 0..SENDS {
            line.send(message).await?;
            let until = (Instant::now() + pauses.pause()).min(self.deadline);
            while let Some(bytes) = line.receive(until).await {
                let payload = answer(&bytes, kind).filter(|payload| handshake::tag_of(payload) == Some(tag));
                if let Some(payload) = payload {
                    return Ok(payload.to_vec());
                }
            }
        }
        Err(Ended::Silent)
    }
}

/// The payload of an answer of this kind.
fn answer(bytes: &[u8], kind: Kind) -> Option<&[u8]> {
    Packet::read(bytes).filter(|packet| packet.kind == kind)?.bare()
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
