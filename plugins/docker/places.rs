//! A container's places in networks: what differs from its ports, and mending that.
//!
//! The first port's place is made with the container and compared with the rest of it; the others can change while it
//! lives.

use hyper::Method;
use serde_json::{Value, json};

use super::body::{ROUTE_CHOSEN, connect_body};
use super::compare::{Difference, is_default};
use super::definition::Definition;
use super::engine::Engine;
use super::fields::Nic;
use super::handle;
use super::version::ApiVersion;
use crate::Result;
use crate::mac::of_address;

/// The container's places in networks.
pub(super) fn places(found: &Value) -> impl Iterator<Item = (&String, &Value)> {
    found["NetworkSettings"]["Networks"].as_object().into_iter().flatten()
}

/// What differs in the further ports; `told` if the list of networks has been found to differ already.
pub(super) fn port_differences(definition: &Definition, found: &Value, told: bool) -> Vec<Difference> {
    let mut lines = Vec::new();
    let has = |network: &str| places(found).any(|(name, _)| name == network);
    let wanted: Vec<&str> = definition.nics.iter().map(|nic| nic.network.as_str()).collect();
    let missing = definition.further().iter().any(|nic| !has(&nic.network));
    let beyond = strangers(definition, found).next().is_some();
    if (missing || beyond) && !told {
        let has: Vec<&str> = places(found).map(|(name, _)| name.as_str()).collect();
        let wanted = if wanted.is_empty() { "not set".to_owned() } else { wanted.join(",") };
        lines.push(Difference::rejoin("vmnics", &format!("{wanted}, container has {}", has.join(","))));
    }
    let present = definition.further().iter().filter(|nic| has(&nic.network));
    lines.extend(present.flat_map(|nic| port_difference(nic, found)));
    lines.extend(route_difference(definition, found));
    lines
}

/// The networks that a container is in and should not be. One without a network of its own is in what the engine likes.
fn strangers<'a>(definition: &'a Definition, found: &'a Value) -> impl Iterator<Item = &'a String> {
    let several = !definition.nics.is_empty() || places(found).count() > 1;
    let first = found["HostConfig"]["NetworkMode"].as_str().unwrap_or_default();
    let first = if is_default(&found["HostConfig"]["NetworkMode"]) { "bridge" } else { first };
    let ours = move |name: &str| name == first || definition.nics.iter().any(|nic| nic.network == name);
    places(found).map(|(name, _)| name).filter(move |name| several && !ours(name))
}

/// What differs in the place of a port. An engine shows the MAC address only while the container runs.
fn port_difference(nic: &Nic, found: &Value) -> Vec<Difference> {
    let place = &found["NetworkSettings"]["Networks"][&nic.network];
    let mut lines = Vec::new();
    let fixed = nic.fixed();
    let text = |of: &Value| {
        let parts = [&of["IPv4Address"], &of["IPv6Address"]].into_iter().filter_map(Value::as_str);
        let parts: Vec<&str> = parts.filter(|text| !text.is_empty()).collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join("|") }
    };
    if text(&fixed) != text(&place["IPAMConfig"]) {
        let text = format!("{}, container has {}", text(&fixed), text(&place["IPAMConfig"]));
        lines.push(Difference::rejoin(&format!("nicips.{}", nic.name), &text));
    }
    let known = place["MacAddress"].as_str().filter(|known| !known.is_empty());
    match (&nic.mac, known) {
        (Some(mac), Some(known)) if !known.eq_ignore_ascii_case(mac) => {
            lines.push(Difference::rejoin("mac", &format!("{mac} on {}, container has {known}", nic.name)));
        }
        _ => {}
    }
    lines
}

/// Engines that can be told which network has the default route show what they were told.
fn route_difference(definition: &Definition, found: &Value) -> Option<Difference> {
    let wanted = definition.nics.iter().find(|nic| nic.routes).filter(|_| definition.nics.len() > 1)?;
    let mut told: Vec<(i64, &String)> =
        places(found).filter_map(|(name, place)| Some((place["GwPriority"].as_i64()?, name))).collect();
    told.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(other.1)));
    let (_, has) = told.first()?;
    (**has != wanted.network)
        .then(|| Difference::new("dockergateway", &format!("{}, container has {has}", wanted.network)))
}

/// Whether joining networks makes the container's places what its ports say. A MAC address cannot be asked for then (it is
/// kept and ignored, also by version 26), and what the engine gives is known only of those that make it from the address.
pub(super) fn can_join(definition: &Definition, found: &Value, api: ApiVersion) -> bool {
    let outside = definition.further().iter().filter(|nic| !is_placed(nic, found));
    let given = |nic: &Nic| nic.ipv4.map(of_address).filter(|_| api < ROUTE_CHOSEN);
    outside.into_iter().all(|nic| nic.mac.is_none() || nic.mac == given(nic))
}

fn is_placed(nic: &Nic, found: &Value) -> bool {
    places(found).any(|(name, _)| *name == nic.network) && port_difference(nic, found).is_empty()
}

/// Puts the container into the networks of its further ports, as far as it is not there, and takes it out of those where
/// it should not be. `found` is how it is now.
pub(super) async fn join(engine: &Engine, definition: &Definition, found: &Value) -> Result<()> {
    let container = handle::container(engine, &definition.node).await?;
    for network in strangers(definition, found) {
        leave(engine, &container, network).await?;
    }
    for nic in definition.further() {
        if is_placed(nic, found) {
            continue;
        }
        if places(found).any(|(name, _)| *name == nic.network) {
            leave(engine, &container, &nic.network).await?;
        }
        let body = connect_body(&container, nic, engine.api);
        let answer = engine.ask(Method::POST, &format!("/networks/{}/connect", nic.network), Some(&body)).await?;
        engine.listings.outdate();
        answer.map_err(|no| no.into_error(&engine.host, &format!("join network {}", nic.network)))?;
    }
    Ok(())
}

async fn leave(engine: &Engine, container: &str, network: &str) -> Result<()> {
    let body = json!({ "Container": container, "Force": true });
    let answer = engine.ask(Method::POST, &format!("/networks/{network}/disconnect"), Some(&body)).await?;
    engine.listings.outdate();
    answer.map(drop).map_err(|no| no.into_error(&engine.host, &format!("leave network {network}")))
}

#[cfg(test)]
mod tests {
    use tables::Node;

    use super::*;
    use crate::docker::definition::define;

    #[test]
    fn joining_gives_no_mac_address_of_ours() {
        let check = |mac: &str, minor: usize, expected: bool| {
            let given = [("provmethod", "a"), ("vmnics", "a,b"), ("nicips", "eth1!10.2.0.1"), ("mac", mac)];
            let attributes = given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let definition = define(&Node::new("n1", attributes, None)).expect("good definition");
            let api = ApiVersion { major: 1, minor };
            let alone = json!({ "NetworkSettings": { "Networks": { "a": {} } } });
            assert_eq!(can_join(&definition, &alone, api), expected, "{mac} {api}");
            let mut both = alone;
            both["NetworkSettings"]["Networks"]["b"] = json!({ "IPAMConfig": { "IPv4Address": "10.2.0.1" } });
            assert!(can_join(&definition, &both, api), "{mac} {api}");
        };
        check("02:00:00:00:00:01", 48, true);
        check("02:00:00:00:00:01|02:42:0a:02:00:01", 41, true);
        check("02:00:00:00:00:01|02:42:0a:02:00:01", 45, true);
        check("02:00:00:00:00:01|02:42:0a:02:00:01", 48, false);
        check("02:00:00:00:00:01|02:00:00:00:00:02", 45, false);
    }
}
