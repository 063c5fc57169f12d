//! On the management node, in the module's directory.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use super::{Call, Heard, WORDS, alone};
use crate::context::Context;
use crate::failure::Failure;
use crate::group::Group;
use crate::modules::contract::MOST;
use crate::modules::manifest::Run;
use crate::remote::Line;

/// Runs the module's program; its exit code.
pub(super) async fn run(call: Call<'_>, cx: &Context, run: &Run, heard: &mut Heard) -> Result<i64, Failure> {
    let mut command = Command::new(call.program(run)?);
    command.arg(call.method.name()).envs(call.request.variables()).current_dir(&call.module.directory);
    let input = call.input()?;
    converse(call, cx, run, command, &input, &mut |line| heard.hear(line)).await
}

/// Runs a program within the time of a method, gives it its input, and hands on what it says. One that changes something is alone.
pub(super) async fn converse(
    call: Call<'_>,
    cx: &Context,
    run: &Run,
    command: Command,
    input: &[u8],
    hear: &mut impl FnMut(Line),
) -> Result<i64, Failure> {
    let command = match call.method.changes() {
        false => command,
        true => alone::locked(call, &crate::config::home()?, &call.holder(cx), &command)
            .map_err(|error| call.failed(&format!("cannot make a place for its lock: {error}"), ""))?,
    };
    match tokio::time::timeout(run.time(), until_end(call, command, input, hear)).await {
        Ok(code) => code,
        Err(_) => Err(call.too_long(run)),
    }
}

async fn until_end(
    call: Call<'_>,
    mut command: Command,
    input: &[u8],
    hear: &mut impl FnMut(Line),
) -> Result<i64, Failure> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let cannot = |error: std::io::Error| {
        let failure = call.failed(&format!("cannot run {program}: {error}"), "");
        match error.kind() {
            // The file itself is there.
            ErrorKind::NotFound => {
                failure.hint("its first line names a program that is not here, or ends as lines of Windows do")
            }
            ErrorKind::PermissionDenied => failure.hint(format!("make it one that can be run: chmod +x {program}")),
            _ => failure,
        }
    };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut child, _group) = Group::lead(&mut command).map_err(cannot)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            stdin.write_all(input).await.ok(); // a program that does not read it says so by what it answers
        }
    };
    let mut words = Vec::new();
    let listen = async {
        if let Some(mut stderr) = stderr {
            (&mut stderr).take(WORDS as u64).read_to_end(&mut words).await.ok();
            // Who says more is heard out: a closed pipe would end it.
            tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await.ok();
        }
    };
    let read = async {
        let Some(stdout) = stdout else { return };
        let mut lines = BufReader::new(stdout.take(MOST as u64 + 1)).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            hear(Line::Stdout(String::from_utf8_lossy(&line).into_owned()));
        }
    };
    tokio::join!(write, listen, read);
    let words = String::from_utf8_lossy(&words).into_owned();
    let status = child.wait().await.map_err(cannot)?;
    // As shells have it: 128 and the number of the signal.
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).map_or(-1, i64::from);
    if call.method.changes() {
        alone::refuse_held(call, code, &words)?;
    }
    hear(Line::Stderr(words));
    Ok(code)
}
