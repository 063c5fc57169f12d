//! Programs on a terminal of their own in a container.
//!
//! The engine lets a program run on for ever when its connection ends, and has no request to end it. So every program
//! carries a [`mark`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::Method;
use tokio::time::{Instant, sleep};
use tokio_util::io::ReaderStream;

use super::engine::{Asked, Engine};
use super::exec::{self, Terminal};
use super::stream::Output;
use crate::{Control, Error, Invocation, Program, Result, Session, Size, mark};

/// How long a program may take to end after each signal.
const ENDING: Duration = Duration::from_secs(3);
/// How long a new program may take to have a window.
const STARTING: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

/// Starts a program in a running container.
pub(super) async fn open(
    engine: Arc<Engine>,
    container: &str,
    invocation: &Invocation,
    size: Option<Size>,
) -> Result<Session> {
    let argv = match &invocation.program {
        Program::Shell(line) => ["/bin/sh", "-c", line].map(str::to_owned).to_vec(),
        Program::Argv(argv) => argv.clone(),
    };
    let mark = mark::new();
    let mut marked = invocation.clone();
    marked.environment.insert(mark::VARIABLE.into(), mark.clone());
    let terminal = Terminal::Own { size };
    let id = exec::create(&engine, container, &marked, &argv, terminal).await?;
    let (reader, writer) = tokio::io::split(exec::start(&engine, &id, terminal).await?);
    let running =
        Running { engine: engine.clone(), container: container.to_owned(), id, mark, user: invocation.user.clone() };
    if let Some(size) = size {
        running.first_size(size).await?;
    }
    Ok(Session {
        output: Box::new(Output::new(engine, ReaderStream::new(reader))),
        input: Some(Box::new(writer)),
        note: None,
        control: Box::new(running),
    })
}

/// A program that was started.
struct Running {
    engine: Arc<Engine>,
    container: String,
    id: String,
    mark: String,
    user: Option<String>,
}

impl Running {
    /// Sets the size as soon as the engine has made the window, which is a moment after it said so.
    async fn first_size(&self, size: Size) -> Result<()> {
        let end = Instant::now() + STARTING;
        while self.set_size(size).await?.is_err() && Instant::now() < end {
            sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn set_size(&self, size: Size) -> Asked<()> {
        let path = format!("/exec/{}/resize?h={}&w={}", self.id, size.rows, size.columns);
        Ok(self.engine.ask(Method::POST, &path, None).await?.map(drop))
    }

    /// Waits for the end, but not for long; true if it came.
    async fn ends(&self) -> Result<bool> {
        let end = Instant::now() + ENDING;
        while Instant::now() < end {
            if exec::ended(&self.engine, &self.id).await?.is_some() {
                return Ok(true);
            }
            sleep(PAUSE).await;
        }
        Ok(false)
    }

    async fn signal(&self, signal: &str) -> Result<()> {
        let argv = mark::signal(signal, &self.mark);
        // Only the same user may look into a program's environment.
        let same_user = Invocation { user: self.user.clone(), ..Invocation::default() };
        let id = exec::create(&self.engine, &self.container, &same_user, &argv, Terminal::None).await?;
        exec::start(&self.engine, &id, Terminal::None).await.map(drop)
    }
}

#[async_trait]
impl Control for Running {
    async fn resize(&self, size: Size) -> Result<()> {
        self.set_size(size).await.map(drop)
    }

    async fn exit_code(&self) -> Result<Option<i64>> {
        exec::exit_code(&self.engine, &self.id).await.map(Some)
    }

    /// Nobody else can be attached to a program's terminal.
    async fn attached(&self) -> Result<Option<Vec<String>>> {
        Ok(Some(Vec::new()))
    }

    /// Hangs up, as a terminal does that goes away; what does not care is killed.
    async fn close(&self) -> Result<()> {
        if exec::ended(&self.engine, &self.id).await?.is_some() {
            return Ok(());
        }
        for signal in ["HUP", "KILL"] {
            self.signal(signal).await?;
            if self.ends().await? {
                return Ok(());
            }
        }
        let what = format!("{}: cannot end the program in {}", self.engine.host, self.container);
        Err(Error::Refused { what, why: "it does not end, or the image has no grep and kill".into() })
    }
}
