//! Networks that are made over many hosts, as one host's engine has them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hyper::Method;
use serde_json::{Map, Value, json};
use tables::Node;

use super::Docker;
use super::engine::{Engine, filters};
use crate::networks::{EngineNetwork, EngineNetworks, Present, SwarmRole};
use crate::{Error, Result};

/// Tells our networks from others; its value is the network's name.
const NETWORK_LABEL: &str = "xcrane.network";

#[async_trait]
impl EngineNetworks for Docker {
    async fn swarm_role(&self, host: &Node) -> Result<SwarmRole> {
        let engine = self.engines.of(host).await?;
        let info: Value = engine.fetch("/info", "ask for its swarm").await?;
        Ok(role(&info["Swarm"]))
    }

    async fn find(&self, host: &Node, wanted: &EngineNetwork) -> Result<Option<Present>> {
        let engine = self.engines.of(host).await?;
        let Some(found) = find(&engine, &wanted.name).await? else { return Ok(None) };
        let containers = containers(&engine, &found).await?.into_keys().collect();
        Ok(Some(Present { differences: differences(wanted, &found), ours: is_ours(&found), containers }))
    }

    async fn make(&self, host: &Node, wanted: &EngineNetwork) -> Result<()> {
        let engine = self.engines.of(host).await?;
        let Err(no) = engine.ask(Method::POST, "/networks/create", Some(&body(wanted))).await? else { return Ok(()) };
        // Another run may have been faster.
        if no.status == 409
            && let Some(found) = find(&engine, &wanted.name).await?
            && differences(wanted, &found).is_empty()
        {
            return Ok(());
        }
        Err(no.into_error(&engine.host, &format!("make network {}", wanted.name)))
    }

    async fn remove(&self, host: &Node, name: &str, force: bool) -> Result<bool> {
        let engine = self.engines.of(host).await?;
        let Some(found) = find(&engine, name).await? else { return Ok(false) };
        let refuse =
            |why: String| Error::Refused { what: format!("{}: cannot remove network {name}", engine.host), why };
        if !is_ours(&found) {
            return Err(refuse("it was not made by xcrane".into()));
        }
        let id = text(&found["Id"]);
        let containers = containers(&engine, &found).await?;
        if !containers.is_empty() && !force {
            let names: Vec<String> = containers.into_keys().collect();
            return Err(refuse(format!("containers are in it: {}", names.join(", "))));
        }
        for (name, container) in &containers {
            disconnect(&engine, id, container, name).await?;
        }
        match engine.ask(Method::DELETE, &format!("/networks/{id}"), None).await? {
            Ok(_) => Ok(true),
            Err(no) if no.status == 404 => Ok(false),
            Err(no) => Err(no.into_error(&engine.host, &format!("remove network {name}"))),
        }
    }
}

/// The network of exactly that name: the engine itself also takes the beginning of an id for one.
async fn find(engine: &Engine, name: &str) -> Result<Option<Value>> {
    let networks: Vec<Value> = engine.fetch("/networks", "list networks").await?;
    Ok(networks.into_iter().find(|network| network["Name"] == name))
}

/// The containers in a network, their ids by their names, also those that were never started: without it they could not be.
async fn containers(engine: &Engine, network: &Value) -> Result<BTreeMap<String, String>> {
    let name = text(&network["Name"]);
    // The engine knows a container that was never started by the network's name only, and takes that for the beginning
    // of other networks' ids as well.
    let inside = filters(&json!({ "network": [text(&network["Id"]), name] }));
    let found: Vec<Value> = engine.fetch(&format!("/containers/json?all=true&{inside}"), "list containers").await?;
    let inside = found.iter().filter(|container| !container["NetworkSettings"]["Networks"][name].is_null());
    let named = |container: &Value| text(&container["Names"][0]).trim_start_matches('/').to_owned();
    Ok(inside.map(|container| (named(container), text(&container["Id"]).to_owned())).collect())
}

async fn disconnect(engine: &Engine, network: &str, container: &str, name: &str) -> Result<()> {
    let body = json!({ "Container": container, "Force": true });
    let answer = engine.ask(Method::POST, &format!("/networks/{network}/disconnect"), Some(&body)).await?;
    answer.map(drop).map_err(|no| no.into_error(&engine.host, &format!("take container {name} off its network")))
}

