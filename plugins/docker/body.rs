//! From a definition to the body of the engine's "create container" request.
//!
//! The body is plain JSON and not a typed model, because `vmothersetting` may hold keys that no model knows.

use serde_json::{Map, Value, json};

use super::definition::{Definition, fingerprint};
use super::fields::Nic;
use super::version::ApiVersion;

/// The node that a container belongs to; tells our containers from others.
pub(super) const NODE_LABEL: &str = "xcrane.node";
/// The digest of the definition that a container was made from.
pub(super) const DEFINITION_LABEL: &str = "xcrane.definition";
/// The attributes that were set then and their fingerprints, so that what changed since can be named.
pub(super) const ATTRIBUTES_LABEL: &str = "xcrane.attributes";

/// From this version on a MAC address is a property of the place in a network, and a container is made in several at once.
pub(super) const MACS_PER_PLACE: ApiVersion = ApiVersion { major: 1, minor: 44 };
/// From this version on the engine can be told through which network the default route goes.
pub(super) const ROUTE_CHOSEN: ApiVersion = ApiVersion { major: 1, minor: 48 };

/// Builds the create body; `image` is the name that the engine has the image under.
pub(super) fn create_body(definition: &Definition, image: &str, api: ApiVersion) -> Value {
    let mut body = json!({ "Image": image });
    for part in &definition.parts {
        merge(&mut body, &part.body);
    }
    merge(&mut body, &made_places(&definition.nics, api));
    if let Some(mac) = &definition.mac {
        merge(&mut body, &json!({ "MacAddress": mac }));
    }
    let prints = definition.parts.iter().map(|part| format!("{}={}", part.attribute, fingerprint(&part.body)));
    let labels = json!({ "Labels": {
        NODE_LABEL: definition.node,
        DEFINITION_LABEL: definition.digest(image),
        ATTRIBUTES_LABEL: prints.collect::<Vec<_>>().join(","),
    }});
    merge(&mut body, &labels);
    body
}

/// The ports as far as the engine takes them with the container, and beyond what the parts say of the first.
fn made_places(nics: &[Nic], api: ApiVersion) -> Value {
    let Some(own) = nics.first() else { return json!({}) };
    if api < MACS_PER_PLACE {
        return own.mac.as_ref().map_or_else(|| json!({}), |mac| json!({ "MacAddress": mac }));
    }
    let places = nics.iter().map(|nic| (nic.network.clone(), place(nic, nics.len() > 1, api)));
    let places: Map<String, Value> = places.filter(|(_, place)| nics.len() > 1 || *place != json!({})).collect();
    if places.is_empty() { json!({}) } else { json!({ "NetworkingConfig": { "EndpointsConfig": places } }) }
}

fn place(nic: &Nic, several: bool, api: ApiVersion) -> Value {
    let mut place = Map::new();
    if !nic.fixed().is_null() {
        place.insert("IPAMConfig".into(), nic.fixed());
    }
    if let Some(mac) = nic.mac.as_ref().filter(|_| api >= MACS_PER_PLACE) {
        place.insert("MacAddress".into(), json!(mac));
    }
    if several && api >= ROUTE_CHOSEN {
        place.insert("GwPriority".into(), json!(i32::from(nic.routes)));
    }
    place.into()
}

/// The body of the request that puts the container `node` into the network of a further port.
pub(super) fn connect_body(container: &str, nic: &Nic, api: ApiVersion) -> Value {
    json!({ "Container": container, "EndpointConfig": place(nic, true, api) })
}

