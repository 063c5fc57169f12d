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

impl Outcome {
    /// How a command ends of which two parts have ended so: Ctrl-C outweighs all, and the first that failed the rest.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Interrupted, _) | (_, Self::Interrupted) => Self::Interrupted,
            (Self::Done, other) => other,
            (one, _) => one,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_ending_counts() {
        let check = |one: Outcome, other: Outcome, expected: Outcome| {
            assert_eq!((one.and(other), other.and(one)), (expected, expected), "{one:?} {other:?}");
        };
        check(Outcome::Done, Outcome::Done, Outcome::Done);
        check(Outcome::Done, Outcome::SomeFailed, Outcome::SomeFailed);
        check(Outcome::SomeFailed, Outcome::Interrupted, Outcome::Interrupted);
    }
}
