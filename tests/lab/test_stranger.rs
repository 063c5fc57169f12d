//! A stranger as a test sees it: what fails panics.

use crate::error::ok;
use crate::run::Run;
use crate::stranger::Stranger;

/// A foreign machine of a test's lab, by [`Lab::stranger`](crate::Lab::stranger). It stays until the lab ends or it is sent away.
#[derive(Debug)]
pub struct TestStranger<'a>(pub(crate) Stranger<'a>);

impl TestStranger<'_> {
    /// Runs a command line on it: words and quotes, no shell.
    pub fn run(&self, line: &str) -> Run {
        ok(self.0.run(line))
    }

    /// Runs a shell script on it that must succeed; its output.
    pub fn shell(&self, script: &str) -> String {
        ok(self.0.shell(script))
    }

    /// Unplugs it.
    pub fn leave(self) {
        ok(self.0.leave());
    }
}
