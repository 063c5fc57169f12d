//! Programs on servers.
//!
//! A program whose caller has gone finds its streams closed, and may run on: without a terminal sshd gives us no means
//! to end it, and guessing its process from outside could end others.

use std::str::FromStr;

use async_trait::async_trait;
use nix::sys::signal::Signal;
use tables::Node;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::{Exit, Process, Reader, Ssh, connection::unreachable};
use crate::host::quote;
use crate::{Error, Exec, Invocation, Output, Program, Result};

#[async_trait]
impl Exec for Ssh {
    async fn run(&self, node: &Node, invocation: &Invocation, output: mpsc::Sender<Output>) -> Result<i64> {
        let connection = self.connect(node, invocation.user.as_deref()).await?;
        let (command, prologue) = command(invocation)?;
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
        Ok(code(&exit.map_err(|error| unreachable(connection.target(), error))?))
    }
}

/// The line for the login shell, and what it has to read first: the environment goes by stdin, as anyone on the host can
/// see arguments.
fn command(invocation: &Invocation) -> Result<(String, String)> {
    let line = match &invocation.program {
        Program::Shell(line) => line.clone(),
        Program::Argv(argv) => argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "),
    };
    if invocation.environment.is_empty() {
        return Ok((line, String::new()));
    }
    if let Some(name) = invocation.environment.keys().find(|name| !is_variable(name)) {
        return Err(Error::Refused { what: format!("environment variable '{name}'"), why: "not a name".into() });
    }
    let exports = invocation.environment.iter().map(|(name, value)| format!("export {name}={}\n", quote(value)));
    let prologue: String = exports.collect();
    // dd reads to the byte; a shell's own read would do so line by line, and values may hold lines.
    let script =
        format!("eval \"$(dd bs=1 count={} 2>/dev/null)\"; exec \"${{SHELL:-/bin/sh}}\" -c \"$0\"", prologue.len());
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
