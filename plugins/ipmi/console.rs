//! Consoles of servers: serial over LAN, in a session of its own that lasts as long as the console.
//!
//! Whatever UDP port the BMC names for it, the console stays on the one where the session is; BMCs name wrong ones.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use hyper::body::Bytes;
use tables::Node;
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::io::StreamReader;
use tracing::debug;

use super::message::{Repeat, Response};
use super::pauses::Pauses;
use super::session::{Received, Session};
use super::sol::{self, Flow, Frame};
use super::target::{Target, check_login};
use super::{Ipmi, NAME, Orphans, completion};
use crate::{Attach, Console, Control, Error, Interruption, Invocation, Result, Size, chain};

const DOING: &str = "open the console";
/// Pieces of what the machine says that may wait for the user; beyond that the BMC keeps them.
const PIECES: usize = 64;
/// Bytes that may be typed ahead.
const TYPED: usize = 4096;
/// The first wait for the answer to a packet.
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// How often at least the BMC is asked whose console it is; it forgets a silent session after a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Before a BMC that took nothing is sent the same again.
const HOLD: Duration = Duration::from_millis(500);
/// Tries to take the console over, and between two of them.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(300);
/// How long leaving the console may take.
const LEAVING: Duration = Duration::from_secs(1);
/// Between two looks whether a BMC is back.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[async_trait]
impl Console for Ipmi {
    async fn attach(&self, node: &Node, attach: Attach) -> Result<crate::Session> {
        self.console(&self.target(node).await?, attach).await
    }

    async fn open(&self, node: &Node, _invocation: &Invocation, _size: Option<Size>) -> Result<crate::Session> {
        let column = if node.get("cons").is_some() { "cons" } else { "mgt" };
        Err(Error::Unsupported { what: "a program on the console".into(), column, driver: NAME.into() })
    }