fn body(wanted: &EngineNetwork) -> Value {
    let mut pool = Map::new();
    pool.insert("Subnet".into(), json!(wanted.subnet.to_string()));
    pool.extend(wanted.gateway.map(|gateway| ("Gateway".into(), json!(gateway.to_string()))));
    pool.extend(wanted.range.map(|range| ("IPRange".into(), json!(range.to_string()))));
    json!({
        "Name": wanted.name,
        // Older engines would make a second one of the same name.
        "CheckDuplicate": true,
        "Driver": wanted.driver,
        "Internal": wanted.internal,
        "Attachable": wanted.attachable,
        "EnableIPv6": wanted.subnet.is_ipv6(),
        "IPAM": { "Driver": "default", "Config": [pool] },
        "Options": wanted.options,
        "Labels": { NETWORK_LABEL: wanted.name },
    })
}

pub(super) fn role(swarm: &Value) -> SwarmRole {
    match (swarm["LocalNodeState"].as_str(), swarm["ControlAvailable"].as_bool()) {
        (Some("active"), Some(true)) => SwarmRole::Manager,
        (Some("active"), _) => SwarmRole::Worker,
        _ => SwarmRole::Outside,
    }
}

fn is_ours(found: &Value) -> bool {
    found["Labels"][NETWORK_LABEL] == found["Name"]
}

/// How a network differs from what is wanted; options that we do not set are the engine's business.
fn differences(wanted: &EngineNetwork, found: &Value) -> Vec<String> {
    let pool = &found["IPAM"]["Config"][0];
    let shown = |value: Option<String>| value.unwrap_or_else(|| "none".into());
    let mut pairs = vec![
        ("driver", wanted.driver.clone(), text(&found["Driver"]).to_owned()),
        ("subnet", wanted.subnet.to_string(), text(&pool["Subnet"]).to_owned()),
        ("range", shown(wanted.range.map(|range| range.to_string())), shown(set(&pool["IPRange"]))),
        ("internal", wanted.internal.to_string(), found["Internal"].as_bool().unwrap_or_default().to_string()),
        ("attachable", wanted.attachable.to_string(), found["Attachable"].as_bool().unwrap_or_default().to_string()),
    ];
    if let Some(gateway) = wanted.gateway {
        // Some engines say it with the length of the prefix.
        let found = set(&pool["Gateway"]).map(|found| found.split('/').next().unwrap_or_default().to_owned());
        pairs.push(("gateway", gateway.to_string(), shown(found)));
    }
    for (name, value) in &wanted.options {
        pairs.push((name, value.clone(), shown(set(&found["Options"][name]))));
    }
    let different = pairs.into_iter().filter(|(_, wanted, found)| wanted != found);
    different.map(|(what, wanted, found)| format!("{what}: {wanted}, its network has {found}")).collect()
}

fn set(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> EngineNetwork {
        EngineNetwork {
            name: "blue".into(),
            driver: "bridge".into(),
            subnet: "10.80.0.0/16".parse().expect("a network"),
            gateway: Some([10, 80, 255, 254].into()),
            range: None,
            internal: true,
            attachable: false,
            options: [("com.docker.network.driver.mtu".to_owned(), "1450".to_owned())].into(),
        }
    }

    #[test]
    fn what_was_asked_for_is_what_is_found() {
        let mut found = body(&wanted());
        assert_eq!(differences(&wanted(), &found), Vec::<String>::new());
        assert!(is_ours(&found));
        found["Options"]["com.docker.network.enable_ipv4"] = json!("true");
        found["IPAM"]["Config"][0]["Gateway"] = json!("10.80.255.254/16");
        assert_eq!(differences(&wanted(), &found), Vec::<String>::new());
        found["Labels"] = json!({});
        assert!(!is_ours(&found));
    }

    #[test]
    fn differences_have_both_values() {
        let check = |change: fn(&mut EngineNetwork), expected: &str| {
            let mut other = wanted();
            change(&mut other);
            assert_eq!(differences(&wanted(), &body(&other)).join("; "), expected);
        };
        check(|_| (), "");
        check(|other| other.internal = false, "internal: true, its network has false");
        check(|other| other.driver = "macvlan".into(), "driver: bridge, its network has macvlan");
        check(|other| other.gateway = None, "gateway: 10.80.255.254, its network has none");
        check(|other| other.range = Some(other.subnet), "range: none, its network has 10.80.0.0/16");
        check(|other| other.options.clear(), "com.docker.network.driver.mtu: 1450, its network has none");
    }

    #[test]
    fn roles_in_a_swarm() {
        let check = |state: &str, control: bool, expected: SwarmRole| {
            assert_eq!(role(&json!({ "LocalNodeState": state, "ControlAvailable": control })), expected);
        };
        check("active", true, SwarmRole::Manager);
        check("active", false, SwarmRole::Worker);
        check("pending", false, SwarmRole::Outside);
        check("inactive", false, SwarmRole::Outside);
        assert_eq!(role(&Value::Null), SwarmRole::Outside);
    }
}
