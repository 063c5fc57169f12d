//! A console by an executable: method `console`. Its standard input begins with the line of the request; from then on that is what the user
//! types, and its standard output is what the node says, byte for byte. It ends when the session does.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tables::Node;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{sleep, timeout};

use super::process::{self, Group};
use super::{Capability, Executable};
use crate::{Attach, Console, Control, Error, Invocation, Power, PowerState, Result, Session, Size};

/// One that cannot open the console says so at once.
const AT_ONCE: Duration = Duration::from_millis(300);
/// Between two looks whether the node runs.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A run that is a console.
struct Run {
    _child: Child,
    _group: Group,
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
        let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(cannot(io::ErrorKind::BrokenPipe.into()));
        };
        let written = timeout(self.limit, stdin.write_all(request.as_bytes())).await;
        written.map_err(|_| Error::TimedOut { what: what(), after: self.limit })?.ok(); // one that does not read it has ended
        if let Ok(ended) = timeout(AT_ONCE, child.wait()).await {
            let code = ended.map_err(cannot)?.code().unwrap_or(-1);
            drop(group);
            let why = format!("it ended at once with {code}{}", process::tail(&words(stderr).await));
            return Err(self.masked(node, Error::Refused { what: what(), why }));
        }
        let control = Box::new(Run { _child: child, _group: group });
        Ok(Session { output: Box::new(stdout), input: Some(Box::new(stdin)), note: None, control })
    }
}

async fn words(stderr: Option<ChildStderr>) -> String {
    let mut words = Vec::new();
    if let Some(stderr) = stderr {
        stderr.take(1 << 16).read_to_end(&mut words).await.ok(); // what there is counts
    }
    String::from_utf8_lossy(&words).into_owned()
}

/// What it started ends with it.
#[async_trait]
impl Control for Run {}
