//! Programs on servers.
//!
//! A program whose caller has gone finds its streams closed and may run on; sshd has no request to end it that libssh2
//! could send. So every program carries a [`mark`], and dropping the future has another one end it.

use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use nix::sys::signal::Signal;
use tables::Node;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::{Connection, Exit, Process, Reader, Ssh, connection::unreachable};
use crate::host::{Host, quote};
use crate::mark::{self, ENDING};
use crate::{Error, Exec, Invocation, Output, Program, Result};

#[async_trait]
impl Exec for Ssh {
    async fn run(&self, node: &Node, invocation: &Invocation, output: mpsc::Sender<Output>) -> Result<i64> {
        let connection = self.connect(node, invocation.user.as_deref()).await?;
        let mark = mark::new();
        let (command, prologue) = command(invocation, &mark)?;
        let mut ending = Ending { connection: connection.clone(), endings: self.endings.clone(), mark: Some(mark) };
        let Process { mut stdin, stdout, stderr, exit } = connection.exec(&command).await?;
        let feed = async {
            // A program need not read its input.
            stdin.write_all(prologue.as_bytes()).await.ok();
            stdin.write_all(&invocation.stdin).await.ok();
            drop(stdin);
        };
        let (out, err, ()) =
            tokio::join!(relay(stdout, Output::Stdout, &output), relay(stderr, Output::Stderr, &output), feed);
        let exit = out.and(err).map(|()| exit.wait());
        let exit = match exit {
            Ok(exit) => exit.await,
            Err(error) => Err(error),
        };
        ending.mark = None;
        Ok(code(&exit.map_err(|error| unreachable(connection.target(), error))?))
    }
}

/// The line for the login shell, and what it has to read first: the environment goes by stdin, as anyone on the host can
/// see arguments.
fn command(invocation: &Invocation, mark: &str) -> Result<(String, String)> {
    let line = match &invocation.program {
        Program::Shell(line) => line.clone(),
        Program::Argv(argv) => argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "),
    };
    if let Some(name) = invocation.environment.keys().find(|name| !is_variable(name)) {
        return Err(Error::Refused { what: format!("environment variable '{name}'"), why: "not a name".into() });
    }
    let exports = invocation.environment.iter().map(|(name, value)| format!("export {name}={}\n", quote(value)));
    let prologue: String = exports.collect();
    // dd reads to the byte; a shell's own read would do so line by line, and values may hold lines.
    let read = match prologue.len() {
        0 => String::new(),
        length => format!("eval \"$(dd bs=1 count={length} 2>/dev/null)\"; "),
    };
    // A login shell under another one leaves out the start files that the first has read.
    let marked = format!("export {}={mark} SHLVL=1; ", mark::VARIABLE);
    let script = format!("{read}{marked}exec \"${{SHELL:-/bin/sh}}\" -c \"$0\"");
    Ok((format!("exec /bin/sh -c {} {}", quote(&script), quote(&line)), prologue))
}

fn is_variable(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(word) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

async fn relay(mut reader: Reader, kind: fn(Vec<u8>) -> Output, output: &mpsc::Sender<Output>) -> std::io::Result<()> {
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let count = reader.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        // Nobody listening is no reason to stop the program.
        output.send(kind(buffer[..count].to_vec())).await.ok();
    }
}

/// As a shell counts: 128 and the number of the signal.
fn code(exit: &Exit) -> i64 {
    match exit {
        Exit::Code(code) => i64::from(*code),
        Exit::Signal(name) => 128 + Signal::from_str(&format!("SIG{name}")).map_or(127, |signal| signal as i64),
    }
}

/// Ends the program if it is dropped while it still knows one.
struct Ending {
    connection: Arc<Connection>,
    endings: TaskTracker,
    mark: Option<String>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let (Some(mark), Ok(runtime)) = (self.mark.take(), tokio::runtime::Handle::try_current()) else { return };
        let connection = self.connection.clone();
        let end = async move {
            let argv = mark::end(&mark);
            let host = Host::Ssh(connection);
            let argv = argv.each_ref().map(String::as_str);
            if !matches!(timeout(ENDING, host.run(&argv)).await, Ok(Ok(_))) {
                tracing::debug!(mark, "cannot end the program");
            }
        };
        self.endings.spawn_on(end, &runtime);
    }
}
