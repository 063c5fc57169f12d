//! Loading archives of images, of which layers that the engine has are not sent.
//!
//! A classic engine opens the file of a layer only if it lacks the layer, and tells which it has as those of its images.
//! One that keeps images as containerd does wants every file.

use std::sync::Arc;
use std::time::Duration;

use bollard::query_parameters::ImportImageOptionsBuilder;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio_util::io::{ReaderStream, SyncIoBridge};

use super::super::engine::{Engine, Refusal};
use super::load::loaded;
use super::pull::follow;
use crate::archive::{Archive, Image, Parcel};
use crate::{Error, Event, Loaded, Progress, Reference, Result};

/// Bytes on their way between the thread that reads the archive and the connection.
const PIPE: usize = 256 * 1024;
/// Images asked for at once.
const LOOKS: usize = 16;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Held {
    id: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(rename = "RootFS", default)]
    root: Root,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Root {
    layers: Vec<String>,
}

/// Brings the archive's images onto the host.
pub(super) async fn load(engine: &Engine, archive: &Arc<Archive>, progress: &Progress) -> Result<Loaded> {
    let held = held(engine).await?;
    let layers: Vec<Vec<String>> = if is_classic(engine).await? {
        held.iter().map(|image| image.root.layers.clone()).collect()
    } else {
        Vec::new()
    };
    let doing = "load images".to_owned();
    let parcel = packed(archive, layers).await?;
    if parcel.is_bare() && archive.images().iter().all(|image| is_there(image, &held)) {
        return Ok(Loaded { changed: false, sent: 0, spared: parcel.spared() });
    }
    let (mut sent, mut spared) = (parcel.size(), parcel.spared());
    let mut outcome = send(engine, parcel, &doing, progress).await?;
    // An image was removed since the engine was asked, or it is an engine that wants all.
    if outcome.as_ref().is_err_and(|no| spared > 0 && no.message.contains("layer-")) {
        let whole = packed(archive, Vec::new()).await?;
        (sent, spared) = (sent + whole.size(), 0);
        outcome = send(engine, whole, &doing, progress).await?;
    }
    outcome.map_err(|no| match no.message.contains("no space left on device") {
        true => Error::Full { host: engine.host.clone(), doing: doing.clone() },
        false => no.into_error(&engine.host, &doing),
    })?;
    let after = self::held(engine).await?;
    match archive.images().iter().find(|image| !is_there(image, &after)) {
        None => Ok(Loaded { changed: true, sent, spared }),
        Some(image) => Err(Error::Garbled {
            what: engine.host.clone(),
            why: format!("it took the archive and has no image {}", image.id),
        }),
    }
}

/// Whether the engine has the image under all of its names.
fn is_there(image: &Image, held: &[Held]) -> bool {
    let Some(found) = held.iter().find(|found| found.id == image.id) else { return false };
    let tags: Vec<Reference> = found.repo_tags.iter().flatten().filter_map(|tag| tag.parse().ok()).collect();
    let is_known = |name: &String| name.parse::<Reference>().is_ok_and(|name| tags.contains(&name.complete()));
    image.names.iter().all(is_known)
}

