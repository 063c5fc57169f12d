//! Running programs in containers.
//!
//! The engine cannot end a program that it has started, so a shell in front of it tells its process id first; dropping
//! the future then sends that group a signal from inside the container.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::Method;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tables::Node;
use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio::sync::mpsc;

use super::console::DETACH_KEYS;
use super::engine::Engine;
use super::frames::next_frame;
use super::guests::absent_or;
use super::{Docker, handle};
use crate::{Error, Exec, Invocation, Output, Program, Result, Size};

/// Prints its process id on a line of its own, then becomes the program.
const LEADER: &str = "echo $$; exec \"$0\" \"$@\"";
/// Ends the group of process `$0`, whether it wants to or not.
const END: &str = "kill -TERM -\"$0\" || kill -TERM \"$0\"; sleep 1; kill -KILL -\"$0\"";
/// The engine may know of the end of the output a little before it knows the exit code.
const CODE_ATTEMPTS: usize = 50;
const CODE_PAUSE: Duration = Duration::from_millis(20);

#[async_trait]
impl Exec for Docker {
    async fn run(&self, node: &Node, invocation: &Invocation, output: mpsc::Sender<Output>) -> Result<i64> {
        let engine = self.engine(node).await?;
        let (argv, leads) = led(&invocation.program);
        let id = create(&engine, node.name(), invocation, &argv, Terminal::None).await?;
        let stream = start(&engine, &id, Terminal::None).await?;
        let (mut reader, writer) = tokio::io::split(stream);
        let feed = feed(writer, &invocation.stdin);
        let (container, user) = (node.name().to_owned(), invocation.user.clone());
        let mut ending = Ending { engine: engine.clone(), container, user, leader: None };
        let read = async {
            let mut before_pid = leads;
            while let Some(piece) = next_frame(&mut reader).await? {
                let piece = if before_pid { ending.learn(piece, &mut before_pid) } else { Some(piece) };
                // A caller that no longer listens still gets the exit code.
                if let Some(piece) = piece {
                    output.send(piece).await.ok();
                }
            }
            std::io::Result::Ok(())
        };
        let (ended, ()) = tokio::join!(read, feed);
        ending.leader = None;
        ended.map_err(|source| Error::Unreachable { what: engine.host.clone(), source: source.into() })?;
        exit_code(&engine, &id).await
    }
}

/// The program behind a leader, if the image can be taken to have a shell for it: when it runs one anyway.
fn led(program: &Program) -> (Vec<String>, bool) {
    let lead = ["/bin/sh", "-c", LEADER].map(str::to_owned).into_iter();
    match program {
        Program::Shell(line) => (lead.chain(["/bin/sh".into(), "-c".into(), line.clone()]).collect(), true),
        Program::Argv(argv) if argv.first().is_some_and(|word| word == "sh") => {
            (lead.chain(argv.iter().cloned()).collect(), true)
        }
        Program::Argv(argv) => (argv.clone(), false),
    }
}

/// Whether a program gets a terminal.
#[derive(Clone, Copy)]
pub(super) enum Terminal {
    None,
    Own { size: Option<Size> },
}

impl Terminal {
    fn is_there(self) -> bool {
        matches!(self, Self::Own { .. })
    }

    fn size(self) -> Option<[u16; 2]> {
        match self {
            Self::Own { size: Some(size) } => Some([size.rows, size.columns]),
            Self::Own { size: None } | Self::None => None,
        }
    }
}

