//! Monitoring of every machine that some module works on.

use std::collections::BTreeSet;

use async_trait::async_trait;
use plugins::services::monitoring::{self, Server, Watched};
use serde::Deserialize;
use serde_json::{Value, json};
use tables::Node;

use super::work::Work;
use super::{Builtin, Job, Known, machines};
use crate::context::Context;
use crate::docker_host::Certificates;
use crate::failure::Failure;

pub(super) struct Monitoring;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Config {
    server: String,
    port: u16,
    exporter_port: u16,
    interval: u32,
    retention: u32,
    package_directory: String,
}

#[async_trait(?Send)]
impl Builtin for Monitoring {
    fn text(&self) -> &'static str {
        include_str!("../../../plugins/modules/monitoring/module.toml")
    }

    fn proposal(&self, job: &Job<'_>) -> Result<Value, Failure> {
        let server = machines::free(job.cx, job.request.states)?.pop();
        Ok(json!({ "server": machines::range(&server) }))
    }

    fn further(&self, cx: &Context, known: &Known<'_>) -> Result<Vec<Node>, Failure> {
        let states = known.states.values();
        let names: BTreeSet<String> =
            states.flat_map(|state| machines::targets(state).map(|(name, _)| name.to_owned())).collect();
        let mut nodes = machines::of_names(cx, &names)?;
        if let Some(range) = known.config.get("nodes").and_then(Value::as_str).filter(|range| !range.is_empty()) {
            nodes.extend(cx.nodes(range)?);
        }
        Ok(nodes)
    }

    async fn work(&self, job: &Job<'_>, _certificates: Certificates) -> Result<Work, Failure> {
        let config: Config = job.config()?;
        let watches = machines::one(job.cx, "server", &config.server)?.name() == job.node()?.name();
        let server = if watches { Some(server(job, &config)?) } else { None };
        let wanted = monitoring::wanted(&monitoring::Config { exporter_port: config.exporter_port, server });
        Work::of(job, &wanted, &config.package_directory).await
    }

    fn state(&self, job: &Job<'_>) -> Result<Value, Failure> {
        let config: Config = job.config()?;
        let is_server = machines::one(job.cx, "server", &config.server)?.name() == job.node()?.name();
        Ok(json!({ "exporter": config.exporter_port, "server": is_server }))
    }
}

fn server(job: &Job<'_>, config: &Config) -> Result<Server, Failure> {
    let names: BTreeSet<String> =
        job.request.targets.iter().filter_map(|told| Some(told["name"].as_str()?.to_owned())).collect();
    let mut watched = Vec::new();
    for node in machines::of_names(job.cx, &names)? {
        watched.push(Watched::machine(node.name(), machines::address(&node)?, config.exporter_port));
    }
    for (module, state) in job.request.states {
        for (node, said) in machines::targets(state) {
            let places = said["metrics"].as_array().into_iter().flatten().filter_map(Value::as_str);
            watched.extend(places.map(|place| Watched {
                node: node.to_owned(),
                job: module.clone(),
                place: place.to_owned(),
            }));
        }
    }
    Ok(Server { port: config.port, interval: config.interval, retention: config.retention, watched })
}