/// The engine's images with their layers; one that goes away meanwhile is none.
async fn held(engine: &Engine) -> Result<Vec<Held>> {
    let listed: Vec<Value> = engine.fetch("/images/json", "list images").await?;
    let ids = listed.iter().filter_map(|image| image["Id"].as_str()).map(str::to_owned);
    let looks = stream::iter(ids.collect::<Vec<_>>()).map(async |id| {
        match engine.ask(Method::GET, &format!("/images/{id}/json"), None).await? {
            Ok(answer) => engine.parse(&answer).map(Some),
            Err(no) if no.status == 404 => Ok(None),
            Err(no) => Err(no.into_error(&engine.host, "look at an image")),
        }
    });
    let found: Vec<Option<Held>> = looks.buffer_unordered(LOOKS).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn is_classic(engine: &Engine) -> Result<bool> {
    let info: Value = engine.fetch("/info", "ask the engine about itself").await?;
    Ok(!info["DriverStatus"].to_string().contains("io.containerd.snapshotter"))
}

async fn packed(archive: &Arc<Archive>, layers: Vec<Vec<String>>) -> Result<Parcel> {
    let archive = archive.clone();
    let packing = tokio::task::spawn_blocking(move || Parcel::new(&archive, &layers));
    packing.await.map_err(|error| Error::Garbled { what: "reading the archive".into(), why: error.to_string() })?
}

async fn send(
    engine: &Engine,
    parcel: Parcel,
    doing: &str,
    progress: &Progress,
) -> Result<std::result::Result<String, Refusal>> {
    let total = parcel.size();
    let (near, far) = tokio::io::duplex(PIPE);
    let writing = tokio::task::spawn_blocking(move || parcel.write(SyncIoBridge::new(near)));
    let body = bollard::body_try_stream(counted(engine, doing, far, total, progress));
    let docker = engine.docker.clone().with_timeout(engine.transfer_limit);
    let options = ImportImageOptionsBuilder::default().build();
    let steps = docker.import_image(options, body, None).map(|step| step.map(loaded));
    let outcome = follow(engine, doing, Box::pin(steps), progress).await;
    ended(outcome, writing, engine.connect_limit).await
}

/// How a request ended whose bytes a thread makes. What that cannot read explains why the engine saw the stream break off,
/// so it goes first; it is not waited for longer than `limit`, for it may hang on a connection or a disk that is gone.
pub(super) async fn ended<T>(outcome: Result<T>, writing: JoinHandle<Result<()>>, limit: Duration) -> Result<T> {
    match tokio::time::timeout(limit, writing).await {
        Err(_) | Ok(Ok(Ok(()))) => outcome,
        Ok(Ok(Err(Error::File { source, .. }))) if source.kind() == std::io::ErrorKind::BrokenPipe => outcome,
        Ok(Ok(Err(error))) => Err(error),
        Ok(Err(error)) => Err(Error::Garbled { what: "reading what is sent".into(), why: error.to_string() }),
    }
}

/// The bytes, which tell how far they have come.
fn counted(
    engine: &Engine,
    doing: &str,
    bytes: DuplexStream,
    total: u64,
    progress: &Progress,
) -> impl futures_util::Stream<Item = std::io::Result<hyper::body::Bytes>> + Send + 'static {
    let (host, what, progress) = (engine.host.clone(), doing.to_owned(), progress.clone());
    let mut done = 0;
    ReaderStream::with_capacity(bytes, PIPE).inspect_ok(move |piece| {
        done += piece.len() as u64;
        progress.tell(Event::Bytes { host: host.clone(), what: what.clone(), done, total });
    })
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[tokio::test]
    async fn a_thread_that_hangs_is_left_and_one_that_cannot_read_is_heard() {
        let check = async |outcome: Result<u8>, writing: JoinHandle<Result<()>>, expected: &str| {
            let ended = ended(outcome, writing, Duration::from_millis(100));
            let ended = tokio::time::timeout(Duration::from_secs(10), ended).await.expect("it is not waited for");
            let told = ended.map_or_else(|error| crate::chain(&error), |outcome| outcome.to_string());
            assert!(told.contains(expected), "{told}\n{expected}");
        };
        let failed = |kind: ErrorKind| {
            let error = Error::File { doing: "read", path: "FILE".into(), source: kind.into() };
            tokio::spawn(async { Err(error) })
        };
        let lost = || Err(Error::Garbled { what: "h1".into(), why: "it is gone".into() });
        check(Ok(7), tokio::spawn(async { Ok(()) }), "7").await;
        check(lost(), tokio::spawn(std::future::pending()), "it is gone").await;
        check(lost(), failed(ErrorKind::BrokenPipe), "it is gone").await;
        check(lost(), failed(ErrorKind::PermissionDenied), "cannot read FILE").await;
    }
}