    /// A server's console needs its BMC only.
    async fn wait_running(&self, node: &Node) -> Result<()> {
        loop {
            match self.session(node).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_unreachable() => sleep(LOOK_AGAIN).await,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Ipmi {
    /// Opens the console behind a BMC.
    pub(crate) async fn console(&self, target: &Target, attach: Attach) -> Result<crate::Session> {
        check_login(&target.user, &target.password)?;
        let mut session = self.open(target).await?;
        let room = activate(&mut session, attach.take_over, &self.orphans).await?;
        let (said, heard) = mpsc::channel(PIECES);
        let (input, typed) = tokio::io::duplex(TYPED);
        let (control, breaks) = mpsc::channel(1);
        let carrier = Carrier {
            name: session.name().to_owned(),
            session,
            flow: Flow::new(room),
            said,
            typed,
            breaks,
            limit: self.limit,
            orphans: self.orphans.clone(),
            packet: None,
            question: None,
            next_question: Instant::now(),
            held_until: None,
            owner: None,
        };
        self.endings.spawn(carrier.carry());
        let pieces = futures_util::stream::unfold(heard, async |mut heard: mpsc::Receiver<io::Result<Bytes>>| {
            heard.recv().await.map(|piece| (piece, heard))
        });
        Ok(crate::Session {
            output: Box::new(StreamReader::new(Box::pin(pieces))),
            input: Some(Box::new(input)),
            note: None,
            control: Box::new(Line { breaks: control }),
        })
    }
}

/// Gets the console; how many bytes it takes in one packet. It is taken from others when that is asked for, and from a
/// session of ours that was cut off.
async fn activate(session: &mut Session, take_over: bool, orphans: &Orphans) -> Result<usize> {
    for _ in 0..TRIES {
        let answer = session.try_ask(DOING, &sol::activate().repeated(Repeat::Late)).await?;
        if answer.code == completion::DUPLICATE {
            // It was activated, and with the answer we have lost what it said of the console.
            continue;
        }
        if answer.code == sol::TAKEN {
            let owner = session.try_ask(DOING, &sol::get_owner()).await?;
            let owner = sol::owner(&owner.data).filter(|_| owner.code == 0);
            // Also a session whose activation was answered, and the answer lost.
            let cut_off = session.peer().is_some_and(|peer| orphans.has(peer, owner, Instant::now()));
            let ours = cut_off || (owner.is_some() && owner == session.number());
            if !take_over && !ours {
                return Err(Error::Occupied { what: session.name().to_owned() });
            }
            session.try_ask(DOING, &sol::deactivate()).await?;
            sleep(PAUSE).await;
            continue;
        }
        if let Some(why) = sol::refusal(answer.code) {
            return Err(Error::Refused { what: format!("{}: cannot {DOING}", session.name()), why: why.into() });
        }
        let answer = session.succeeded(DOING, answer)?;
        if let Some(peer) = session.peer() {
            orphans.remove(peer);
        }
        return sol::room(&answer).ok_or_else(|| session.garbled(DOING));
    }
    Err(Error::Occupied { what: session.name().to_owned() })
}

/// The side channel: it has no window, and nothing runs on that was not there before.
struct Line {
    breaks: mpsc::Sender<()>,
}

#[async_trait]
impl Control for Line {
    async fn send_break(&self) -> Result<bool> {
        // A console that has just ended says so by itself.
        self.breaks.send(()).await.ok();
        Ok(true)
    }
}

/// What carries a console between its user and the BMC until one of them ends it.
struct Carrier {
    /// How errors call the BMC.
    name: String,
    session: Session,
    flow: Flow,
    said: mpsc::Sender<io::Result<Bytes>>,
    typed: DuplexStream,
    breaks: mpsc::Receiver<()>,
    /// How long the BMC may keep silent.
    limit: Duration,
    orphans: Orphans,
    /// For the answer to the packet under way.
    packet: Option<Wait>,
    /// For the answer to the question whose console it is.
    question: Option<Wait>,
    next_question: Instant,
    /// Until then nothing is sent to a BMC that took nothing.
    held_until: Option<Instant>,
    /// Our session, as the BMC called it first.
    owner: Option<u32>,
}

/// A wait for an answer.
struct Wait {
    until: Instant,
    /// When it is asked for again.
    again: Instant,
    pauses: Pauses,
}

impl Wait {
    fn begin(limit: Duration) -> Self {
        let (now, mut pauses) = (Instant::now(), Pauses::from(FIRST_WAIT));
        Self { until: now + limit, again: now + pauses.pause(), pauses }
    }

    fn next(&self) -> Instant {
        self.again.min(self.until)
    }
}

/// Why a console has ended.
enum Ending {
    /// The user has gone.
    Left,
    /// The BMC is gone, perhaps for a moment.
    Lost(String),
    /// It is somebody else's, or nobody's.
    Closed(String),
}

impl From<Error> for Ending {
    fn from(error: Error) -> Self {
        Self::Lost(chain(&error))
    }
}

enum Step {
    Received(Option<Received>),
    Typed(usize),
    Break,
}

impl Carrier {
    async fn carry(mut self) {
        let ending = match self.run().await {
            Err(ending) => ending,
            Ok(never) => match never {},
        };
        match ending {
            Ending::Left => {
                if timeout(LEAVING, self.leave()).await.is_err() {
                    debug!(bmc = self.name, "console not closed");
                }
            }
            Ending::Lost(why) => {
                if let Some(peer) = self.session.peer() {
                    self.orphans.add(peer, self.owner, Instant::now());
                }
                self.said.send(Err(io::Error::other(Interruption(why)))).await.ok(); // who has gone needs no reason
            }
            Ending::Closed(why) => {
                self.said.send(Err(io::Error::other(why))).await.ok(); // the same
            }
        }
    }

    async fn run(&mut self) -> Result<std::convert::Infallible, Ending> {
        let (mut buffer, mut typing) = ([0; 512], true);
        let greeting = self.flow.greeting();
        self.session.send_serial(&greeting.write()).await?;
        loop {
            self.on_time().await?;
            self.send_next().await?;
            let until = self.wake();
            let Self { session, said, typed, breaks, flow, .. } = self;
            let step = tokio::select! {
                biased;
                () = said.closed() => return Err(Ending::Left),
                received = session.receive(until) => Step::Received(received),
                Some(()) = breaks.recv() => Step::Break,
                read = typed.read(&mut buffer), if typing && flow.has_room() => Step::Typed(read.unwrap_or(0)),
            };
            match step {
                Step::Received(Some(Received::Serial(bytes))) => self.serial(&bytes).await?,
                Step::Received(Some(Received::Response(response))) => self.answer(&response)?,
                Step::Received(None) => (),
                Step::Break => self.flow.send_break(),
                Step::Typed(0) => typing = false,
                Step::Typed(count) => self.flow.type_in(&buffer[..count]),
            }
        }
    }

    /// When there is something to do although nothing comes.
    fn wake(&self) -> Instant {
        let question = self.question.as_ref().map_or(self.next_question, Wait::next);
        let others = [self.packet.as_ref().map(Wait::next), self.held_until];
        others.into_iter().flatten().fold(question, Instant::min)
    }

    /// Asks again for what was not answered, until it has taken too long.
    async fn on_time(&mut self) -> Result<(), Ending> {
        let now = Instant::now();
        if self.held_until.is_some_and(|until| until <= now) {
            self.held_until = None;
            self.flow.release();
        }
        if self.packet.as_ref().is_some_and(|wait| wait.until <= now) {
            // There are BMCs that answer no packet without bytes.
            if !self.flow.drop_empty() {
                return Err(self.silent());
            }
            self.packet = None;
        }
        if let (Some(wait), Some(frame)) = (self.packet.as_mut().filter(|wait| wait.again <= now), self.flow.again()) {
            wait.again = now + wait.pauses.pause();
            self.session.send_serial(&frame.write()).await?;
            // What is not answered may go to a console that is no longer ours.
            self.next_question = now;
        }
        match &mut self.question {
            None if self.next_question <= now => self.question = Some(Wait::begin(self.limit)),
            Some(wait) if wait.until <= now => return Err(self.silent()),
            Some(wait) if wait.again <= now => wait.again = now + wait.pauses.pause(),
            _ => return Ok(()),
        }
        Ok(self.session.begin(&sol::get_owner()).await?)
    }

    fn silent(&self) -> Ending {
        Ending::Lost(format!("{} gives no answer", self.name))
    }

    async fn send_next(&mut self) -> Result<(), Ending> {
        if let Some(frame) = self.flow.next() {
            self.packet = Some(Wait::begin(self.limit));
            self.session.send_serial(&frame.write()).await?;
        }
        Ok(())
    }

    /// What the machine says, and what the BMC says of our packets.
    async fn serial(&mut self, bytes: &[u8]) -> Result<(), Ending> {
        let Some(frame) = Frame::read(bytes) else { return Ok(()) };
        if frame.is_farewell() {
            return Err(Ending::Closed(format!("{} has closed it", self.name)));
        }
        if self.flow.answered(&frame) {
            self.packet = None;
        }
        self.held_until = self.flow.is_held().then(|| self.held_until.unwrap_or_else(|| Instant::now() + HOLD));
        if !frame.says() {
            return Ok(());
        }
        // What the user's side cannot take now is sent again by the BMC.
        let Ok(place) = self.said.try_reserve() else { return Ok(()) };
        let Some((bytes, answer)) = self.flow.taken(&frame) else { return Ok(()) };
        if !bytes.is_empty() {
            place.send(Ok(bytes.into()));
        }
        Ok(self.session.send_serial(&answer.write()).await?)
    }

    /// The answer to the question whose console it is. A BMC that does not tell has at least answered.
    fn answer(&mut self, response: &Response) -> Result<(), Ending> {
        if !self.session.is_answer(&sol::get_owner(), response) {
            return Ok(());
        }
        self.question = None;
        self.next_question = Instant::now() + KEEP_ALIVE.min(self.limit * 2);
        let owner = sol::owner(&response.data).filter(|_| response.code == 0);
        match (self.owner, owner) {
            (None, _) => self.owner = owner,
            (Some(_), None) => (),
            (Some(ours), Some(owner)) if ours == owner => (),
            (Some(_), Some(0)) => return Err(Ending::Closed(format!("{} has closed it", self.name))),
            (Some(_), Some(_)) => return Err(Ending::Closed(format!("{}: another client has taken it", self.name))),
        }
        Ok(())
    }

    /// Gives the console back, unless it is somebody else's by now.
    async fn leave(&mut self) {
        let owner = self.session.try_ask("leave the console", &sol::get_owner()).await;
        let owner = owner.ok().filter(|answer| answer.code == 0).and_then(|answer| sol::owner(&answer.data));
        if self.owner.is_none() || owner == self.owner {
            let left = self.session.ask("leave the console", &sol::deactivate()).await;
            debug!(bmc = self.name, ?left, "console left");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_that_was_cut_off_is_ours_again() {
        let orphans = Orphans::default();
        let [b1, port, b2] = ["10.0.0.1:623", "10.0.0.1:6230", "10.0.0.2:623"].map(|text| text.parse().unwrap());
        let now = Instant::now();
        orphans.add(b1, Some(7), now);
        orphans.add(b2, None, now);
        let check = |bmc, owner: Option<u32>, seconds: u64, expected: bool| {
            assert_eq!(orphans.has(bmc, owner, now + Duration::from_secs(seconds)), expected, "{bmc} {owner:?}");
        };
        check(b1, Some(7), 0, true);
        check(b1, Some(7), 59, true);
        check(b1, Some(7), 60, false);
        check(port, Some(7), 0, false);
        check(b1, Some(8), 0, false);
        check(b1, None, 0, false);
        check(b2, None, 0, false);
        orphans.remove(b1);
        check(b1, Some(7), 0, false);
    }
}
