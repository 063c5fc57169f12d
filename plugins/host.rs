//! A machine to run programs on: this one, or one behind ssh.
//!
//! Programs are lists of arguments, never lines for a shell: what an admin typed into a table cannot become a command.

use std::borrow::Cow;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::ssh::{Connection, Exit, Process};
use crate::{Error, Result};

/// All that a program may say on one of its ways; more is one that has gone wild.
const MOST: u64 = 64 << 20;

/// This machine, or one that we are logged in to.
pub enum Host {
    Local,
    Ssh(Arc<Connection>),
}

/// Why a program was not heard to its end.
#[derive(Debug, thiserror::Error)]
#[error("it says more than {} MiB", MOST >> 20)]
struct TooMuch;

/// What came of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    pub exit: Exit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Ran {
    /// Why it failed, in its own last words; nothing where it did not.
    pub fn fault(&self) -> Option<String> {
        match &self.exit {
            Exit::Code(0) => None,
            exit => Some(why(exit, &self.stderr)),
        }
    }
}

impl Host {
    /// Runs a program that must succeed, and returns its output. The error of one that does not names the host, the
    /// arguments and the last line it wrote to stderr.
    pub async fn run(&self, argv: &[&str]) -> Result<Vec<u8>> {
        let ran = self.try_run(argv, &[]).await?;
        match ran.exit {
            Exit::Code(0) => Ok(ran.stdout),
            exit => Err(Error::Refused { what: self.doing(argv), why: why(&exit, &ran.stderr) }),
        }
    }

    /// Runs a program that may fail, and feeds it `stdin`.
    pub async fn try_run(&self, argv: &[&str], stdin: &[u8]) -> Result<Ran> {
        self.try_run_fed(argv, stdin).await
    }

    /// The same with whatever can be read, such as a file; where the reading fails the program sees the end of it.
    pub async fn try_run_fed(&self, argv: &[&str], stdin: impl AsyncRead + Unpin) -> Result<Ran> {
        match self {
            Self::Local => run_here(argv, stdin).await.map_err(|source| self.broken(argv, source)),
            Self::Ssh(connection) => {
                let process = connection.exec(&line(argv)).await?;
                let ran = collect(process, stdin).await;
                ran.map_err(|source| self.broken(argv, source))
            }
        }
    }

    /// The same machine over a login of its own, made now.
    pub async fn again(&self) -> Result<Self> {
        match self {
            Self::Local => Ok(Self::Local),
            Self::Ssh(connection) => Ok(Self::Ssh(Arc::new(connection.again().await?))),
        }
    }

    /// How long a login may take.
    pub(crate) fn login_limit(&self) -> Duration {
        match self {
            Self::Local => Duration::ZERO,
            Self::Ssh(connection) => connection.login_limit(),
        }
    }

    /// How errors and progress name it.
    pub fn name(&self) -> &str {
        match self {
            Self::Local => "this machine",
            Self::Ssh(connection) => &connection.target().host,
        }
    }

    fn doing(&self, argv: &[&str]) -> String {
        match self {
            Self::Local => line(argv),
            Self::Ssh(connection) => format!("{}: {}", connection.target().host, line(argv)),
        }
    }

    fn broken(&self, argv: &[&str], source: io::Error) -> Error {
        match source.get_ref().is_some_and(|cause| cause.is::<TooMuch>()) {
            true => Error::Garbled { what: self.doing(argv), why: source.to_string() },
            false => Error::Unreachable { what: self.doing(argv), source: source.into() },
        }
    }
}

/// The arguments as a POSIX shell has to see them.
pub(crate) fn line(argv: &[&str]) -> String {
    argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

/// One word of a shell's line.
pub(crate) fn quote(word: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@%+=:,./_-".contains(&byte);
    match !word.is_empty() && word.bytes().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")).into(),
    }
}

