//! Building an image with the engine's BuildKit.
//!
//! The engine takes the context as a tar with the request itself, so that no session is needed: its gRPC would cost some
//! forty crates. What a session is for otherwise is done before: images that the instructions build upon are pulled with
//! our account, and BuildKit takes what the host has before it asks a registry. `RUN --mount=type=secret` and `=ssh` do
//! need one and are refused by the engine.

mod context;
mod ignore;
mod instructions;
mod trace;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};

use self::context::Context;
use self::instructions::Instructions;
use self::trace::Trace;
use super::super::definition::Image;
use super::super::engine::{Engine, Refusal};
use crate::bytes::in_url;
use crate::{Build, Built, Error, Event, Progress, Result};

/// Bytes on their way between the thread that packs and the connection.
const PIPE: usize = 256 * 1024;
/// The longest piece of progress that is read.
const LONGEST: usize = 16 << 20;

/// Builds the image and gives it its name.
pub(super) async fn build(engine: &Engine, build: &Build, progress: &Progress) -> Result<Built> {
    let (directory, dockerfile) = (build.context.clone(), build.dockerfile.clone());
    let reading = tokio::task::spawn_blocking(move || Context::read(&directory, dockerfile.as_deref()));
    let context = Arc::new(reading.await.map_err(lost)??);
    let instructions = Instructions::parse(&context.instructions, &build.arguments);
    if let Some(frontend) = instructions.frontend.filter(|frontend| hub(frontend)) {
        return Err(Error::Refused {
            what: format!("cannot build {}", build.image),
            why: format!("the line '# syntax={frontend}' asks for a program from the internet; take it out"),
        });
    }
    for base in instructions.bases {
        super::have(engine, &Image::Reference(base), progress).await?;
    }
    let doing = format!("build {}", build.image);
    let sent = context.size();
    let outcome = run(engine, build, context, &doing, progress).await;
    progress.tell(Event::Done { host: engine.host.clone(), what: String::new() });
    let id = outcome?.map_err(|no| match no.message.contains("no space left on device") {
        true => Error::Full { host: engine.host.clone(), doing: doing.clone() },
        false => no.into_error(&engine.host, &doing),
    })?;
    Ok(Built { id, sent })
}

/// Whether a frontend is one of the public registry.
fn hub(frontend: &str) -> bool {
    frontend.parse::<crate::Reference>().is_ok_and(|image| image.registry().is_none_or(|name| name == "docker.io"))
}

fn lost(error: tokio::task::JoinError) -> Error {
    Error::Garbled { what: "reading the context".into(), why: error.to_string() }
}

/// Sends the context and reads what comes of it to the end; the engine's name of the image.
async fn run(
    engine: &Engine,
    build: &Build,
    context: Arc<Context>,
    doing: &str,
    progress: &Progress,
) -> Result<std::result::Result<String, Refusal>> {
    let (near, far) = tokio::io::duplex(PIPE);
    let path = path(build, &context.name);
    let packing = tokio::task::spawn_blocking(move || context.pack(SyncIoBridge::new(near)));
    let talk = async {
        let body = ReaderStream::with_capacity(far, PIPE);
        let answer = match engine.send(&path, "application/x-tar", body).await? {
            Ok(answer) => answer,
            Err(no) => return Ok(Err(no)),
        };
        let bytes = StreamReader::new(answer.into_data_stream().map_err(std::io::Error::other));
        let mut lines = FramedRead::new(bytes, LinesCodec::new_with_max_length(LONGEST));
        let mut heard = Heard::default();
        while let Some(line) = lines.next().await {
            let garbled = |why: String| Error::Garbled { what: engine.host.clone(), why };
            let line: Value = serde_json::from_str(&line.map_err(|error| garbled(error.to_string()))?)
                .map_err(|error| garbled(error.to_string()))?;
            heard.take(&line);
            if let Some(step) = heard.trace.step() {
                let (host, what) = (engine.host.clone(), format!("{doing}: {}", step.name));
                progress.tell(Event::Step { host, what, number: step.number, total: step.total });
            }
        }
        Ok(heard.outcome())
    };
    let outcome = engine.alive(engine.transfer_limit, talk).await;
    super::parcels::ended(outcome.flatten(), packing, engine.connect_limit).await
}

fn path(build: &Build, dockerfile: &str) -> String {
    let object = |pairs: &BTreeMap<String, String>| in_url(&serde_json::json!(pairs).to_string());
    format!(
        "/build?version=2&rm=1&t={}&dockerfile={}&buildargs={}&labels={}",
        in_url(&build.image.to_string()),
        in_url(dockerfile),
        object(&build.arguments),
        object(&build.labels),
    )
}

/// What the engine has said so far.
#[derive(Default)]
struct Heard {
    trace: Trace,
    id: Option<String>,
    error: Option<String>,
}

impl Heard {
    fn take(&mut self, line: &Value) {
        if line["id"] == "moby.buildkit.trace" {
            let bytes = line["aux"].as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
            // Progress that makes no sense is progress that is not shown.
            self.trace.read(&bytes.unwrap_or_default());
        } else if let Some(id) = line["aux"]["ID"].as_str() {
            self.id = Some(id.to_owned());
        } else if let Some(message) = line["errorDetail"]["message"].as_str() {
            self.error = Some(message.to_owned());
        }
    }

    fn outcome(self) -> std::result::Result<String, Refusal> {
        let refused = |message: String| Refusal { status: 500, message };
        match (self.error, self.id) {
            (Some(error), _) => Err(refused(self.trace.explained(&error))),
            (None, Some(id)) => Ok(id),
            (None, None) => Err(refused("the engine broke off".into())),
        }
    }
}
