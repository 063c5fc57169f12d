//! A finished program and how it reads as one snapshot text.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use regex::Regex;

use crate::error::{Error, Result};
use crate::stream::Stream;

/// What a finished program said. Its text form (`Display`) is made for snapshots: what differs from run to run has a name instead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Run {
    /// Everything written to standard output, as it was.
    pub stdout: String,
    /// Everything written to standard error, as it was.
    pub stderr: String,
    /// The exit status; 128 + N if signal N ended the program.
    pub code: i32,
    /// Texts to be replaced by names when shown, such as the path of the home directory.
    pub(crate) names: Names,
}

/// Texts and the names that they are shown by.
pub(crate) type Names = Vec<(String, &'static str)>;

impl Run {
    /// The same with the lines of each stream in order, for programs whose nodes answer as they like.
    pub fn sorted(mut self) -> Self {
        self.stdout = sort_lines(&self.stdout);
        self.stderr = sort_lines(&self.stderr);
        self
    }

    /// Standard output of a program that must have succeeded without its last line end.
    ///
    /// # Panics
    /// If the program failed.
    #[track_caller]
    pub fn success(self) -> String {
        assert!(self.code == 0, "the program failed:\n{self}");
        self.stdout.trim_end().to_owned()
    }
}

fn sort_lines(text: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines.sort_unstable();
    lines.concat()
}

impl fmt::Display for Run {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&with_line_end(&self.named(&self.stdout)))?;
        if !self.stderr.is_empty() {
            write!(out, "------- stderr -------\n{}", with_line_end(&self.named(&self.stderr)))?;
        }
        if self.code != 0 {
            writeln!(out, "[exit status: {}]", self.code)?;
        }
        Ok(())
    }
}

fn with_line_end(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}[no line end]\n") }
}

impl Run {
    fn named(&self, text: &str) -> String {
        let text = self.names.iter().fold(text.to_owned(), |text, (value, name)| text.replace(value, name));
        PATTERNS.iter().fold(text, |text, (pattern, name)| pattern.replace_all(&text, *name).into_owned())
    }
}

/// What is new in every run whoever wrote it. `$$` is a dollar sign to `Regex::replace_all`.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?", "$$TIME"),
        (r"\b\d\d-\d\d-\d{4} \d\d:\d\d:\d\d\b", "$$TIME"),
        (r"\b[0-9a-f]{64}\b", "$$ID"),
        (r"\b[0-9a-f]{12}\b", "$$ID"),
        (r"\bplan [0-9a-f]{16}\b", "plan $$PLAN"),
        (r#""plan":"[0-9a-f]{16}""#, r#""plan":"$$PLAN""#),
        (r"\bfinished: [0-9a-f]{16}\b", "finished: $$PLAN"),
        (r"\bdown \d+\.\d\d s\b", "down $$SECONDS"),
        (r"\bSHA256:[A-Za-z0-9+/]{43}", "$$FINGERPRINT"),
    ]
    .map(|(pattern, name)| (Regex::new(pattern).expect("the patterns are constants"), name))
    .into()
});

/// A program that is killed when the thread that starts it ends, so that it cannot outlive a killed test.
pub(crate) fn bound(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// Starts `command` with all its streams piped.
pub(crate) fn start(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(|source| Error::Start { what: format!("{command:?}"), source })
}

/// Runs `command` to its end with `input` as its standard input.
pub(crate) fn run(command: &mut Command, input: &str, limit: Duration) -> Result<Run> {
    let mut child = start(command)?;
    let mut stdin = child.stdin.take();
    let input = input.to_owned();
    // A program may well end without reading what it was given: a broken pipe is no failure of ours.
    std::thread::spawn(move || stdin.take().map(|mut pipe| pipe.write_all(input.as_bytes())));
    finish(child, &format!("{command:?}"), limit)
}

/// Waits for the end of a program started by [`start`]; kills it when `limit` is over.
fn finish(mut child: Child, what: &str, limit: Duration) -> Result<Run> {
    let stdout = child.stdout.take().map(Stream::new);
    let stderr = child.stderr.take().map(Stream::new);
    end(&mut child, what, limit, &[stdout.as_ref(), stderr.as_ref()])
}

/// Waits for the end of a program and of what it writes, to be taken for standard output and standard error.
pub(crate) fn end(child: &mut Child, what: &str, limit: Duration, streams: &[Option<&Stream>; 2]) -> Result<Run> {
    let end = Instant::now() + limit;
    let ended = |stream: &&Stream| stream.ends(end.saturating_duration_since(Instant::now()));
    let texts = || streams.map(|stream| stream.map(Stream::text).unwrap_or_default());
    if !streams.iter().flatten().all(ended) {
        child.kill().ok(); // if it has just ended by itself, so much the better
        child.wait().ok();
        return Err(Error::TimedOut { what: what.to_owned(), limit, status: format!("so far: {:?}", texts()) });
    }
    let status = child.wait().map_err(|source| Error::Start { what: what.to_owned(), source })?;
    let [stdout, stderr] = texts();
    Ok(Run { stdout, stderr, code: code(status), names: Vec::new() })
}

/// Runs `command` and wants it to succeed: its standard output.
pub(crate) fn must(command: &mut Command, limit: Duration) -> Result<String> {
    let run = run(command, "", limit)?;
    if run.code != 0 {
        let output = format!("{}{}", run.stdout, run.stderr).trim_end().to_owned();
        return Err(Error::Failed {
            what: format!("{command:?}"),
            status: format!("exit status {}", run.code),
            output,
        });
    }
    Ok(run.stdout)
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(stdout: &str, stderr: &str, code: i32) -> Run {
        Run { stdout: stdout.into(), stderr: stderr.into(), code, names: vec![("/tmp/x/home".into(), "$HOME")] }
    }

    #[test]
    fn reads_as_one_text() {
        let check = |run: Run, expected: &str| assert_eq!(run.to_string(), expected);
        check(ended("", "", 0), "");
        check(ended("n1: on\n", "", 0), "n1: on\n");
        check(ended("n1: on", "", 0), "n1: on[no line end]\n");
        check(ended("n1: on\n", "oh\n", 1), "n1: on\n------- stderr -------\noh\n[exit status: 1]\n");
        check(ended("n2\nn1\n", "b\na\n", 0).sorted(), "n1\nn2\n------- stderr -------\na\nb\n");
    }

    #[test]
    fn names_what_differs_from_run_to_run() {
        let check = |text: &str, expected: &str| assert_eq!(ended(text, "", 0).named(text), expected);
        check("see /tmp/x/home/a", "see $HOME/a");
        check("at 2026-11-21T04:48:27.47Z, 2026-11-21 04:48:27, 11-21-2026 04:48:27", "at $TIME, $TIME, $TIME");
        check(&format!("sha256:{}", "0f".repeat(32)), "sha256:$ID");
        check("c1 0123456789ab up", "c1 $ID up");
        check("02:77:00:00:00:01 4096 0123456789abc", "02:77:00:00:00:01 4096 0123456789abc");
    }

    #[test]
    fn a_program_is_given_input_and_its_end_is_seen() {
        let limit = Duration::from_secs(20);
        let echo = run(Command::new("sh").args(["-c", "cat; echo oh >&2; exit 3"]), "hello\n", limit).unwrap();
        assert_eq!((echo.stdout.as_str(), echo.stderr.as_str(), echo.code), ("hello\n", "oh\n", 3));
        let killed = run(Command::new("sh").args(["-c", "kill -9 $$"]), "", limit).unwrap();
        assert_eq!(killed.code, 137);
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let error = run(Command::new("sleep").arg("1000"), "", Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    }
}
