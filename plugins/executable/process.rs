//! One run of an executable: what it is told, what it says, and its end.

use std::io::{Read, Write};
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

use crate::{Error, Result};

/// The version of the contract.
pub(super) const CONTRACT: u32 = 1;
/// All that it may say in one run, and of what it says to people.
const MOST: u64 = 1 << 20;
const WORDS: usize = 2000;

/// A line that it says.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Message {
    Progress(#[expect(dead_code, reason = "whoever asks for power waits for an answer only")] String),
    Warning(String),
    Result(Value),
    Error(String),
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
pub(super) async fn ask(path: &Path, method: &str, request: &Value, limit: Duration) -> Result<Value> {
    let (path, method, request) = (path.to_owned(), method.to_owned(), request.clone());
    let asking = tokio::task::spawn_blocking(move || ask_now(&path, &method, &request, limit));
    asking.await.unwrap_or_else(|error| Err(Error::Refused { what: "cannot wait".into(), why: error.to_string() }))
}

/// The same for those who cannot do anything else meanwhile.
pub(super) fn ask_now(path: &Path, method: &str, request: &Value, limit: Duration) -> Result<Value> {
    let what = || format!("{method} of {}", path.display());
    let cannot = |error: std::io::Error| Error::Refused {
        what: format!("cannot run {}", path.display()),
        why: error.to_string(),
    };
    let mut child = command(path, method).spawn().map_err(cannot)?;
    let group = Group(child.id());
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let line = format!("{request}\n");
    thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(line.as_bytes()).ok())); // one that does not read it says so by its answer
    let (done, ended) = mpsc::channel();
    let words = thread::spawn(move || read(stderr));
    thread::spawn(move || {
        let said = read(stdout);
        done.send((said, child.wait())).ok(); // nobody waits any more
    });
    let Ok((said, status)) = ended.recv_timeout(limit) else {
        return Err(Error::TimedOut { what: what(), after: limit });
    };
    // What it has left running would hold its error output open.
    drop(group);
    let code = status.map_err(cannot)?.code().unwrap_or(-1);
    let words = words.join().unwrap_or_default();
    result(&String::from_utf8_lossy(&said), code).map_err(|why| {
        let tail = tail(&String::from_utf8_lossy(&words));
        Error::Refused { what: what(), why: format!("{why}{tail}") }
    })
}

fn read(from: Option<impl Read>) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(from) = from {
        from.take(MOST).read_to_end(&mut text).ok(); // what there is counts
    }
    text
}

/// The last of what it said to people.
pub(super) fn tail(words: &str) -> String {
    let words = words.trim();
    let start = words.char_indices().rev().take(WORDS).last().map_or(0, |(at, _)| at);
    if words.is_empty() { String::new() } else { format!("\n{}", &words[start..]) }
}

/// What came of a run.
fn result(said: &str, code: i32) -> std::result::Result<Value, String> {
    let mut ended = None;
    for line in said.lines().filter(|line| !line.trim().is_empty()) {
        let message: Message = serde_json::from_str(line).map_err(|error| {
            let start: String = line.chars().take(60).collect();
            format!("it said '{start}', which is no message of the contract: {error}")
        })?;
        let end = match message {
            Message::Progress(_) => continue,
            Message::Warning(warning) => {
                tracing::warn!(warning);
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
