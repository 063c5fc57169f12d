//! Docker hosts, by the functions of mkhost and lshost.

use async_trait::async_trait;
use plugins::dockerhost::Config as Definition;
use serde::Deserialize;
use serde_json::{Value, json};

use super::work::{Work, directory};
use super::{Builtin, Job, machines};
use crate::docker_host::{self, Certificates};
use crate::failure::Failure;
use crate::modules::contract::{Finding, Kind};

pub(super) struct DockerHost;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Config {
    stop_containers: bool,
    package_directory: String,
}

#[async_trait(?Send)]
impl Builtin for DockerHost {
    fn text(&self) -> &'static str {
        include_str!("../../../plugins/modules/docker-host/module.toml")
    }

    fn proposal(&self, job: &Job<'_>) -> Result<Value, Failure> {
        Ok(json!({ "hosts": machines::range(&machines::machines(job.cx)?) }))
    }

    async fn work(&self, job: &Job<'_>, certificates: Certificates) -> Result<Work, Failure> {
        let (config, node) = (job.config::<Config>()?, job.node()?);
        let definition = definition(job, certificates)?;
        let packages = directory(&config.package_directory)?;
        let plan = docker_host::plan(job.cx.backends()?, node.clone(), &definition, packages).await?;
        // A plan says who would stop; it is done only by whoever has agreed to that.
        if plan.stops > 0 && certificates == Certificates::Make && !config.stop_containers {
            let notes = plan.notes.join("; ");
            return Err(Failure::refused(format!("nothing was done: {notes}"))
                .hint("set stop-containers = true in its config, or do it with: mkhost"));
        }
        Ok(Work::Machine(plan))
    }

    fn state(&self, job: &Job<'_>) -> Result<Value, Failure> {
        Ok(json!({ "engine": job.node()?.get("dockerendpoint").unwrap_or("by ssh") }))
    }

    async fn findings(&self, job: &Job<'_>) -> Result<Vec<Finding>, Failure> {
        let (backends, node) = (job.cx.backends()?, job.node()?);
        let looked = docker_host::look(backends, node, &definition(job, Certificates::Find)?).await?;
        let found = docker_host::findings(backends, node, &looked).await?;
        let finding = |what: String| Finding { kind: Kind::Changed, what, from: None, to: None, harmless: true };
        Ok(found.into_iter().map(|found| finding(format!("{}; mend: {}", found.what, found.mend))).collect())
    }
}

fn definition(job: &Job<'_>, certificates: Certificates) -> Result<Definition, Failure> {
    let nodes = [job.node()?.clone()];
    let definition = job.cx.docker_hosts(&nodes, certificates)?.pop();
    definition.ok_or_else(|| Failure::refused("there is one for each node"))
}
