//! What an engine has taken for its networks, and who is in one of them.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use ipnetwork::IpNetwork;
use serde_json::{Value, json};
use tables::Node;

use super::Docker;
use super::engine::filters;
use super::guests::inspect_id;
use crate::Result;
use crate::networks::survey::{Attached, EngineFacts, EngineSurvey, Held};

#[async_trait]
impl EngineSurvey for Docker {
    async fn facts(&self, host: &Node) -> Result<EngineFacts> {
        let engine = self.engines.of(host).await?;
        let networks = engine.fetch("/networks", "list networks");
        let info = engine.fetch("/info", "tell its pools");
        let (networks, info): (Vec<Value>, Value) = futures_util::future::try_join(networks, info).await?;
        Ok(EngineFacts { networks: networks.iter().flat_map(held).collect(), pools: pools(&info) })
    }

    async fn attached(&self, host: &Node, network: &str) -> Result<Vec<Attached>> {
        let engine = self.engines.of(host).await?;
        let path = format!("/containers/json?{}", filters(&json!({ "network": [network] })));
        let running: Vec<Value> = engine.fetch(&path, "list containers").await?;
        let ids = running.iter().filter_map(|container| container["Id"].as_str());
        let found = try_join_all(ids.map(|id| inspect_id(&engine, id))).await?;
        let mut attached: Vec<Attached> = found.iter().filter_map(|container| attached(container, network)).collect();
        attached.sort_by(|one, other| one.container.cmp(&other.container));
        Ok(attached)
    }
}

/// Each range of a network.
fn held(network: &Value) -> Vec<Held> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let driver = text(&network["Driver"]);
    let named = network["Options"]["com.docker.network.bridge.name"].as_str().map(str::to_owned);
    let id = text(&network["Id"]);
    let own = || id.get(..12).map(|start| format!("br-{start}"));
    let bridge = named.or_else(|| own().filter(|_| driver == "bridge"));
    let ranges = network["IPAM"]["Config"].as_array().into_iter().flatten();
    let subnets = ranges.filter_map(|range| range["Subnet"].as_str()?.parse().ok());
    subnets.map(|subnet| Held { network: text(&network["Name"]), subnet, bridge: bridge.clone() }).collect()
}

/// None of an engine that was given none: those built into it, it takes only where nobody else is.
fn pools(info: &Value) -> Vec<IpNetwork> {
    let pools = info["DefaultAddressPools"].as_array().into_iter().flatten();
    pools.filter_map(|pool| pool["Base"].as_str()?.parse().ok()).collect()
}

/// None of a container that has just ended.
fn attached(container: &Value, network: &str) -> Option<Attached> {
    let place = &container["NetworkSettings"]["Networks"][network];
    let address = [&place["IPAddress"], &place["GlobalIPv6Address"]].iter().find_map(|ip| ip.as_str()?.parse().ok())?;
    let process = container["State"]["Pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).filter(|&pid| pid > 0)?;
    Some(Attached {
        container: container["Name"].as_str()?.trim_start_matches('/').to_owned(),
        process,
        address,
        mac: place["MacAddress"].as_str().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_networks_and_their_bridges() {
        let check = |network: Value, expected: &[(&str, Option<&str>)]| {
            let held = held(&network);
            let found: Vec<(String, Option<&str>)> =
                held.iter().map(|held| (held.subnet.to_string(), held.bridge.as_deref())).collect();
            let found: Vec<(&str, Option<&str>)> = found.iter().map(|(subnet, bridge)| (&**subnet, *bridge)).collect();
            assert_eq!(found, expected, "{network}");
        };
        let ranges = json!({"Config": [{"Subnet": "10.1.0.0/16"}, {"Subnet": "fd00::/64"}, {"Subnet": "x"}]});
        let id = "0123456789abcdef";
        let bridge = Some("br-0123456789ab");
        check(
            json!({"Name": "t", "Id": id, "Driver": "bridge", "IPAM": ranges}),
            &[("10.1.0.0/16", bridge), ("fd00::/64", bridge)],
        );
        let one = json!({"Config": [{"Subnet": "10.1.0.0/16"}]});
        let options = json!({"com.docker.network.bridge.name": "br-t"});
        check(
            json!({"Name": "t", "Id": id, "Driver": "bridge", "Options": options, "IPAM": one}),
            &[("10.1.0.0/16", Some("br-t"))],
        );
        check(json!({"Name": "t", "Id": id, "Driver": "macvlan", "IPAM": one}), &[("10.1.0.0/16", None)]);
        check(json!({"Name": "host", "Id": "1", "Driver": "host", "IPAM": {"Config": null}}), &[]);
        check(json!([1]), &[]);
        assert_eq!(
            pools(&json!({"DefaultAddressPools": [{"Base": "10.200.0.0/16", "Size": 24}]})),
            ["10.200.0.0/16".parse().unwrap()]
        );
        assert!(pools(&json!({})).is_empty());
    }

    #[test]
    fn who_runs_in_a_network() {
        let container = |pid: u32, ip: &str| json!({"Name": "/c1", "State": {"Pid": pid}, "NetworkSettings": {"Networks": {"t": {"IPAddress": ip, "MacAddress": "02:00"}}}});
        let found = attached(&container(7, "10.1.0.1"), "t").unwrap();
        assert_eq!((found.container.as_str(), found.process, found.address), ("c1", 7, [10, 1, 0, 1].into()));
        assert_eq!(attached(&container(0, "10.1.0.1"), "t"), None);
        assert_eq!(attached(&container(7, ""), "t"), None);
        assert_eq!(attached(&container(7, "10.1.0.1"), "u"), None);
    }
}
