//! The user's side of a console: what is typed goes to the node, what the node says goes to stdout, until one of them ends.
//!
//! Works with a terminal or without: piped input is sent, and when it and the answer to it are over, so is the session.

pub(crate) mod attendance;
pub(crate) mod escape;
mod keyboard;
mod recent;
pub(crate) mod terminal;
mod visit;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use plugins::{Attach, Console, Control, Interruption, Invocation, Session, chain};
use tables::Node;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::console::attendance::Attendance;
use crate::console::escape::Event;
use crate::console::keyboard::Keyboard;
use crate::console::recent::Recent;
use crate::console::terminal::{Notice, Raw, Signals};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::ui::Ui;

pub(crate) use visit::{only, open};

/// Ctrl-D, by which a terminal says that input is over.
const END_OF_INPUT: u8 = 0x04;
/// How long a request beside the session may hold up the session.
const ASIDE: Duration = Duration::from_secs(5);
/// How long the end of a program may take after the user has left it.
const CLOSING: Duration = Duration::from_secs(8);
/// How many times as long as it must be quiet an answer may be that never is.
const PATIENCE: u32 = 60;
/// Between two tries to attach again.
const PAUSE: Duration = Duration::from_millis(500);

/// What the user wants of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Only watch.
    pub(crate) spy: bool,
    /// Take a console that is for one only from whoever has it.
    pub(crate) take_over: bool,
    /// With piped input: how long the node must be quiet to count as done.
    pub(crate) settle: Duration,
}

/// The place where the user sits.
pub(crate) struct Desk {
    ui: Arc<Ui>,
    node: Node,
    manner: Manner,
    interactive: bool,
    signals: Signals,
    keyboard: Keyboard,
    recent: Recent,
    attendance: Option<Attendance>,
    raw: Option<Raw>,
    /// The cursor stands behind something that the node said.
    in_line: bool,
    /// When something last went in or out.
    busy: Instant,
    /// When the last of all input went in.
    answering: Option<Instant>,
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The node's side ended.
    Ended,
    /// The user left.
    Left,
    /// All input is sent, and the node is quiet.
    Settled,
    /// Nobody reads our output any more.
    Unread,
    Signal(u8),
}

/// Why a session was cut off.
enum Cut {
    /// It may pass.
    Perhaps(String),
    Off(Failure),
}

impl From<Failure> for Cut {
    fn from(failure: Failure) -> Self {
        Self::Off(failure)
    }
}

impl From<io::Error> for Cut {
    fn from(error: io::Error) -> Self {
        let why = chain(&error);
        let passes = error.get_ref().is_some_and(|cause| cause.is::<Interruption>());
        if passes { Self::Perhaps(why) } else { Failure::refused(format!("the console is cut off: {why}")).into() }
    }
}

impl From<Cut> for Failure {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Perhaps(why) => Self::refused(format!("the console is cut off: {why}")),
            Cut::Off(failure) => failure,
        }
    }
}

