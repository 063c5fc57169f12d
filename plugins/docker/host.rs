//! The engine about itself, and its containers as the host's shutdown sees them.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::Value;
use tables::Node;

use super::Docker;
use super::body::NODE_LABEL;
use super::engine::Engine;
use super::guests::inspect;
use super::listing::list;
use crate::{Carried, Error, HostState, Hosts, Result};

/// What the engine gives a container that asks for no time of its own.
const STOP_TIMEOUT: u64 = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    server_version: String,
    containers: usize,
    containers_running: usize,
    driver: String,
    live_restore_enabled: bool,
    docker_root_dir: String,
    #[serde(default)]
    swarm: Value,
    #[serde(default)]
    default_address_pools: Option<Vec<Pool>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pool {
    base: String,
    size: u8,
}

#[async_trait]
impl Hosts for Docker {
    async fn state(&self, host: &Node) -> Result<HostState> {
        let engine = self.engines.of(host).await?;
        let info: Info = engine.fetch("/info", "ask the engine about itself").await?;
        let pools = info.default_address_pools.into_iter().flatten();
        Ok(HostState {
            engine: info.server_version,
            api: engine.api.to_string(),
            running: info.containers_running,
            guests: info.containers,
            storage_driver: info.driver,
            live_restore: info.live_restore_enabled,
            swarm: info.swarm["LocalNodeState"] == "active",
            data_root: info.docker_root_dir,
            pools: pools.map(|pool| format!("{}:{}", pool.base, pool.size)).collect(),
        })
    }

    async fn carried(&self, host: &Node) -> Result<Vec<Carried>> {
        let engine = self.engines.of(host).await?;
        let listing = list(&engine).await?;
        let looks = listing.values().map(|container| carried(&engine, container.name()));
        let mut found: Vec<Carried> = try_join_all(looks).await?.into_iter().flatten().collect();
        found.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(found)
    }
}

/// None for a container that has gone since it was listed.
async fn carried(engine: &Engine, name: &str) -> Result<Option<Carried>> {
    let found = match inspect(engine, name).await {
        Ok(found) => found,
        Err(Error::Absent { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(Carried {
        name: name.to_owned(),
        running: found["State"]["Running"] == true,
        managed: found["Config"]["Labels"][NODE_LABEL] == name,
        restart: found["HostConfig"]["RestartPolicy"]["Name"]
            .as_str()
            .filter(|name| !name.is_empty())
            .unwrap_or("no")
            .into(),
        stop_timeout: found["Config"]["StopTimeout"].as_u64().unwrap_or(STOP_TIMEOUT),
    }))
}
