//! On a node: the program is sent there, run as root, and gone. While it runs the node holds the module's lock, so that neither
//! another management node nor we ourselves, after we were killed, run over it.

use std::cell::Cell;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plugins::{Invocation, Program};
use tables::Node;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::{Call, Heard};
use crate::context::Context;
use crate::failure::Failure;
use crate::modules::manifest::{Method, Run};
use crate::remote::{self, Line};

const RECEIVE: &str = include_str!("receive.sh");
/// What the node says when the lock is held and the program about to run.
const BEGUN: &str = "xcrane: begun";
/// What it ends with when others hold the lock.
const HELD: i64 = 75;
/// For the node to be reached, and to say who holds the lock.
const ANSWER: Duration = Duration::from_secs(30);

/// Runs the module's program there; its exit code. The lock is waited for as long as the program may run.
pub(super) async fn run(
    call: Call<'_>,
    cx: &Context,
    node: &Node,
    run: &Run,
    heard: &mut Heard,
) -> Result<i64, Failure> {
    let invocation = Invocation {
        program: Program::Shell(RECEIVE.to_owned()),
        stdin: input(call, cx, run)?,
        ..Invocation::default()
    };
    let (begins, begun) = (Notify::new(), Cell::new(false));
    let hear = |line: Line| match line {
        // What comes before is no word of the program's: a start-up file of root's shell may greet whoever logs in.
        Line::Stdout(said) if !begun.get() => {
            if said.ends_with(BEGUN) {
                begun.set(true);
                begins.notify_one();
            }
        }
        line => heard.hear(line),
    };
    let expired = async {
        if timeout(run.time() + ANSWER, begins.notified()).await.is_ok() {
            sleep(run.time()).await;
        }
    };
    let ended = tokio::select! {
        ended = remote::run(cx.backends()?, node, &invocation, None, hear) => ended,
        () = expired => return Err(call.too_long(run)),
    };
    match ended {
        Ok(HELD) if !begun.get() => {
            let why = format!("the module is at work there: {}", heard.words().trim());
            let end = format!("one that never ends is ended by its process there: xdsh {} kill PROCESS", node.name());
            Err(call.failed(&why, "").hint("run it again when that is over").hint(end))
        }
        Ok(code) => Ok(code),
        Err(failure) => Err(call.named(failure)),
    }
}

/// All that the node is told, in the order of [`RECEIVE`].
fn input(call: Call<'_>, cx: &Context, run: &Run) -> Result<Vec<u8>, Failure> {
    let program = call.program(run)?;
    let text = std::fs::read(&program)
        .map_err(|error| call.failed(&format!("cannot read {}: {error}", program.display()), ""))?;
    let (method, module) = (call.method.name(), call.module.manifest.name());
    let (kind, limit, holder) = (kind(call.method), run.limit, call.holder(cx));
    let variables: String = call.request.variables().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let head = format!("{method}\n{module}\n{kind}\n{limit}\n{holder}\n{variables}\n{}\n", STANDARD.encode(&text));
    Ok([head.as_bytes(), &call.input()?].concat())
}

/// Who changes a node is alone there; who looks at it does not look at what is half done.
fn kind(method: Method) -> &'static str {
    match method {
        Method::Apply | Method::Restore | Method::Update | Method::Scale => "-x",
        Method::Metadata | Method::Init | Method::Plan | Method::Audit | Method::Backup | Method::Test => "-s",
    }
}
