//! A console by an executable: method `console`. Its standard input begins with the line of the request; from then on that is what the user
//! types, and its standard output is what the node says, byte for byte. It ends when the session does. What it says on standard error is
//! told only where it fails: a terminal that shows a node has no place for it.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::once;
use serde_json::json;
use tables::Node;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};
use tokio_util::io::{ReaderStream, StreamReader};
use tokio_util::task::AbortOnDropHandle;

use super::mask::Mask;
use super::process::{self, Group, LAST_WORDS};
use super::words::Words;
use super::{Capability, Executable};
use crate::{Attach, Console, Control, Error, Interruption, Invocation, Power, PowerState, Result, Session, Size};

/// One that cannot open the console says so at once.
const AT_ONCE: Duration = Duration::from_millis(300);
/// Between two looks whether the node runs.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A run that is a console: what it has started ends with it.
struct Run {
    _group: Group,
}

/// Its end: what it says until then, and to people.
struct End {
    child: Child,
    words: Words,
    hearing: AbortOnDropHandle<()>,
    mask: Mask,
}

#[async_trait]
impl Console for Executable {
    async fn attach(&self, node: &Node, attach: Attach) -> Result<Session> {
        if self.can(Capability::Power) {
            let reading = Power::state(self, node).await?;
            if reading.state == PowerState::Off {
                return Err(Error::NotRunning { state: reading.word });
            }
        }
        let size = attach.size.map(|size| json!({ "rows": size.rows, "columns": size.columns }));
        let request = self.request("console", node, json!({ "size": size, "force": attach.take_over }));
        self.opened(node, &format!("{request}\n")).await
    }

    async fn open(&self, _: &Node, _: &Invocation, _: Option<Size>) -> Result<Session> {
        Err(self.unable("a program on the console"))
    }

    async fn wait_running(&self, node: &Node) -> Result<()> {
        loop {
            sleep(LOOK_AGAIN).await;
            if !self.can(Capability::Power) || Power::state(self, node).await?.state != PowerState::Off {
                return Ok(());
            }
        }
    }
}

impl Executable {
    async fn opened(&self, node: &Node, request: &str) -> Result<Session> {
        let what = || format!("console of backend {}", self.name);
        let cannot = |error: io::Error| Error::Refused { what: what(), why: error.to_string() };
        let mut command = Command::from(process::command(&self.path, "console"));
        let mut child = command.kill_on_drop(true).spawn().map_err(cannot)?;
        let group = Group(child.id().unwrap_or_default());
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(cannot(io::ErrorKind::BrokenPipe.into()));
        };
        let words = Words::default();
        let hearing = AbortOnDropHandle::new(tokio::spawn(words.clone().follow(stderr)));
        let mut end = End { child, words, hearing, mask: Mask::of(node) };
        let written = timeout(self.limit, stdin.write_all(request.as_bytes())).await;
        written.map_err(|_| Error::TimedOut { what: what(), after: self.limit })?.ok(); // one that does not read it has ended
        if let Ok(ended) = timeout(AT_ONCE, end.child.wait()).await {
            let code = ended.map_err(cannot)?.code().unwrap_or(-1);
            drop(group);
            let why = format!("it ended at once with {code}{}", end.last_words().await);
            return Err(Error::Refused { what: what(), why });
        }
        let control = Box::new(Run { _group: group });
        Ok(Session { output: said(stdout, end), input: Some(Box::new(stdin)), note: None, control })
    }
}

/// What the node says; behind it why the program has failed, if it has. Nothing where the node has ended the console.
fn said(stdout: ChildStdout, end: End) -> Box<dyn AsyncRead + Send + Unpin> {
    let fault = once(end.fault()).filter_map(async |fault| Some(Err(io::Error::other(Interruption(fault?)))));
    Box::new(StreamReader::new(Box::pin(ReaderStream::new(stdout).chain(fault))))
}

impl End {
    async fn fault(mut self) -> Option<String> {
        let code = timeout(AT_ONCE, self.child.wait()).await.ok()?.ok()?.code().unwrap_or(-1);
        let words = self.last_words().await;
        // One line, which the terminal that shows the node does not obey.
        let last: String = words.lines().last().unwrap_or_default().chars().filter(|word| !word.is_control()).collect();
        let colon = if last.is_empty() { "" } else { ": " };
        (code != 0).then(|| format!("its program ended with {code}{colon}{last}"))
    }

    /// What it has said to people, as far as anybody is to see it.
    async fn last_words(&mut self) -> String {
        // What it has left running may hold its error output open: then what there is by now counts.
        timeout(LAST_WORDS, &mut self.hearing).await.ok();
        self.mask.over(&self.words.tail())
    }
}

#[async_trait]
impl Control for Run {}
