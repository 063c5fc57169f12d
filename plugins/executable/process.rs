//! One run of an executable: what it is told, what it says, and its end.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::Value;

use super::words::Words;
use crate::{Error, Result};

/// The version of the contract.
pub(super) const CONTRACT: u32 = 1;
/// All that it may answer in one run.
const MOST: usize = 16 << 20;
/// How long its last words are waited for once it has ended. What it has left running may hold its error output open.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(300);

/// A line that it says.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Message {
    Progress(#[expect(dead_code, reason = "whoever asks for power waits for an answer only")] String),
    Warning(String),
    Result(Value),
    Error(String),
}

/// What came of a run: its warnings, however it has ended.
pub(super) struct Heard {
    pub(super) warnings: Vec<String>,
    pub(super) ended: Result<Value>,
}

/// A run to its end.
struct Ran {
    said: Vec<u8>,
    code: i32,
    words: Words,
}

/// The processes of a run; they end when nobody waits for them any more.
pub(super) struct Group(pub(super) u32);

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(id) = i32::try_from(self.0) {
            killpg(Pid::from_raw(id), Signal::SIGKILL).ok(); // gone already is as well
        }
    }
}

/// A command whose processes are a group, so that Ctrl-C is for us alone.
pub(super) fn command(path: &Path, method: &str) -> Command {
    let mut command = Command::new(path);
    command.arg(method).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command
}

/// Runs a method to its end, which has to come within `limit`.
pub(super) async fn ask(path: &Path, method: &str, request: &Value, limit: Duration) -> Heard {
    let (path, method, request) = (path.to_owned(), method.to_owned(), request.clone());
    let asking = tokio::task::spawn_blocking(move || ask_now(&path, &method, &request, limit));
    asking.await.unwrap_or_else(|error| {
        let error = Error::Refused { what: "cannot wait".into(), why: error.to_string() };
        Heard { warnings: Vec::new(), ended: Err(error) }
    })
}

/// The same for those who cannot do anything else meanwhile.
pub(super) fn ask_now(path: &Path, method: &str, request: &Value, limit: Duration) -> Heard {
    let mut warnings = Vec::new();
    let ended = run(path, method, request, limit).and_then(|ran| {
        let ended = result(&String::from_utf8_lossy(&ran.said), ran.code, &mut warnings);
        ended.map_err(|why| refused(path, method, format!("{why}{}", ran.words.tail())))
    });
    Heard { warnings, ended }
}

fn run(path: &Path, method: &str, request: &Value, limit: Duration) -> Result<Ran> {
    let cannot =
        |error: io::Error| Error::Refused { what: format!("cannot run {}", path.display()), why: error.to_string() };
    let mut child = command(path, method).spawn().map_err(cannot)?;
    let group = Group(child.id());
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let line = format!("{request}\n");
    thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(line.as_bytes()).ok())); // one that does not read it says so by its answer
    let words = Words::default();
    let (mut heard, (silent, silence)) = (words.clone(), mpsc::channel::<()>());
    thread::spawn(move || {
        stderr.map(|mut stderr| io::copy(&mut stderr, &mut heard).ok()); // what was heard counts
        drop(silent);
    });
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let said = said(stdout);
        // One that has said too much has perhaps not ended.
        let status = (said.len() <= MOST).then(|| child.wait());
        done.send((said, status)).ok(); // nobody waits any more
        child.wait().ok(); // its number is free again
    });
    let Ok((said, status)) = ended.recv_timeout(limit) else {
        return Err(Error::TimedOut { what: told(path, method), after: limit });
    };
    drop(group);
    let Some(status) = status else {
        return Err(refused(path, method, format!("it said more than {} MiB", MOST >> 20)));
    };
    let code = status.map_err(cannot)?.code().unwrap_or(-1);
    silence.recv_timeout(LAST_WORDS).ok(); // its end, or what there is by then
    Ok(Ran { said, code, words })
}

fn told(path: &Path, method: &str) -> String {
    format!("{method} of {}", path.display())
}

fn refused(path: &Path, method: &str, why: String) -> Error {
    Error::Refused { what: told(path, method), why }
}

fn said(stdout: Option<impl Read>) -> Vec<u8> {
    let mut said = Vec::new();
    if let Some(stdout) = stdout {
        stdout.take(MOST as u64 + 1).read_to_end(&mut said).ok(); // what there is counts
    }
    said
}

/// What came of a run; it warns in any case.
fn result(said: &str, code: i32, warnings: &mut Vec<String>) -> std::result::Result<Value, String> {
    let mut ended = None;
    for line in said.lines().filter(|line| !line.trim().is_empty()) {
        let message: Message = serde_json::from_str(line).map_err(|error| {
            let start: String = line.chars().take(60).collect();
            format!("it said '{start}', which is no message of the contract: {error}")
        })?;
        let end = match message {
            Message::Progress(_) => continue,
            Message::Warning(warning) => {
                warnings.push(warning);
                continue;
            }
            Message::Result(value) => Ok(value),
            Message::Error(why) => Err(why),
        };
        if ended.replace(end).is_some() {
            return Err("it said more than one result".into());
        }
    }
    match (ended, code) {
        (Some(Err(why)), _) => Err(why),
        (Some(Ok(value)), 0) => Ok(value),
        (Some(Ok(_)), code) => Err(format!("it said a result and ended with {code}")),
        (None, code) => Err(format!("it ended with {code} and without a result")),
    }
}
