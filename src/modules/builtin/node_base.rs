//! What all machines have in common.

use async_trait::async_trait;
use plugins::services::node_base::{self, Key};
use serde::Deserialize;
use serde_json::{Value, json};

use super::work::Work;
use super::{Builtin, Job, machines, parsed};
use crate::docker_host::Certificates;
use crate::failure::Failure;

pub(super) struct NodeBase;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Config {
    packages: Vec<String>,
    package_directory: String,
    users: Vec<String>,
    keys: Vec<String>,
    time_zone: String,
    time_servers: Vec<String>,
    sysctl: Vec<String>,
    limits: Vec<String>,
}

#[async_trait(?Send)]
impl Builtin for NodeBase {
    fn text(&self) -> &'static str {
        include_str!("../../../plugins/modules/node-base/module.toml")
    }

    fn proposal(&self, job: &Job<'_>) -> Result<Value, Failure> {
        Ok(json!({ "nodes": machines::range(&machines::machines(job.cx)?) }))
    }

    async fn work(&self, job: &Job<'_>, _certificates: Certificates) -> Result<Work, Failure> {
        let config: Config = job.config()?;
        let former: Vec<String> = job.request.state["keys"].as_array().into_iter().flatten().filter_map(word).collect();
        let wanted = node_base::Config {
            packages: config.packages,
            users: parsed("users", &config.users)?,
            keys: parsed("keys", &config.keys)?,
            former_keys: former.iter().filter_map(|key| key.parse::<Key>().ok()).collect(),
            time_zone: Some(config.time_zone).filter(|zone| !zone.is_empty()),
            time_servers: config.time_servers,
            sysctl: parsed("sysctl", &config.sysctl)?,
            limits: config.limits,
        };
        Work::of(job, &node_base::wanted(&wanted), &config.package_directory).await
    }

    fn state(&self, job: &Job<'_>) -> Result<Value, Failure> {
        // Whose keys they are is needed to take them away again.
        Ok(json!({ "keys": job.config::<Config>()?.keys }))
    }
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
