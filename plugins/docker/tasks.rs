//! Programs in containers of their own.
//!
//! What they are given is in a volume that they cannot write. The engine fills a volume only through a container that can,
//! so there is one for a moment that never runs.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bollard::query_parameters::UploadToContainerOptionsBuilder;
use hyper::Method;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tables::Node;
use tokio::sync::mpsc;

use super::definition::Image;
use super::engine::{Engine, filters};
use super::exec::feed;
use super::frames::next_frame;
use super::images::{bring, of_id};
use super::{Docker, handle};
use crate::archive::header;
use crate::mark;
use crate::task::SHARED;
use crate::{Error, Output, Result, Task, Tasks};

/// Says of a container or volume that it is a task's, and which.
const TASK: &str = "xcrane.task";
/// The second since 1970 at which nobody needs it any more.
const UNTIL: &str = "xcrane.until";
/// Making and removing it may take this much longer than it runs.
const GRACE: Duration = Duration::from_secs(600);

#[async_trait]
impl Tasks for Docker {
    async fn run(&self, host: &Node, task: &Task, output: mpsc::Sender<Output>) -> Result<i64> {
        let engine = self.engines.of(host).await?;
        sweep(&engine).await?;
        let image = handle::image(&task.image);
        let image = match of_id(&engine, &image).await? {
            Some(_) => image,
            None => bring(&engine, &Image::Reference(task.image.clone()), &self.progress).await?,
        };
        let name = format!("xcrane-{}-{}", task.name, mark::new());
        let mut place =
            Place { engine: engine.clone(), name, image, until: now() + (task.limit + GRACE).as_secs(), there: true };
        let ran = place.run(task, output).await;
        let gone = place.clear().await;
        let code = ran?;
        gone.map(|()| code)
    }
}

/// A volume and the container that works with it, both of one name.
struct Place {
    engine: Arc<Engine>,
    name: String,
    image: String,
    until: u64,
    /// To be taken away, if nobody waits any more.
    there: bool,
}

impl Place {
    async fn run(&self, task: &Task, output: mpsc::Sender<Output>) -> Result<i64> {
        let volume = json!({ "Name": self.name, "Labels": self.labels() });
        self.demand(Method::POST, "/volumes/create", Some(&volume), "make a volume").await?;
        self.fill(task).await?;
        self.demand(
            Method::POST,
            &format!("/containers/create?name={}", self.name),
            Some(&self.body(task)),
            "make a container",
        )
        .await?;
        let attach = format!("/containers/{}/attach?stream=1&stdin=1&stdout=1&stderr=1", self.name);
        let stream = self.engine.upgrade(&attach, None).await?;
        let stream = TokioIo::new(stream.map_err(|no| no.into_error(&self.engine.host, "listen to a container"))?);
        self.demand(Method::POST, &format!("/containers/{}/start", self.name), None, "start a container").await?;
        let (mut reader, writer) = tokio::io::split(stream);
        let read = async {
            while let Some(piece) = next_frame(&mut reader).await? {
                output.send(piece).await.ok(); // a caller that no longer listens still gets the exit code
            }
            std::io::Result::Ok(())
        };
        let (heard, ()) = tokio::join!(read, feed(writer, &task.stdin));
        heard.map_err(|source| Error::Unreachable { what: self.engine.host.clone(), source: source.into() })?;
        let path = format!("/containers/{}/wait", self.name);
        let waited = self.engine.ask_for(Method::POST, &path, None, task.limit).await?;
        let waited = waited.map_err(|no| no.into_error(&self.engine.host, "wait for a container"))?;
        let ended: Value = self.engine.parse(&waited)?;
        ended["StatusCode"].as_i64().ok_or_else(|| Error::Garbled {
            what: self.engine.host.clone(),
            why: "the engine gave no exit code of the container".into(),
        })
    }

