//! The user's own terminal: raw while a console is open, and as it was before whatever happens then.
//!
//! Nothing here makes a terminal non-blocking: that would outlive us and surprise the shell that shares it.

use std::io::{self, IsTerminal, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use plugins::Size;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// How long we may take to end in good order.
const GRACE: Duration = Duration::from_secs(10);

/// The terminal that is raw now and how it was before; a panic must find it without any help.
static SAVED: Mutex<Option<(OwnedFd, Termios)>> = Mutex::new(None);

/// Holds the terminal on standard input raw; dropping it restores the terminal, and so does a panic anywhere.
pub(crate) struct Raw(());

impl Raw {
    /// Makes the terminal on standard input raw.
    pub(crate) fn enter() -> io::Result<Self> {
        Self::of(io::stdin().as_fd().try_clone_to_owned()?)
    }

    fn of(terminal: OwnedFd) -> io::Result<Self> {
        restore_on_panic();
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        // Known before anything changes, so that no moment is left in which it could not be restored.
        *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some((terminal.try_clone()?, before));
        let guard = Self(());
        tcsetattr(&terminal, SetArg::TCSANOW, &raw)?;
        Ok(guard)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    if let Some((terminal, before)) = SAVED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        tcsetattr(terminal, SetArg::TCSANOW, &before).ok(); // a terminal that hung up needs no restoring
    }
}

/// Restores before the panic's own message, which would look like stairs on a raw terminal.
fn restore_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            tell(panic);
        }));
    });
}

/// True when a person types.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal()
}

/// The size of the user's terminal; None when there is none.
pub(crate) fn size() -> Option<Size> {
    let size =
        rustix::termios::tcgetwinsize(io::stdout()).or_else(|_| rustix::termios::tcgetwinsize(io::stdin())).ok()?;
    // Some terminals, such as serial lines, do not know theirs.
    (size.ws_row > 0 && size.ws_col > 0).then_some(Size { rows: size.ws_row, columns: size.ws_col })
}

/// What is typed or piped, as it comes; the channel ends with the input.
///
/// A thread of its own, because a blocking read can be left behind at the end and tokio's own threads cannot. It reads little
/// ahead: what a slow node has not taken stays with the sender.
pub(crate) fn input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            match io::stdin().read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A terminal that hung up reads as an error.
                Ok(0) | Err(_) => return,
                Ok(length) => {
                    if sender.blocking_send(buffer[..length].to_vec()).is_err() {
                        return;
                    }
                }
            }
        }
    });
    receiver
}

/// What the outside tells us while a console is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The window changed its size.
    Resized,
    /// A signal of this number wants us to end.
    End(u8),
}

/// The signals that matter to a console. From when it is made, none of them ends the process by itself.
pub(crate) struct Signals {
    resized: Signal,
    interrupted: Signal,
    quit: Signal,
    terminated: Signal,
    hung_up: Signal,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || runtime.block_on(insist()));
        Ok(Self {
            resized: signal(SignalKind::window_change())?,
            interrupted: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminated: signal(SignalKind::terminate())?,
            hung_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one; may be dropped and called again without losing any.
    pub(crate) async fn next(&mut self) -> Notice {
        let number = |kind: SignalKind| Notice::End(u8::try_from(kind.as_raw_value()).unwrap_or(u8::MAX));
        tokio::select! {
            biased;
            _ = self.terminated.recv() => number(SignalKind::terminate()),
            _ = self.hung_up.recv() => number(SignalKind::hangup()),
            _ = self.interrupted.recv() => number(SignalKind::interrupt()),
            _ = self.quit.recv() => number(SignalKind::quit()),
            _ = self.resized.recv() => Notice::Resized,
        }
    }
}

/// Makes sure that we end when we are asked to, although our output may go to something that takes no more: then nobody
/// else here can act any more.
#[expect(clippy::exit, reason = "what should return an exit code hangs")]
async fn insist() {
    let (Ok(mut terminated), Ok(mut hung_up)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        return; // nobody heard the signal either, so it ends us by itself
    };
    let kind = tokio::select! {
        _ = terminated.recv() => SignalKind::terminate(),
        _ = hung_up.recv() => SignalKind::hangup(),
    };
    restore();
    tokio::time::sleep(GRACE).await;
    std::process::exit(128 + kind.as_raw_value());
}

#[cfg(test)]
mod tests {
    use nix::pty::openpty;
    use nix::sys::termios::LocalFlags;

    use super::*;

    /// One test, because there is one place to remember the terminal in.
    #[test]
    fn the_terminal_is_restored_after_the_end_and_after_a_panic() {
        let terminal = openpty(None, None).unwrap();
        let now = || tcgetattr(&terminal.slave).unwrap();
        let before = now();
        assert!(before.local_flags.contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG));

        let raw = Raw::of(terminal.slave.try_clone().unwrap()).unwrap();
        assert!(!now().local_flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG));
        drop(raw);
        assert_eq!(now(), before);

        let raw = Raw::of(terminal.slave.try_clone().unwrap()).unwrap();
        assert_ne!(now(), before);
        // The guard lives on: only the hook can have restored it.
        std::thread::spawn(|| panic!("on purpose")).join().unwrap_err();
        assert_eq!(now(), before);
        drop(raw);
        assert_eq!(now(), before);
    }

    #[test]
    fn what_is_no_terminal_is_refused() {
        let (reader, _writer) = nix::unistd::pipe().unwrap();
        assert!(Raw::of(reader).is_err());
    }
}