/// Lays `above` over `under`: objects key by key, anything else as a whole.
fn merge(under: &mut Value, above: &Value) {
    match (under, above) {
        (Value::Object(under), Value::Object(above)) => {
            for (key, value) in above {
                merge(under.entry(key.clone()).or_insert_with(|| Value::Object(Map::new())), value);
            }
        }
        (under, above) => *under = above.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tables::Node;

    use super::*;
    use crate::docker::definition::define;

    const OLD: ApiVersion = ApiVersion { major: 1, minor: 41 };
    const NEW: ApiVersion = ApiVersion { major: 1, minor: 45 };

    fn body(attributes: &[(&str, &str)], api: ApiVersion) -> Value {
        let attributes: BTreeMap<_, _> =
            attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let definition = define(&Node::new("n1", attributes, None)).expect("good definition");
        create_body(&definition, "busybox:latest", api)
    }

    #[test]
    fn the_smallest_body() {
        let mut body = body(&[("provmethod", "busybox")], OLD);
        let labels = body["Labels"].take();
        assert_eq!(body, json!({ "Image": "busybox:latest", "Hostname": "n1", "Labels": null }));
        assert_eq!(labels[NODE_LABEL], "n1");
        assert!(labels[DEFINITION_LABEL].as_str().is_some_and(|digest| digest.len() == 71));
    }

    #[test]
    fn raw_json_passes_through_and_lies_under_the_attributes() {
        let raw = r#"{"HostConfig":{"Memory":1,"PidsLimit":50,"New":{"x":[1]}},"Hostname":"raw"}"#;
        let body = body(&[("provmethod", "busybox"), ("vmothersetting", raw), ("vmmemory", "64")], OLD);
        assert_eq!(body["HostConfig"], json!({ "Memory": 64 << 20, "PidsLimit": 50, "New": { "x": [1] } }));
        assert_eq!(body["Hostname"], "raw");
    }

    #[test]
    fn the_old_form_of_a_command() {
        assert_eq!(body(&[("provmethod", "busybox!sleep,10")], OLD)["Cmd"], json!(["sleep", "10"]));
    }

    #[test]
    fn the_mac_stands_where_the_engine_looks_for_it() {
        let given = [("provmethod", "busybox"), ("vmnics", "tnet"), ("mac", "02:00:00:00:00:01"), ("ip", "10.1.0.1")];
        let (old, new) = (body(&given, OLD), body(&given, NEW));
        assert_eq!(old["MacAddress"], "02:00:00:00:00:01");
        assert_eq!(new["MacAddress"], Value::Null);
        let place = &new["NetworkingConfig"]["EndpointsConfig"]["tnet"];
        assert_eq!(*place, json!({ "IPAMConfig": { "IPv4Address": "10.1.0.1" }, "MacAddress": "02:00:00:00:00:01" }));
    }

    #[test]
    fn further_ports_with_the_container_or_afterwards() {
        let given = [
            ("provmethod", "busybox"),
            ("vmnics", "a,b"),
            ("mac", "02:00:00:00:00:01|02:00:00:00:00:02"),
            ("nicips", "eth1!10.2.0.1|fd00::1"),
            ("dockergateway", "b"),
        ];
        let attributes = given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let definition = define(&Node::new("n1", attributes, None)).expect("good definition");
        let check = |api: ApiVersion, own: Value, further: Value| {
            let places = create_body(&definition, "busybox:latest", api)["NetworkingConfig"]["EndpointsConfig"].take();
            assert_eq!(places["a"], own, "{api}");
            let joined = connect_body("n1", &definition.further()[0], api)["EndpointConfig"].take();
            assert_eq!(joined, further, "{api}");
            assert_eq!(places["b"], if api == OLD { Value::Null } else { further }, "{api}");
        };
        let fixed = json!({ "IPv4Address": "10.2.0.1", "IPv6Address": "fd00::1" });
        check(OLD, Value::Null, json!({ "IPAMConfig": fixed }));
        let [own, further] = ["02:00:00:00:00:01", "02:00:00:00:00:02"];
        check(NEW, json!({ "MacAddress": own }), json!({ "IPAMConfig": fixed, "MacAddress": further }));
        check(
            ROUTE_CHOSEN,
            json!({ "MacAddress": own, "GwPriority": 0 }),
            json!({ "IPAMConfig": fixed, "MacAddress": further, "GwPriority": 1 }),
        );
    }
}
