//! Networks over hosts, by the functions of mknet.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tables::Node;

use super::work::{MANNER, Work};
use super::{Builtin, Job, Known};
use crate::context::Context;
use crate::docker_host::Certificates;
use crate::failure::Failure;
use crate::network;
use crate::outcome::Outcome;

pub(super) struct Network;

#[derive(Deserialize)]
struct Config {
    networks: Vec<String>,
    install: bool,
}

#[async_trait(?Send)]
impl Builtin for Network {
    fn text(&self) -> &'static str {
        include_str!("../../../plugins/modules/network/module.toml")
    }

    fn proposal(&self, job: &Job<'_>) -> Result<Value, Failure> {
        Ok(json!({ "networks": network::names(job.cx.tables()?)? }))
    }

    /// The hosts of its networks: nobody else sets them up meanwhile.
    fn further(&self, cx: &Context, known: &Known<'_>) -> Result<Vec<Node>, Failure> {
        let names = known.config.get("networks").and_then(Value::as_array).into_iter().flatten();
        let names: Vec<String> = names.filter_map(Value::as_str).map(str::to_owned).collect();
        let defined = cx.networks(cx.tables()?, MANNER.format, &names)?;
        Ok(defined.into_iter().flat_map(|network| network.hosts).collect())
    }

    /// A machine that is reached, and whose engine is not, is no Docker host yet.
    async fn deferred(&self, job: &Job<'_>) -> Result<Option<String>, Failure> {
        let config: Config = job.config()?;
        let defined = job.cx.networks(job.cx.tables()?, MANNER.format, &config.networks)?;
        let hosts: BTreeMap<&str, &Node> =
            defined.iter().flat_map(|network| &network.hosts).map(|host| (host.name(), host)).collect();
        let backends = job.cx.backends()?;
        let without = async |host: &Node| {
            backends.host(host).await.ok()?;
            let error = backends.networks_on(host).ok()?.swarm_role(host).await.err()?;
            Some(format!("{} has no engine that answers: {}", host.name(), plugins::chain(&error)))
        };
        let asked = stream::iter(hosts.into_values().map(without)).buffered(MANNER.fanout);
        let without: Vec<String> = asked.filter_map(async |why| why).collect().await;
        Ok((!without.is_empty()).then(|| without.join("; ")))
    }

    async fn work(&self, job: &Job<'_>, _certificates: Certificates) -> Result<Work, Failure> {
        let config: Config = job.config()?;
        let defined = job.cx.networks(job.cx.tables()?, MANNER.format, &config.networks)?;
        let deeds = network::deeds(job.cx, &defined, config.install, MANNER).await?;
        match deeds.looked() {
            Outcome::Done => Ok(Work::Networks(deeds)),
            outcome => Err(Failure { outcome, ..Failure::refused("not all of its hosts could be asked") }
                .hint("hosts of networks are Docker hosts: xcrane module apply docker-host")),
        }
    }

    fn state(&self, job: &Job<'_>) -> Result<Value, Failure> {
        Ok(json!({ "networks": job.config::<Config>()?.networks }))
    }
}
