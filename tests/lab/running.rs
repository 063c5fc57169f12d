//! Programs that still run, with pipes or on a terminal: what they write can be waited for, and they can be signalled.

use std::fs::File;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, ttyname};

use crate::error::{Error, Result, at, ok};
use crate::run::{self, Names, Run};
use crate::stream::Stream;

/// A running program whose streams are pipes. It is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Stream,
    stderr: Stream,
    names: Names,
}

impl Running {
    pub(crate) fn spawn(mut command: Command, names: Names) -> Result<Self> {
        let mut child = run::start(&mut command)?;
        let stdin = child.stdin.take();
        let stdout = Stream::new(child.stdout.take().expect("it was asked to be piped"));
        let stderr = Stream::new(child.stderr.take().expect("it was asked to be piped"));
        Ok(Self { child, stdin, stdout, stderr, names })
    }

    /// Waits until it has written `text` to standard output after what was expected before; all up to the end of it.
    #[track_caller]
    pub fn expect(&mut self, text: &str, limit: Duration) -> String {
        ok(self.stdout.expect(text, limit))
    }

    /// The same for standard error.
    #[track_caller]
    pub fn expect_error(&mut self, text: &str, limit: Duration) -> String {
        ok(self.stderr.expect(text, limit))
    }

    /// Writes to its standard input.
    #[track_caller]
    pub fn send(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open until the end is waited for");
        stdin.write_all(text.as_bytes()).expect("the program reads what it is sent");
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What Ctrl-C on a terminal would send.
    pub fn interrupt(&self) {
        signal(&self.child, Signal::SIGINT);
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        signal(&self.child, Signal::SIGTERM);
    }

    /// Ends it without asking.
    pub fn kill(&self) {
        signal(&self.child, Signal::SIGKILL);
    }

    /// Waits for its end, with nothing more on its standard input.
    #[track_caller]
    pub fn wait(mut self, limit: Duration) -> Run {
        drop(self.stdin.take());
        let streams = [Some(&self.stdout), Some(&self.stderr)];
        let run = ok(run::end(&mut self.child, "the end of the program", limit, &streams));
        Run { names: std::mem::take(&mut self.names), ..run }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A running program on a terminal of its own. It is killed when this is dropped.
#[derive(Debug)]
pub struct Pty {
    child: Child,
    keyboard: File,
    screen: Stream,
    /// The path of the terminal, such as `/dev/pts/3`.
    terminal: std::path::PathBuf,
    names: Names,
}

impl Pty {
    /// `setsid` makes the terminal the controlling one, so that Ctrl-C, job control and a hang-up work as they do for people.
    pub(crate) fn spawn(command: &Command, names: Names, rows: u16, columns: u16) -> Result<Self> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).map_err(|errno| Error::Refused(format!("no terminal: {errno}")))?;
        let terminal = ttyname(&pair.slave).map_err(|errno| Error::Refused(format!("nameless terminal: {errno}")))?;
        let mut wrapped = Command::new("setsid");
        wrapped.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
        wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        wrapped.current_dir(command.get_current_dir().unwrap_or("/".as_ref()));
        let side = || pair.slave.try_clone().map(Stdio::from).map_err(at(&terminal));
        wrapped.stdin(side()?).stdout(side()?).stderr(side()?);
        let child = wrapped.spawn().map_err(|source| Error::Start { what: format!("{wrapped:?}"), source })?;
        // As long as we hold their side, the end of the program would not be seen on ours.
        drop((wrapped, pair.slave));
        let keyboard = File::from(pair.master);
        let screen = Stream::new(keyboard.try_clone().map_err(at(&terminal))?);
        Ok(Self { child, keyboard, screen, terminal, names })
    }

    /// Types `text`; `"\x03"` is Ctrl-C, `"\r"` is Enter.
    #[track_caller]
    pub fn send(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("the terminal takes what is typed");
    }

    /// Waits until `text` is on the screen after what was expected before; all up to the end of it.
    #[track_caller]
    pub fn expect(&mut self, text: &str, limit: Duration) -> String {
        ok(self.screen.expect(text, limit))
    }

    /// Changes the size of the terminal, which its programs are told of.
    pub fn resize(&self, rows: u16, columns: u16) {
        let mut stty = Command::new("stty");
        stty.arg("-F").arg(&self.terminal).arg("rows").arg(rows.to_string()).arg("cols").arg(columns.to_string());
        ok(run::must(&mut stty, Duration::from_secs(20)));
    }

    /// The settings of the terminal as `stty -a` shows them, to see whether a program has put them back.
    pub fn settings(&self) -> String {
        let mut stty = Command::new("stty");
        ok(run::must(stty.arg("-a").arg("-F").arg(&self.terminal), Duration::from_secs(20)))
    }

    /// Asks the program to end.
    pub fn terminate(&self) {
        signal(&self.child, Signal::SIGTERM);
    }

    /// Ends the program without asking.
    pub fn kill(&self) {
        signal(&self.child, Signal::SIGKILL);
    }

    /// Tells the program that its terminal goes away.
    pub fn hang_up(&self) {
        signal(&self.child, Signal::SIGHUP);
    }

    /// Waits for the end of the program; all that was on the screen is its standard output.
    #[track_caller]
    pub fn wait(mut self, limit: Duration) -> Run {
        let run = ok(run::end(&mut self.child, "the end of the program", limit, &[Some(&self.screen), None]));
        Run { names: std::mem::take(&mut self.names), ..run }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn signal(child: &Child, signal: Signal) {
    // A program that has just ended needs no signal any more.
    kill(Pid::from_raw(child.id().cast_signed()), signal).ok();
}

fn end(child: &mut Child) {
    if let Ok(None) = child.try_wait() {
        child.kill().ok();
        child.wait().ok();
    }
}
