//! Programs of this machine that others start too: each leads a group of processes, so that Ctrl-C on the terminal is for us,
//! and what it has started ends with it.

use std::io;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

/// The processes of a program; they are killed when nobody waits for them any more.
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// Starts a program at the head of a group.
    pub(crate) fn lead(command: &mut Command) -> io::Result<(Child, Self)> {
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let group = Self(child.id().map(|id| Pid::from_raw(id.cast_signed())));
        Ok((child, group))
    }

    /// Signals all of them.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            killpg(group, signal).ok(); // one that has just ended needs none
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}
