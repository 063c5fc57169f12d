//! Consoles of containers: attaching to a terminal, following a log, watching for a restart.
//!
//! The engine gives a new watcher nothing of what was said before, and forgets the window size with every start.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tables::Node;
use tokio_util::io::ReaderStream;

use super::engine::{Engine, Refusal, filters};
use super::guests::{absent_or, inspect};
use super::moment::unix_seconds;
use super::stream::{self as output, Output};
use super::{Docker, program};
use crate::{Attach, Console, Control, Error, Invocation, Result, Session, Size};

/// The keys at which the engine itself ends a session. The first is held back until the next comes, so it is one that
/// shows no effect (Ctrl-@); unset they would be Ctrl-P Ctrl-Q, and Ctrl-P is a shell's previous command.
pub(super) const DETACH_KEYS: &str = "ctrl-@,ctrl-^,ctrl-@,ctrl-_";
/// The lines of its log that come first where no window says how many fit.
const LINES: u16 = 24;
/// How long an attached stream may be silent before it counts as read so far.
const MOMENT: Duration = Duration::from_millis(20);
/// A container that stops is still called running for this long after its output has ended.
const STOPPING: Duration = Duration::from_millis(300);

#[async_trait]
impl Console for Docker {
    /// For everybody; nothing is to be taken from anybody.
    async fn attach(&self, node: &Node, Attach { size, take_over: _ }: Attach) -> Result<Session> {
        let engine = self.engine(node).await?;
        let found = inspect(&engine, node.name()).await?;
        let id = found["Id"].as_str().unwrap_or_else(|| node.name()).to_owned();
        let container = Container { engine, name: node.name().to_owned(), id };
        if !runs(&found) {
            let state = found["State"]["Status"].as_str().unwrap_or("off").to_owned();
            return Err(Error::NotRunning { state });
        }
        if found["Config"]["Tty"] == true {
            container.attach(&found, size).await
        } else {
            container.follow(&found, size).await
        }
    }

    async fn open(&self, node: &Node, invocation: &Invocation, size: Option<Size>) -> Result<Session> {
        program::open(self.engine(node).await?, node.name(), invocation, size).await
    }

    async fn wait_running(&self, node: &Node) -> Result<()> {
        let engine = self.engine(node).await?;
        tokio::select! {
            waited = wait_running(&engine, node.name()) => waited,
            lost = output::silence(&engine) => Err(lost),
        }
    }
}

fn runs(found: &Value) -> bool {
    // One that dies again and again is "running" while it waits for its next try.
    found["State"]["Running"] == true && found["State"]["Restarting"] != true
}

/// A container whose console is open.
struct Container {
    engine: Arc<Engine>,
    name: String,
    id: String,
}

impl Container {
    /// The container's own terminal, and before it what fits into the caller's window of what it said last.
    async fn attach(self, found: &Value, size: Option<Size>) -> Result<Session> {
        let keys = DETACH_KEYS.replace('@', "%40").replace('^', "%5E");
        let options = format!("stream=1&stdin=1&stdout=1&stderr=1&detachKeys={keys}");
        let upgraded = self.engine.upgrade(&format!("/containers/{}/attach?{options}", self.id), None).await?;
        let upgraded = upgraded.map_err(|no| self.refused(no, "attach"))?;
        let (mut reader, writer) = tokio::io::split(TokioIo::new(upgraded));
        let mut replay = Bytes::new();
        if let Some(size) = size {
            // A log that cannot be read (its driver may send it away) is no reason to refuse the console.
            let log = self.log(found, size.rows.saturating_sub(1)).await?.unwrap_or_default();
            let early = output::early(&mut reader, MOMENT).await;
            let early = early.map_err(|source| self.lost(source))?;
            replay = output::joined(&log, &early);
            self.redraw(size).await?;
        }
        let pieces = stream::iter([Ok(replay)]).chain(ReaderStream::new(reader));
        let open = found["Config"]["OpenStdin"] == true;
        Ok(Session {
            output: Box::new(Output::new(self.engine.clone(), pieces)),
            input: if open { Some(Box::new(writer)) } else { None },
            note: (!open)
                .then(|| format!("{} has a terminal but takes no input: its standard input is closed", self.name)),
            control: Box::new(self),
        })
    }