/// Why a program failed, in its own last words.
pub(crate) fn why(exit: &Exit, stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    match (last, exit) {
        (Some(line), _) => line.into(),
        (None, Exit::Code(code)) => format!("exit code {code}"),
        (None, Exit::Signal(signal)) => format!("ended by signal {signal}"),
    }
}

async fn run_here(argv: &[&str], mut stdin: impl AsyncRead + Unpin) -> io::Result<Ran> {
    let mut command = tokio::process::Command::new(argv.first().copied().unwrap_or_default());
    command.args(argv.get(1..).unwrap_or_default()).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (Some(mut input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let feed = async move {
        // A program need not read its input.
        tokio::io::copy(&mut stdin, &mut input).await.ok();
        Ok(())
    };
    let (stdout, stderr, ()) = tokio::try_join!(whole(output), whole(errors), feed)?;
    Ok(Ran { exit: exit_of(child.wait().await?), stdout, stderr })
}

fn exit_of(status: std::process::ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    let signal = status.signal().and_then(|number| nix::sys::signal::Signal::try_from(number).ok());
    match (status.code(), signal) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal.as_str().trim_start_matches("SIG").into()),
        (None, None) => Exit::Signal("unknown".into()),
    }
}

/// Feeds a program that has begun, and waits for its end; an error means that the connection was lost before.
pub(crate) async fn collect(process: Process, mut stdin: impl AsyncRead + Unpin) -> io::Result<Ran> {
    let Process { stdin: mut input, stdout: output, stderr: errors, exit } = process;
    let feed = async move {
        // A program need not read its input.
        tokio::io::copy(&mut stdin, &mut input).await.ok();
        Ok(())
    };
    let (stdout, stderr, ()) = tokio::try_join!(whole(output), whole(errors), feed)?;
    Ok(Ran { exit: exit.wait().await?, stdout, stderr })
}

/// Reads to the end what a program says, as long as it is not too much to be kept.
pub(crate) async fn whole(stream: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut said = Vec::new();
    stream.take(MOST + 1).read_to_end(&mut said).await?;
    match said.len() as u64 > MOST {
        true => Err(io::Error::other(TooMuch)),
        false => Ok(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        let check = |word: &str, expected: &str| {
            assert_eq!(quote(word), expected);
            let output = std::process::Command::new("sh").arg("-c").arg(format!("printf %s {}", quote(word))).output();
            assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), word);
        };
        check("plain-1.2/x:y@z=3,%+_", "plain-1.2/x:y@z=3,%+_");
        check("", "''");
        check("two words", "'two words'");
        check("it's", r"'it'\''s'");
        check("$(reboot); `x` \"q\" \\ * \n!~", "'$(reboot); `x` \"q\" \\ * \n!~'");
        check("ünïcode", "'ünïcode'");
    }

    #[tokio::test]
    async fn programs_run_here() {
        let ran = Host::Local.try_run(&["sh", "-c", "cat; echo err >&2; exit 3"], b"in").await.unwrap();
        assert_eq!(ran, Ran { exit: Exit::Code(3), stdout: b"in".to_vec(), stderr: b"err\n".to_vec() });
        let ran = Host::Local.try_run(&["sh", "-c", "kill -KILL $$"], b"").await.unwrap();
        assert_eq!(ran.exit, Exit::Signal("KILL".into()));
        let error = Host::Local.run(&["sh", "-c", "echo a >&2; echo 'b c' >&2; exit 1"]).await.unwrap_err();
        assert_eq!(error.to_string(), "sh -c 'echo a >&2; echo '\\''b c'\\'' >&2; exit 1': b c");
        let error = Host::Local.run(&["/nonexistent"]).await.unwrap_err();
        assert!(error.to_string().contains("/nonexistent"), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_never_stops_talking_does_not_fill_the_memory() {
        for line in ["yes", "yes >&2"] {
            let error = Host::Local.run(&["sh", "-c", line]).await.unwrap_err();
            assert!(error.to_string().ends_with("it says more than 64 MiB"), "{error}");
            assert!(!error.is_unreachable());
        }
    }
}
