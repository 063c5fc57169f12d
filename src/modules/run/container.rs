//! In a container of the module's image, on a Docker host of the site.

use plugins::{Reference, Task};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Call, Heard};
use crate::context::Context;
use crate::failure::Failure;
use crate::modules::manifest::Run;
use crate::modules::shared;
use crate::remote::{self, Line, PIECES};

/// Runs the image's entrypoint with the method as its argument; its exit code.
pub(super) async fn run(call: Call<'_>, cx: &Context, run: &Run, heard: &mut Heard) -> Result<i64, Failure> {
    let host = cx.only_node(&whereto(call, cx)?, "a container runs on one host")?;
    let task = Task {
        name: call.module.manifest.name().to_owned(),
        image: reference(call)?,
        arguments: vec![call.method.name().to_owned()],
        environment: environment(call),
        stdin: call.input()?,
        shared: shared::files(&call.module.manifest.config, call.request).map_err(|why| call.failed(&why, ""))?,
        network: call.module.manifest.container.network.clone(),
        limit: run.time(),
    };
    let (sender, receiver) = mpsc::channel(PIECES);
    let tasks = cx.backends()?.tasks_on(&host)?;
    let running = remote::follow(tasks.run(&host, &task, sender), receiver, None, |line: Line| heard.hear(line));
    match timeout(run.time(), running).await {
        Err(_) => Err(call.too_long(run)),
        Ok(Err(failure)) => Err(call.named(failure)),
        Ok(code) => code,
    }
}

/// The host, as the config or the site has it.
fn whereto(call: Call<'_>, cx: &Context) -> Result<String, Failure> {
    let key = call.module.manifest.container.host.as_deref();
    let chosen = key.and_then(|key| call.request.config.get(key)).and_then(Value::as_str).unwrap_or_default();
    if !chosen.is_empty() {
        return Ok(chosen.to_owned());
    }
    let hint = match key {
        Some(key) => format!("{key} of its config names one, or for all modules: chdef -t site modulehost=HOST"),
        None => "name one for all modules: chdef -t site modulehost=HOST".to_owned(),
    };
    cx.tables()?.site("modulehost")?.ok_or_else(|| call.failed("there is no Docker host to run it on", "").hint(hint))
}

/// The image that the module names, or that it was added from, as the site has it.
fn reference(call: Call<'_>) -> Result<Reference, Failure> {
    let none = || call.failed("its [container] names no image, and it was not added from one", "");
    call.module.image_here()?.ok_or_else(none)
}

/// Variables but for secrets: whoever may ask the engine can read them.
fn environment(call: Call<'_>) -> Vec<String> {
    let all = call.request.variables().into_iter().map(|(name, value)| format!("{name}={value}"));
    all.filter(|variable| call.secrets.mask(variable) == *variable).collect()
}