    /// The log of a container without a terminal, from its last lines on.
    async fn follow(self, found: &Value, size: Option<Size>) -> Result<Session> {
        let path = format!("{}&follow=1", self.log_path(found, size.map_or(LINES, |size| size.rows.saturating_sub(1))));
        let body = self.engine.follow(&path).await?.map_err(|no| self.refused(no, "follow the log"))?;
        let name = &self.name;
        let note = format!(
            "{name} has no terminal, this is its log; for a console: chdef {name} dockertty=yes, then mkvm --force {name}; \
             for a shell: rcons {name} -- sh"
        );
        Ok(Session {
            output: Box::new(Output::new(self.engine.clone(), output::log(body))),
            input: None,
            note: Some(note),
            control: Box::new(self),
        })
    }

    async fn log(&self, found: &Value, lines: u16) -> Result<std::result::Result<Bytes, Refusal>> {
        let answer = self.engine.ask(Method::GET, &self.log_path(found, lines), None).await?;
        Ok(answer.map(|answer| answer.body))
    }

    /// The last lines of what it said since it was last stopped, so that after a restart nothing is said twice and
    /// nothing is lost.
    fn log_path(&self, found: &Value, lines: u16) -> String {
        let stopped = found["State"]["FinishedAt"].as_str().and_then(unix_seconds);
        let since = stopped.map(|seconds| format!("&since={seconds}")).unwrap_or_default();
        format!("/containers/{}/logs?stdout=1&stderr=1&tail={lines}{since}", self.id)
    }

    /// Sets the window size by way of another one: a program redraws only when its window changes.
    async fn redraw(&self, size: Size) -> Result<()> {
        self.resize(Size { rows: size.rows.saturating_add(1), columns: size.columns.saturating_add(1) }).await?;
        self.resize(size).await
    }

    fn refused(&self, no: Refusal, doing: &str) -> Error {
        absent_or(no, &self.engine.host, doing)
    }

    fn lost(&self, source: std::io::Error) -> Error {
        Error::Unreachable { what: self.engine.host.clone(), source: Box::new(source) }
    }
}

#[async_trait]
impl Control for Container {
    async fn resize(&self, size: Size) -> Result<()> {
        let path = format!("/containers/{}/resize?h={}&w={}", self.id, size.rows, size.columns);
        // One that has just stopped has no window; the next session sets it anew.
        self.engine.ask(Method::POST, &path, None).await.map(drop)
    }
}

/// Waits for the container, also for one of that name that is made anew meanwhile.
async fn wait_running(engine: &Engine, name: &str) -> Result<()> {
    let starts = filters(&json!({ "container": [name], "event": ["start", "unpause"] }));
    let events = engine.follow(&format!("/events?{starts}")).await?;
    let mut events = events.map_err(|no| no.into_error(&engine.host, "watch for events"))?;
    loop {
        if let Some(started) = started(engine, name).await? {
            tokio::time::sleep(STOPPING).await;
            if self::started(engine, name).await? == Some(started) {
                return Ok(());
            }
        }
        match events.frame().await {
            Some(Ok(_)) => (),
            Some(Err(source)) => {
                return Err(Error::Unreachable { what: engine.host.clone(), source: Box::new(source) });
            }
            None => {
                let why = "the engine has ended its list of events".into();
                return Err(Error::Refused { what: engine.host.clone(), why });
            }
        }
    }
}

/// Since when the container runs; None when it does not, or does not exist.
async fn started(engine: &Engine, name: &str) -> Result<Option<Value>> {
    match inspect(engine, name).await {
        Ok(found) => Ok(runs(&found).then(|| found["State"]["StartedAt"].clone())),
        Err(Error::Absent { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
