//! The site's registry, by the functions of mkregistry.

use std::path::Path;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::work::{Work, directory};
use super::{Builtin, Job, machines};
use crate::docker_host::Certificates;
use crate::failure::Failure;
use crate::registry::Wish;

pub(super) struct Registry;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Config {
    node: String,
    port: u16,
    users: Vec<String>,
    package_directory: String,
}

impl Config {
    fn wish(self) -> Result<Wish, Failure> {
        let packages = directory(&self.package_directory)?.map(Path::to_owned);
        let Self { node: noderange, port, users: auth, .. } = self;
        Ok(Wish { noderange, port: Some(port), auth, packages, ..Wish::default() })
    }
}

#[async_trait(?Send)]
impl Builtin for Registry {
    fn text(&self) -> &'static str {
        include_str!("../../../plugins/modules/registry/module.toml")
    }

    fn proposal(&self, job: &Job<'_>) -> Result<Value, Failure> {
        let known = crate::registry::entries(job.cx.tables()?)?.into_iter().next().map(|entry| entry.node);
        let free = machines::free(job.cx, job.request.states)?.pop();
        Ok(json!({ "node": known.unwrap_or_else(|| machines::range(&free)) }))
    }

    async fn work(&self, job: &Job<'_>, certificates: Certificates) -> Result<Work, Failure> {
        let wish = job.config::<Config>()?.wish()?;
        let meant = wish.meant(job.cx, certificates).await?;
        Ok(Work::Machine(wish.look(job.cx, &meant).await?))
    }

    async fn begin(&self, job: &Job<'_>) -> Result<(), Failure> {
        let wish = job.config::<Config>()?.wish()?;
        let meant = wish.meant(job.cx, Certificates::Make).await?;
        wish.keep(job.cx, &meant)
    }

    fn state(&self, job: &Job<'_>) -> Result<Value, Failure> {
        let config: Config = job.config()?;
        let node = job.node()?;
        let address = node.get("ip").unwrap_or(node.name());
        Ok(json!({ "place": format!("{address}:{}", config.port) }))
    }
}
