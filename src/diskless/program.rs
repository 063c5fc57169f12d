//! Programs of this machine that make images: they end with us, by Ctrl-C or by their limit, and tell why they failed.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Output, Stdio};
use std::time::Duration;

use futures_util::future::try_join_all;
use nix::sys::signal::Signal;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::context::Context;
use crate::failure::Failure;
use crate::group::Group;
use crate::outcome::Outcome;

/// How long a program may take to clean up behind itself.
const ENDING: Duration = Duration::from_secs(10);

/// How many of the lines in which a program complains are shown.
const COMPLAINTS: usize = 3;

/// A program with its arguments, and the package of Debian that brings it.
pub(crate) struct Program {
    command: Command,
    name: &'static str,
    package: &'static str,
}

impl Program {
    pub(crate) fn new(name: &'static str, package: &'static str) -> Self {
        let mut command = Command::new(name);
        command.env("LC_ALL", "C.UTF-8");
        Self { command, name, package }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    fn spawn(mut self, input: Stdio) -> Result<(Child, Named), Failure> {
        self.command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (child, group) = Group::lead(&mut self.command).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => missing(self.name, self.package),
            _ => Failure::refused(format!("cannot run {}: {error}", self.name)),
        })?;
        Ok((child, Named { name: self.name, group }))
    }
}

/// What there is to be said where a program is not there.
pub(crate) fn missing(program: &str, package: &str) -> Failure {
    Failure::refused(format!("there is no {program} on this machine")).hint(format!("install the package {package}"))
}

struct Named {
    name: &'static str,
    group: Group,
}

/// Runs a program that has to succeed; its output.
pub(crate) async fn run(cx: &Context, program: Program) -> Result<Vec<u8>, Failure> {
    piped(cx, [program]).await
}

/// Runs programs that read from each other, all of which have to succeed; the output of the last.
pub(crate) async fn piped(cx: &Context, programs: impl IntoIterator<Item = Program>) -> Result<Vec<u8>, Failure> {
    let limit = cx.settings()?.transfer_limit;
    let (mut children, mut named) = (Vec::new(), Vec::new());
    for program in programs {
        let input = children.last_mut().and_then(|child: &mut Child| child.stdout.take());
        let input = match input.map(TryInto::<Stdio>::try_into).transpose() {
            Ok(input) => input.unwrap_or_else(Stdio::null),
            Err(error) => return Err(Failure::refused(format!("cannot join programs: {error}"))),
        };
        let (child, name) = program.spawn(input)?;
        children.push(child);
        named.push(name);
    }
    let mut ending = Box::pin(try_join_all(children.into_iter().map(Child::wait_with_output)));
    let mut keyboard = cx.keyboard();
    let pressed = async {
        match &mut keyboard {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    };
    let failure = tokio::select! {
        ended = timeout(limit, &mut ending) => match ended {
            Ok(outputs) => {
                cx.give_back(keyboard);
                return judge(&named, outputs);
            }
            Err(_) => Failure::refused(format!("{} has not ended after {} s", named[0].name, limit.as_secs()))
                .hint("longer: chdef -t site transfertimeout=SECONDS"),
        },
        () = pressed => Failure { outcome: Outcome::Interrupted, ..Failure::refused("interrupted") },
    };
    cx.give_back(keyboard);
    signal(&named, Signal::SIGTERM);
    if timeout(ENDING, &mut ending).await.is_err() {
        signal(&named, Signal::SIGKILL);
    }
    Err(failure)
}

fn signal(named: &[Named], signal: Signal) {
    named.iter().for_each(|named| named.group.signal(signal));
}

fn judge(named: &[Named], outputs: io::Result<Vec<Output>>) -> Result<Vec<u8>, Failure> {
    let mut outputs =
        outputs.map_err(|error| Failure::refused(format!("cannot hear from {}: {error}", named[0].name)))?;
    // One whose reader has failed is not to blame.
    let broken = |output: &Output| output.status.signal() == Some(Signal::SIGPIPE as i32);
    let failed = outputs.iter().zip(named).find(|(output, _)| !output.status.success() && !broken(output));
    match failed {
        Some((output, named)) => Err(Failure::refused(format!("{}: {}", named.name, complaint(output)))),
        None => Ok(outputs.pop().map(|output| output.stdout).unwrap_or_default()),
    }
}

/// The lines that apt and its like mark as errors; where there are none, the last.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let marked: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("E: ")).take(COMPLAINTS).collect();
    match (marked.is_empty(), lines.last()) {
        (false, _) => marked.join("; "),
        (true, Some(last)) => (*last).to_owned(),
        (true, None) => output.status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complained(stderr: &str) -> String {
        complaint(&Output { status: ExitStatusExt::from_raw(256), stdout: Vec::new(), stderr: stderr.into() })
    }

    #[test]
    fn what_a_program_complained_about() {
        assert_eq!(complained(""), "exit status: 1");
        assert_eq!(complained("one\ntwo\n\n"), "two");
        assert_eq!(
            complained("I: x\nE: Unable to locate package vim\nE: setup failed\nW: y\n"),
            "Unable to locate package vim; setup failed"
        );
    }
}