/// Who takes what is typed.
#[derive(Clone, Copy)]
enum Listener<'a> {
    Session(&'a dyn Control),
    /// A session that takes no input.
    Watched(&'a dyn Control),
    /// There is no session now.
    Nobody,
}

/// What happened next in a session.
enum Step {
    Notice(Notice),
    Typed(Vec<Event>),
    Written(io::Result<usize>),
    Said(io::Result<usize>),
    Quiet,
    NeverQuiet,
}

impl Desk {
    /// From now on signals no longer end the process by themselves.
    pub(crate) fn new(ui: Arc<Ui>, node: Node, manner: Manner) -> Result<Self, Failure> {
        let interactive = terminal::is_interactive();
        Ok(Self {
            ui,
            node,
            manner,
            interactive,
            signals: Signals::listen()
                .map_err(|error| Failure::refused(format!("cannot watch for signals: {error}")))?,
            keyboard: Keyboard::closed(interactive),
            recent: Recent::default(),
            attendance: None,
            raw: None,
            in_line: false,
            busy: Instant::now(),
            answering: None,
        })
    }

    /// Attaches to the node's own console, and again after each restart of the node. Others there see `attendance`.
    pub(crate) async fn attach(
        mut self,
        console: &dyn Console,
        attendance: Option<Attendance>,
    ) -> Result<Outcome, Failure> {
        self.attendance = attendance;
        let node = self.node.clone();
        let mut session = match self.meanwhile(console.attach(&node, self.how())).await? {
            Ok(Err(plugins::Error::NotRunning { state })) if self.interactive => {
                Err(format!("{} is not running ({state})", node.name()))
            }
            Ok(session) => Ok(session?),
            Err(ending) => return Ok(self.leave(ending)),
        };
        self.sit_down(true)?;
        loop {
            session = match session {
                Err(why) => match self.attach_again(console, &why).await? {
                    Ok(session) => Ok(session),
                    Err(ending) => return Ok(self.leave(ending)),
                },
                Ok(session) => match self.talk(session, false).await {
                    Err(Cut::Perhaps(why)) if self.interactive => {
                        Err(format!("{}: the console is cut off: {why}", node.name()))
                    }
                    Err(cut) => return Err(cut.into()),
                    Ok((Ending::Ended, _)) if self.keyboard.is_sent() => return Ok(self.leave(Ending::Settled)),
                    Ok((Ending::Ended, _)) => Err(format!("{} stopped", node.name())),
                    Ok((ending, _)) => return Ok(self.leave(ending)),
                },
            };
        }
    }

    /// Starts a program on the node, stays until it ends, and passes its exit code on.
    pub(crate) async fn run(mut self, console: &dyn Console, invocation: &Invocation) -> Result<Outcome, Failure> {
        let node = self.node.clone();
        let session = match self.meanwhile(console.open(&node, invocation, self.window())).await? {
            Ok(session) => session?,
            Err(ending) => return Ok(self.leave(ending)),
        };
        self.sit_down(false)?;
        let (ending, control) = self.talk(session, true).await?;
        if ending == Ending::Ended {
            let code = control.exit_code().await?;
            drop(self.raw);
            let code = code.ok_or_else(|| Failure::refused("the program ended, its exit code is not known"))?;
            // Only the low byte is a code; an engine never gives more.
            return Ok(Outcome::Child(code.to_le_bytes()[0]));
        }
        let outcome = self.leave(ending);
        let warn = |why: &str| self.ui.warning(&format!("{}: the program may run on: {why}", node.name()));
        match timeout(CLOSING, control.close()).await {
            Ok(Ok(())) => (),
            Ok(Err(error)) => warn(&chain(&error)),
            Err(_) => warn("no answer"),
        }
        Ok(outcome)
    }

    fn how(&self) -> Attach {
        Attach { size: self.window(), take_over: self.manner.take_over }
    }

    fn window(&self) -> Option<plugins::Size> {
        terminal::size().filter(|_| self.interactive)
    }

    /// Makes the terminal raw and begins to listen. Not before there is a session, so that what fails until then, or Ctrl-C,
    /// is as with any command.
    fn sit_down(&mut self, own_console: bool) -> Result<(), Failure> {
        if self.interactive {
            let raw = Raw::enter().map_err(|error| Failure::refused(format!("cannot set up the terminal: {error}")))?;
            self.raw = Some(raw);
            self.tell(&format!("{}: ^Ec. leaves, ^Ec? lists keys", self.node.name()));
        }
        // Who only watches types nothing; without a terminal the end of what nobody types is no reason to leave.
        if self.interactive || !self.manner.spy {
            // What is piped into a program arrives as it is, like into any other.
            self.keyboard = Keyboard::open(self.interactive, self.interactive || own_console);
        }
        self.busy = Instant::now();
        Ok(())
    }

    /// Carries a session to its end.
    async fn talk(&mut self, session: Session, program: bool) -> Result<(Ending, Box<dyn Control>), Cut> {
        let Session { mut output, mut input, note, control } = session;
        let watched_only = input.is_none();
        let listener =
            if watched_only { Listener::Watched(control.as_ref()) } else { Listener::Session(control.as_ref()) };
        if let Some(note) = &note {
            self.tell(note);
        }
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let quiet_at = self.busy + self.manner.settle;
            let settling = self.keyboard.is_sent();
            if settling {
                self.answering.get_or_insert_with(Instant::now);
            }
            let endless = !program && !self.manner.settle.is_zero();
            let never_quiet = self.answering.filter(|_| endless).map(|since| since + self.manner.settle * PATIENCE);
            let Self { signals, keyboard, .. } = self;
            let (events, waiting) = keyboard.split();
            let step = tokio::select! {
                biased;
                notice = signals.next() => Step::Notice(notice),
                () = sleep_until(never_quiet.unwrap_or(quiet_at)), if never_quiet.is_some() => Step::NeverQuiet,
                typed = events.next(waiting.is_empty()) => Step::Typed(typed),
                written = write_some(&mut input, waiting) => Step::Written(written),
                said = output.read(&mut buffer) => Step::Said(said),
                () = sleep_until(quiet_at), if settling => Step::Quiet,
            };
            let ending = match step {
                Step::Notice(notice) => self.notice(notice, Some(control.as_ref())).await,
                Step::Typed(events) => self.typed(events, listener).await?,
                Step::Written(written) => self.written(written),
                Step::Said(said) => match said? {
                    0 => Some(Ending::Ended),
                    length => self.said(&buffer[..length], watched_only),
                },
                Step::Quiet => self.quiet(program),
                Step::NeverQuiet => return Err(self.never_quiet().into()),
            };
            if let Some(ending) = ending {
                return Ok((ending, control));
            }
        }
    }

    /// Waits until the node runs, and attaches; `why` it has to wait is told.
    async fn attach_again(&mut self, console: &dyn Console, why: &str) -> Result<Result<Session, Ending>, Failure> {
        let name = self.node.name().to_owned();
        let leaves = if self.interactive { ", ^Ec. leaves" } else { "" };
        self.tell(&format!("{why}; waiting for it to run{leaves}"));
        let node = self.node.clone();
        let how = self.how();
        let again = async {
            loop {
                console.wait_running(&node).await?;
                match console.attach(&node, how).await {
                    // It runs, but cannot be attached to at just this moment, or is gone again.
                    Err(
                        plugins::Error::NotRunning { .. }
                        | plugins::Error::Refused { .. }
                        | plugins::Error::Occupied { .. }
                        | plugins::Error::Absent { .. },
                    ) => sleep(PAUSE).await,
                    attached => return attached,
                }
            }
        };
        let session = match self.meanwhile(again).await? {
            Ok(session) => session?,
            Err(ending) => return Ok(Err(ending)),
        };
        self.tell(&format!("{name} runs"));
        Ok(Ok(session))
    }

    /// Waits for something that is not the session, with an ear for the user.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Result<Result<T, Ending>, Failure> {
        tokio::pin!(work);
        loop {
            let Self { signals, keyboard, .. } = self;
            let (events, _) = keyboard.split();
            let ending = tokio::select! {
                biased;
                notice = signals.next() => self.notice(notice, None).await,
                typed = events.next(true) => self.typed(typed, Listener::Nobody).await?,
                done = &mut work => return Ok(Ok(done)),
            };
            if let Some(ending) = ending {
                return Ok(Err(ending));
            }
        }
    }

    async fn notice(&mut self, notice: Notice, control: Option<&dyn Control>) -> Option<Ending> {
        match (notice, control, self.window()) {
            (Notice::End(signal), ..) => return Some(Ending::Signal(signal)),
            (Notice::Resized, Some(control), Some(size)) => match timeout(ASIDE, control.resize(size)).await {
                Ok(Ok(())) => (),
                failed => tracing::debug!(?failed, "resize"),
            },
            (Notice::Resized, ..) => (),
        }
        None
    }

    async fn typed(&mut self, events: Vec<Event>, listener: Listener<'_>) -> Result<Option<Ending>, Failure> {
        self.busy = Instant::now();
        for event in events {
            match (event, listener) {
                (Event::Data(bytes), _) => self.send(&bytes, listener)?,
                (Event::Leave, _) => return Ok(Some(Ending::Left)),
                (Event::Help, _) => escape::HELP.iter().for_each(|(keys, help)| self.tell(&format!("{keys:6} {help}"))),
                (Event::Who, Listener::Session(control) | Listener::Watched(control)) => self.who(control).await,
                (Event::Who, Listener::Nobody) => (),
                (Event::Replay, _) => self.replay(),
                (Event::Break, Listener::Session(control)) => self.send_break(control).await,
                (Event::Break, Listener::Watched(_) | Listener::Nobody) => (),
            }
        }
        match listener {
            // A terminal that has gone.
            _ if self.interactive => Ok(self.keyboard.is_over().then_some(Ending::Left)),
            Listener::Nobody if self.keyboard.is_sent() => Ok(Some(Ending::Left)),
            Listener::Nobody if self.keyboard.is_over() => {
                Err(Failure::refused("it stopped before it had taken all input"))
            }
            Listener::Nobody | Listener::Session(_) | Listener::Watched(_) => Ok(None),
        }
    }

    fn send(&mut self, bytes: &[u8], listener: Listener<'_>) -> Result<(), Failure> {
        match listener {
            _ if self.manner.spy => (),
            Listener::Session(_) => self.keyboard.send(bytes),
            // A person sees that nobody listens.
            Listener::Nobody | Listener::Watched(_) if self.interactive => (),
            Listener::Nobody => self.keyboard.send(bytes),
            Listener::Watched(_) => {
                let hint = format!("give it one: chdef {0} dockertty=yes; mkvm --force {0}", self.node.name());
                return Err(Failure::refused("its console takes no input").hint(hint));
            }
        }
        Ok(())
    }

    fn written(&mut self, written: io::Result<usize>) -> Option<Ending> {
        self.busy = Instant::now();
        match written {
            Ok(length) if length > 0 => self.keyboard.sent(length),
            // The node's side is closing; what it still has to say tells why.
            _ => self.keyboard.forget(),
        }
        None
    }

    fn said(&mut self, bytes: &[u8], lines: bool) -> Option<Ending> {
        self.busy = Instant::now();
        self.in_line = bytes.last() != Some(&b'\n');
        // A log has lines, a raw terminal wants to be told to return to their beginning.
        if lines && self.raw.is_some() {
            self.show(&bytes.split_inclusive(|&byte| byte == b'\n').flat_map(returning).copied().collect::<Vec<u8>>());
        } else {
            self.show(bytes);
        }
        (!self.ui.has_reader()).then_some(Ending::Unread)
    }

    fn show(&mut self, bytes: &[u8]) {
        self.recent.add(bytes);
        self.ui.write(bytes);
        self.ui.flush();
    }

    /// All input is sent, and nothing comes back any more.
    fn quiet(&mut self, program: bool) -> Option<Ending> {
        if !program {
            return Some(Ending::Settled);
        }
        // Again whenever it is quiet: a program that is just setting up its terminal loses it.
        self.keyboard.send(&[END_OF_INPUT]);
        None
    }

    /// What the node says has no end, or is no answer.
    fn never_quiet(&self) -> Failure {
        let settle = self.manner.settle;
        let (seconds, all) = (settle.as_secs_f32(), (settle * PATIENCE).as_secs_f32());
        Failure::refused(format!("its console was not quiet for {seconds} s in the {all} s since all input was sent"))
            .hint("give the answer longer with: --wait SECONDS, of which it may take sixty times as many; or only watch: --spy")
    }

    async fn who(&mut self, control: &dyn Control) {
        let mut others = self.attendance.as_ref().and_then(|here| here.others().ok()).unwrap_or_default();
        let known = match timeout(ASIDE, control.attached()).await {
            Ok(Ok(Some(attached))) => {
                others.extend(attached);
                ""
            }
            Ok(Ok(None)) => " known to be",
            Ok(Err(error)) => return self.tell(&chain(&error)),
            Err(_) => return self.tell("no answer"),
        };
        if others.is_empty() {
            return self.tell(&format!("nobody else is{known} attached"));
        }
        self.tell(&format!("also attached: {}", others.join(", ")));
    }

    async fn send_break(&mut self, control: &dyn Control) {
        if self.manner.spy {
            return;
        }
        match timeout(ASIDE, control.send_break()).await {
            Ok(Ok(true)) => (),
            Ok(Ok(false)) => self.tell("this console is no serial line, which could have a break"),
            Ok(Err(error)) => self.tell(&chain(&error)),
            Err(_) => self.tell("no answer"),
        }
    }

    fn replay(&mut self) {
        self.tell("the latest output again:");
        self.ui.write(&self.recent.lines());
        self.ui.flush();
    }

    /// Says something beside what the node says, on a line of its own.
    fn tell(&mut self, text: &str) {
        let (before, after) = match (&self.raw, self.in_line) {
            (Some(_), true) => ("\r\n", "\r\n"),
            (Some(_), false) => ("", "\r\n"),
            (None, _) => ("", "\n"),
        };
        self.ui.write_error(format!("{before}[{text}]{after}").as_bytes());
        self.in_line = false;
    }

    /// Restores the terminal and says how the command ended.
    fn leave(&mut self, ending: Ending) -> Outcome {
        if self.raw.is_some() && ending == Ending::Left {
            self.tell(&format!("left {}", self.node.name()));
        }
        self.raw = None;
        match ending {
            Ending::Ended | Ending::Left | Ending::Settled | Ending::Unread => Outcome::Done,
            Ending::Signal(number) if i32::from(number) == nix::libc::SIGINT => Outcome::Interrupted,
            Ending::Signal(number) => Outcome::Signal(number),
        }
    }
}

/// Writes what the node takes now; never ends when there is nothing to write.
async fn write_some(input: &mut Option<Box<dyn AsyncWrite + Send + Unpin>>, bytes: &[u8]) -> io::Result<usize> {
    match input {
        Some(input) if !bytes.is_empty() => input.write(bytes).await,
        _ => std::future::pending().await,
    }
}

/// A line with its end as a raw terminal wants it.
fn returning(line: &[u8]) -> impl Iterator<Item = &u8> {
    let (text, end): (_, &[u8]) = line.strip_suffix(b"\n").map_or((line, b""), |text| (text, b"\r\n"));
    text.iter().chain(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_log_return_to_their_beginning() {
        let check = |line: &str, expected: &str| {
            let shown: Vec<u8> = returning(line.as_bytes()).copied().collect();
            assert_eq!(shown, expected.as_bytes(), "{line:?}");
        };
        check("", "");
        check("no end", "no end");
        check("an end\n", "an end\r\n");
        check("\n", "\r\n");
    }
}
