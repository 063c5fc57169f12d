//! How a command ended, and the exit code that says so.

use std::process::ExitCode;

/// The one mapping from endings to exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Every node answered.
    Done,
    /// Some node failed, or the request was refused.
    SomeFailed,
    /// The command line could not be understood.
    Usage,
    /// This many nodes failed; xdsh and psh count them, as xCAT's do.
    Failed(usize),
    /// A code of the command's own, which its help explains.
    Code(u8),
    /// The exit code of the program that ran on the node.
    Child(u8),
    /// Ctrl-C.
    Interrupted,
    /// Another signal asked us to end.
    Signal(u8),
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::SomeFailed => 1,
            Outcome::Usage => 2,
            // A count that would wrap to 0 must not look like success.
            Outcome::Failed(count) => u8::try_from(count).unwrap_or(u8::MAX),
            Outcome::Code(code) | Outcome::Child(code) => code,
            Outcome::Interrupted => 130,
            Outcome::Signal(number) => 128 + (number & 0x7f),
        })
    }
}