/// Prepares a program in a container; it does not run before [`start`].
pub(super) async fn create(
    engine: &Engine,
    name: &str,
    invocation: &Invocation,
    argv: &[String],
    terminal: Terminal,
) -> Result<String> {
    let environment: Vec<String> =
        invocation.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let body = json!({
        "AttachStdin": terminal.is_there() || !invocation.stdin.is_empty(), "AttachStdout": true, "AttachStderr": true,
        "Tty": terminal.is_there(), "ConsoleSize": terminal.size(), "DetachKeys": DETACH_KEYS,
        "Cmd": argv, "Env": environment, "User": invocation.user.clone().unwrap_or_default(),
    });
    let container = handle::container(engine, name).await?;
    let answer = engine.ask(Method::POST, &format!("/containers/{container}/exec"), Some(&body)).await?;
    let answer = answer.map_err(|no| match no.status {
        409 if no.message.contains("is not running") => Error::NotRunning { state: "off".into() },
        _ => absent_or(no, &engine.host, "run a program"),
    })?;
    let created: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let id = created["Id"].as_str().map(str::to_owned);
    id.ok_or_else(|| Error::Garbled { what: engine.host.clone(), why: "the engine gave no id for the program".into() })
}

/// Starts a prepared program; what comes back is its input and output.
pub(super) async fn start(engine: &Engine, id: &str, terminal: Terminal) -> Result<TokioIo<Upgraded>> {
    let body = json!({ "Detach": false, "Tty": terminal.is_there(), "ConsoleSize": terminal.size() });
    let stream = engine.upgrade(&format!("/exec/{id}/start"), Some(&body)).await?;
    stream.map(TokioIo::new).map_err(|no| no.into_error(&engine.host, "run a program"))
}

/// The exit code of a program whose output has ended.
pub(super) async fn exit_code(engine: &Engine, id: &str) -> Result<i64> {
    for _ in 0..CODE_ATTEMPTS {
        match ended(engine, id).await? {
            Some(code) => return Ok(code),
            None => tokio::time::sleep(CODE_PAUSE).await,
        }
    }
    Err(Error::Garbled { what: engine.host.clone(), why: "the program's output ended but not the program".into() })
}

/// The exit code once the engine knows it; None while the program runs.
pub(super) async fn ended(engine: &Engine, id: &str) -> Result<Option<i64>> {
    let state: Value = engine.fetch(&format!("/exec/{id}/json"), "learn the exit code").await?;
    Ok(state["ExitCode"].as_i64().filter(|_| state["Running"] != true))
}

/// Writes the program's input and closes it. A program that does not read all of it is within its rights.
pub(super) async fn feed(mut writer: WriteHalf<TokioIo<Upgraded>>, stdin: &[u8]) {
    if stdin.is_empty() {
        // The connection must stay open in this direction: some engines take its end for the end of the whole.
        return;
    }
    let written = async {
        writer.write_all(stdin).await?;
        writer.shutdown().await
    };
    if let Err(error) = written.await {
        tracing::debug!(%error, "the program did not take all of its input");
    }
}

/// Ends the program if it is dropped while it still knows one.
struct Ending {
    engine: Arc<Engine>,
    container: String,
    user: Option<String>,
    leader: Option<u32>,
}

impl Ending {
    /// Takes the line with the process id off the beginning of the output.
    fn learn(&mut self, piece: Output, before_pid: &mut bool) -> Option<Output> {
        let Output::Stdout(bytes) = piece else { return Some(piece) };
        // A line this short comes in one write and so in one frame; without it there is just no one to signal.
        let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else { return Some(Output::Stdout(bytes)) };
        *before_pid = false;
        self.leader = std::str::from_utf8(&bytes[..end]).ok().and_then(|text| text.parse().ok());
        let rest = &bytes[end + 1..];
        (!rest.is_empty()).then(|| Output::Stdout(rest.to_vec()))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let (Some(leader), Ok(runtime)) = (self.leader.take(), tokio::runtime::Handle::try_current()) else { return };
        let (engine, container) = (self.engine.clone(), std::mem::take(&mut self.container));
        let invocation = Invocation { user: self.user.take(), ..Invocation::default() };
        let end = async move {
            let argv = ["/bin/sh", "-c", END, &leader.to_string()].map(str::to_owned);
            let ended = async {
                let id = create(&engine, &container, &invocation, &argv, Terminal::None).await?;
                start(&engine, &id, Terminal::None).await
            };
            if let Err(error) = ended.await {
                tracing::debug!(container, %error, "cannot end the program");
            }
        };
        self.engine.endings.spawn_on(end, &runtime);
    }
}
