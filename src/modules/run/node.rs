//! On a node: the program is sent there, run as root, and gone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plugins::{Invocation, Program};
use tables::Node;

use super::{Call, Heard};
use crate::context::Context;
use crate::failure::Failure;
use crate::modules::manifest::Run;
use crate::remote::{self, Line};

/// Takes variables up to an empty line and the program as a line of base64, and runs that with the rest of the input. None of
/// it is in a command line, which others can read, and nothing of it stays.
const RECEIVE: &str =
    "umask 077; d=$(mktemp -d) || exit 125; trap 'rm -rf \"$d\"' EXIT; trap 'exit 129' HUP; trap 'exit 143' TERM
while IFS= read -r variable && [ -n \"$variable\" ]; do export \"$variable\"; done
IFS= read -r program && printf %s \"$program\" | base64 -d >\"$d/program\" && chmod 700 \"$d/program\" || exit 125
cd \"$d\" && ./program ";

/// Runs the module's program there; its exit code.
pub(super) async fn run(
    call: Call<'_>,
    cx: &Context,
    node: &Node,
    run: &Run,
    heard: &mut Heard,
) -> Result<i64, Failure> {
    let program = call.program(run)?;
    let text = std::fs::read(&program)
        .map_err(|error| call.failed(&format!("cannot read {}: {error}", program.display()), ""))?;
    let variables: String = call.request.variables().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let input = call.input()?;
    let stdin = [format!("{variables}\n{}\n", STANDARD.encode(&text)).as_bytes(), &input[..]].concat();
    let program = Program::Shell(format!("{RECEIVE}{}", call.method.name()));
    let invocation = Invocation { program, stdin, ..Invocation::default() };
    let hear = |line: Line| heard.hear(line);
    remote::run(cx.backends()?, node, &invocation, Some(run.time()), hear).await
}
