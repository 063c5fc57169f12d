//! Logging in to a BMC: what it can, who we are, and when nobody is there.

use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;

use super::cipher::{Keys, Suite};
use super::handshake::{self, Login, Privilege, Refusal};
use super::packet::{self, Kind, Packet};
use super::pauses::Pauses;
use super::target::Target;
use super::wire::{Line, Wire};
use crate::secret::random_bytes;
use crate::{Error, Result};

/// The first wait for an answer to a message of the login.
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// A message of the login that is repeated so often in vain is a login to start over.
const SENDS: usize = 3;

/// A BMC that lets us in.
pub(super) struct Entered {
    pub(super) line: Line,
    pub(super) keys: Keys,
    /// As the BMC gave it.
    pub(super) guid: [u8; 16],
    /// The BMC's number for the session.
    pub(super) managed: u32,
    pub(super) privilege: Privilege,
}

/// A login under way.
pub(super) struct Entry<'a> {
    wire: &'a Wire,
    target: &'a Target,
    begun: Instant,
    limit: Duration,
    /// Whether the BMC has said anything yet.
    heard: bool,
    /// How often it was asked for a session.
    asked: usize,
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

impl<'a> Entry<'a> {
    pub(super) fn new(wire: &'a Wire, target: &'a Target, limit: Duration) -> Self {
        Self { wire, target, begun: Instant::now(), limit, heard: false, asked: 0 }
    }

    /// Tries what the BMC may be able to, until it lets us in, says a final no, or time is up.
    pub(super) async fn log_in(mut self) -> Result<Entered> {
        let (mut suites, mut privilege) = (&[Suite::Sha256, Suite::Sha1][..], Privilege::Administrator);
        let mut pauses = Pauses::from(FIRST_WAIT);
        loop {
            let refusal = match self.attempt(suites, privilege).await {
                Ok(entered) => return Ok(entered),
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
                    if again >= self.deadline() {
                        return Err(refusal.map_or_else(|| self.stuck(), |refusal| self.denied(refusal)));
                    }
                    tokio::time::sleep_until(again).await;
                }
                Some(refusal) => return Err(self.denied(refusal)),
                None => return Err(self.stuck()),
            }
        }
    }

    /// When it is given up. A BMC that has said nothing yet was asked several times before that, and would hardly come to the end
    /// of a login in the rest of the time.
    fn deadline(&self) -> Instant {
        self.begun + if self.heard { self.limit } else { self.patience() }
    }

    /// How long its first word is waited for.
    fn patience(&self) -> Duration {
        self.limit * 7 / 10
    }

    fn denied(&self, refusal: Refusal) -> Error {
        Error::Denied { what: self.target.name.clone(), why: refusal.words(&self.target.user) }
    }

    fn stuck(&self) -> Error {
        Error::TimedOut { what: format!("{}: cannot log in", self.target.name), after: self.limit }
    }

    fn silent(&self) -> Error {
        let why = if self.heard {
            format!("no answer within {} s", self.limit.as_secs_f32())
        } else {
            let plural = if self.asked == 1 { "" } else { "s" };
            format!("no answer to {} request{plural} in {} s", self.asked, self.patience().as_secs_f32())
        };
        Error::Unreachable { what: self.target.name.clone(), source: why.into() }
    }

    async fn attempt(&mut self, suites: &[Suite], privilege: Privilege) -> Result<Entered, Ended> {
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
        Ok(Entered { line, keys: answered.keys, guid: answered.guid, managed, privilege })
    }

    /// Asks for a session with each suite in turn, as a BMC may not even answer to one that it does not know.
    async fn open_session(&mut self, line: &mut Line, suites: &[Suite]) -> Result<(Suite, u32), Ended> {
        let mut pauses = Pauses::from(FIRST_WAIT);
        for (tag, &suite) in (0..=u8::MAX).zip(suites.iter().cycle()) {
            let request = handshake::open_request(tag, line.console, suite);
            line.send(&packet::bare(Kind::OpenRequest, &request)).await?;
            self.asked += 1;
            let until = (Instant::now() + pauses.pause()).min(self.deadline());
            while let Some(bytes) = line.receive(until).await {
                self.heard = true;
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
            if Instant::now() >= self.deadline() {
                break;
            }
        }
        Err(self.silent().into())
    }

    /// Sends a message of the login, a few times if need be; the answer with this tag.
    async fn exchange(&self, line: &mut Line, message: &[u8], kind: Kind, tag: u8) -> Result<Vec<u8>, Ended> {
        let mut pauses = Pauses::from(FIRST_WAIT);
        for _ in 0..SENDS {
            line.send(message).await?;
            let until = (Instant::now() + pauses.pause()).min(self.deadline());
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

/// An answer that is too short or says what cannot be.
pub(super) fn garbled(name: &str, doing: &str) -> Error {
    Error::Garbled { what: format!("{name}: cannot {doing}"), why: "its answer makes no sense".into() }
}