    /// Puts into the volume what the task is given.
    async fn fill(&self, task: &Task) -> Result<()> {
        let filler = format!("{}-fill", self.name);
        let body = json!({
            "Image": self.image, "Entrypoint": ["/none"], "Labels": self.labels(),
            "HostConfig": { "Mounts": [self.mount(false)] },
        });
        self.demand(Method::POST, &format!("/containers/create?name={filler}"), Some(&body), "make a container")
            .await?;
        let options = UploadToContainerOptionsBuilder::default().path(SHARED).build();
        let body = bollard::body_full(packed(&task.shared)?.into());
        let sent = self.engine.docker.upload_to_container(&filler, Some(options), body);
        let sent = self.engine.call(self.engine.transfer_limit, sent).await?;
        sent.map_err(|no| no.into_error(&self.engine.host, "fill a volume"))?;
        self.demand(Method::DELETE, &format!("/containers/{filler}?force=1"), None, "remove a container").await
    }

    fn mount(&self, read_only: bool) -> Value {
        let options = json!({ "NoCopy": true });
        json!({ "Type": "volume", "Source": self.name, "Target": SHARED, "ReadOnly": read_only, "VolumeOptions": options })
    }

    fn labels(&self) -> Value {
        json!({ TASK: self.name, UNTIL: self.until.to_string() })
    }

    fn body(&self, task: &Task) -> Value {
        let network = task.network.as_deref().unwrap_or("default");
        // What it says may have secrets in it that the host's log is not to keep.
        let host = json!({
            "Mounts": [self.mount(true)], "NetworkMode": network, "Init": true, "LogConfig": { "Type": "none" },
        });
        json!({
            "Image": self.image, "Cmd": task.arguments, "Env": task.environment, "Labels": self.labels(), "Tty": false,
            "OpenStdin": true, "StdinOnce": true, "AttachStdin": true, "AttachStdout": true, "AttachStderr": true,
            "HostConfig": host,
        })
    }

    async fn demand(&self, method: Method, path: &str, body: Option<&Value>, doing: &str) -> Result<()> {
        let answer = self.engine.ask(method, path, body).await?;
        answer.map(drop).map_err(|no| no.into_error(&self.engine.host, doing))
    }

    async fn clear(&mut self) -> Result<()> {
        self.there = false;
        clear(&self.engine, &self.name).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (true, Ok(runtime)) = (self.there, tokio::runtime::Handle::try_current()) else { return };
        let (engine, name) = (self.engine.clone(), std::mem::take(&mut self.name));
        let end = async move {
            if let Err(error) = clear(&engine, &name).await {
                tracing::debug!(name, %error, "cannot remove what a task has left");
            }
        };
        self.engine.endings.spawn_on(end, &runtime);
    }
}

/// Takes away all that is a task's. What is not there needs none.
async fn clear(engine: &Engine, name: &str) -> Result<()> {
    let paths = [
        format!("/containers/{name}?force=1"),
        format!("/containers/{name}-fill?force=1"),
        format!("/volumes/{name}?force=1"),
    ];
    for path in paths {
        match engine.ask(Method::DELETE, &path, None).await? {
            Err(no) if no.status != 404 => return Err(no.into_error(&engine.host, "remove what a task has left")),
            _ => (),
        }
    }
    Ok(())
}

/// Takes away what killed programs of ours have left.
async fn sweep(engine: &Engine) -> Result<()> {
    let wanted = filters(&json!({ "label": [TASK] }));
    let volumes: Value = engine.fetch(&format!("/volumes?{wanted}"), "list volumes").await?;
    let old =
        |volume: &&Value| volume["Labels"][UNTIL].as_str().and_then(|until| until.parse().ok()).unwrap_or(0) < now();
    let names =
        volumes["Volumes"].as_array().into_iter().flatten().filter(old).filter_map(|volume| volume["Name"].as_str());
    for name in names {
        clear(engine, name).await?;
    }
    Ok(())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn packed(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let failed = |source| Error::File { doing: "send", path: SHARED.into(), source };
    for (name, text) in files {
        archive.append(&header(name, text.len() as u64), text.as_slice()).map_err(failed)?;
    }
    archive.into_inner().map_err(failed)
}
