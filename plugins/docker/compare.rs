//! How an existing container differs from its definition, in the words of the tables.
//!
//! Two sources: `docker inspect` shows what the container is; its labels hold a fingerprint of every attribute that it
//! was made from, which also tells of a list item taken away (the image adds items of its own, so the list alone cannot).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::body::{ATTRIBUTES_LABEL, NODE_LABEL};
use super::definition::{Definition, fingerprint};
use super::fields::{fraction_text, size_text};
use super::places::{places, port_differences};

/// What the engine can change in a living container: the container itself then tells the truth, not its labels.
pub(super) const LIVE: [&str; 5] = ["vmcpus", "vmmemory", "dockerswap", "dockercpuset", "dockerrestart"];

/// Where the engine shows what can be changed in a living container; one that a change has set is in no label.
const LIVE_PLACES: [(&str, [&str; 2]); 4] = [
    ("vmcpus", ["HostConfig", "NanoCpus"]),
    ("vmmemory", ["HostConfig", "Memory"]),
    ("dockercpuset", ["HostConfig", "CpusetCpus"]),
    ("dockerrestart", ["HostConfig", "RestartPolicy"]),
];

/// A place in the create body.
type Path = Vec<String>;

/// One attribute in which a container is not what it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// None for a container that is not ours at all.
    pub(super) attribute: Option<String>,
    pub(super) mend: Mend,
    pub(super) text: String,
}

/// What it takes to mend a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mend {
    /// Another container.
    Anew,
    /// The engine changes the living container.
    Update,
    /// The living container leaves or joins networks.
    Rejoin,
}

impl Difference {
    pub(super) fn new(attribute: &str, text: &str) -> Self {
        Self { attribute: Some(attribute.to_owned()), mend: Mend::Anew, text: format!("{attribute}: {text}") }
    }

    pub(super) fn rejoin(attribute: &str, text: &str) -> Self {
        Self { mend: Mend::Rejoin, ..Self::new(attribute, text) }
    }
}

/// Lists the differences, one per attribute; empty if there are none. `found` is the engine's inspect answer.
pub(super) fn differences(definition: &Definition, image: &str, found: &Value) -> Vec<Difference> {
    let labels = &found["Config"]["Labels"];
    if labels[NODE_LABEL] != definition.node {
        return vec![Difference { attribute: None, mend: Mend::Anew, text: "it was not made by xcrane".into() }];
    }
    let made_from = recorded(labels[ATTRIBUTES_LABEL].as_str().unwrap_or_default());
    let mut lines = Vec::new();
    let has_image = found["Config"]["Image"].as_str().unwrap_or_default();
    if has_image != image {
        lines.push(Difference::new("provmethod", &format!("{image}, container has {has_image}")));
    }
    let wanted = wanted(definition);
    let mut told = BTreeSet::new();
    for part in &definition.parts {
        let changed = made_from.get(part.attribute).is_none_or(|made| *made != fingerprint(&part.body));
        // A kernel that cannot limit swap makes the engine drop the limit, with a warning.
        let dropped = |path: &Path| !changed && path.ends_with(&["MemorySwap".into()]) && *place(found, path) == -1;
        let mut own = wanted.iter().filter(|(_, (attribute, _))| *attribute == part.attribute);
        let unequal = |path: &Path, value| !equal(path, value, place(found, path)) && !dropped(path);
        let differing = own.clone().find(|(path, (_, value))| unequal(path, value));
        let changed = changed && !LIVE.contains(&part.attribute);
        let Some((path, _)) = differing.or_else(|| if changed { own.next() } else { None }) else { continue };
        if told.insert(part.attribute) {
            let text = format!("{}, container has {}", part.text, shown(path, place(found, path)));
            let mend = if LIVE.contains(&part.attribute) { Mend::Update } else { Mend::Anew };
            lines.push(Difference { mend, ..Difference::new(part.attribute, &text) });
        }
    }
    lines.extend(mac_difference(definition, found));
    lines.extend(port_differences(definition, found, told.contains("vmnics")));
    let current: BTreeSet<&str> = definition.parts.iter().map(|part| part.attribute).collect();
    let gone = made_from.keys().filter(|attribute| !current.contains(attribute.as_str()));
    let unset = LIVE_PLACES.iter().filter(|(attribute, _)| !made_from.contains_key(*attribute));
    lines.extend(unset.filter_map(|(attribute, keys)| {
        let path: Path = keys.iter().map(|&key| key.to_owned()).collect();
        let value = place(found, &path);
        let decided = wanted.keys().any(|known| known.starts_with(&path));
        let text = || format!("not set, container has {}", shown(&path, value));
        (!decided && !is_off(value)).then(|| Difference::new(attribute, &text()))
    }));
    lines.extend(gone.map(|attribute| Difference::new(attribute, "not set, container was made with it")));
    lines
}

/// The fingerprints in a container's label: `attribute=fingerprint,…`.
fn recorded(label: &str) -> BTreeMap<String, String> {
    let pairs = label.split(',').filter_map(|item| item.split_once('='));
    pairs.map(|(attribute, fingerprint)| (attribute.to_owned(), fingerprint.to_owned())).collect()
}

/// Every leaf of the body with the attribute that decides it: a later part wins, as in the body itself.
fn wanted(definition: &Definition) -> BTreeMap<Path, (&'static str, &Value)> {
    let mut leaves = BTreeMap::new();
    for part in &definition.parts {
        collect(&part.body, &mut Vec::new(), &mut |path, value| {
            leaves.insert(path, (part.attribute, value));
        });
    }
    leaves
}

fn collect<'a>(value: &'a Value, path: &mut Path, leaf: &mut impl FnMut(Path, &'a Value)) {
    match value.as_object().filter(|object| !object.is_empty()) {
        None => leaf(path.clone(), value),
        Some(object) => {
            for (key, inner) in object {
                path.push(key.clone());
                collect(inner, path, leaf);
                path.pop();
            }
        }
    }
}

/// Where the inspect answer holds what stood at `path` of the create body.
fn place<'a>(found: &'a Value, path: &[String]) -> &'a Value {
    let keys: Vec<&str> = path.iter().map(String::as_str).collect();
    let (start, rest) = match keys.as_slice() {
        ["HostConfig", rest @ ..] => (&found["HostConfig"], rest),
        ["NetworkingConfig", "EndpointsConfig", rest @ ..] => (&found["NetworkSettings"]["Networks"], rest),
        rest => (&found["Config"], rest),
    };
    rest.iter().fold(start, |value, key| &value[*key])
}

fn equal(path: &[String], wanted: &Value, found: &Value) -> bool {
    match path.last().map(String::as_str).unwrap_or_default() {
        "Env" => items(wanted).iter().all(|item| items(found).contains(item)),
        "CapAdd" | "CapDrop" => bare_capabilities(wanted) == bare_capabilities(found),
        "Links" => bare_links(wanted) == bare_links(found),
        "NetworkMode" => wanted == found || (is_default(wanted) && is_default(found)),
        _ => same(wanted, found),
    }
}

/// What the engine shows for a limit or a policy that nobody has set.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Object(policy) => matches!(policy.get("Name").and_then(Value::as_str), None | Some("" | "no")),
        value => value.is_null() || *value == 0 || *value == "",
    }
}

pub(super) fn is_default(network: &Value) -> bool {
    matches!(network.as_str(), Some("default" | "bridge"))
}

/// The engine leaves out what is off, empty or zero, and adds keys of its own to objects.
fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Bool(false), Value::Null) => true,
        (Value::Number(wanted), Value::Null) => wanted.as_i64() == Some(0),
        (Value::String(wanted), Value::Null) => wanted.is_empty(),
        (Value::Array(wanted), Value::Null) => wanted.is_empty(),
        (Value::Number(wanted), Value::Number(found)) => wanted.as_f64() == found.as_f64(),
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| same(wanted, found))
        }
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.iter().all(|(key, value)| same(value, found.get(key).unwrap_or(&Value::Null)))
        }
        (wanted, found) => wanted == found,
    }
}

fn items(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn bare_capabilities(value: &Value) -> BTreeSet<&str> {
    items(value).into_iter().map(|name| name.strip_prefix("CAP_").unwrap_or(name)).collect()
}

/// The engine shows the link `n2:db` of `n1` as `/n2:/n1/db`.
fn bare_links(value: &Value) -> BTreeSet<String> {
    let bare = |link: &str| match link.split_once(':') {
        Some((node, alias)) => {
            format!("{}:{}", node.trim_start_matches('/'), alias.rsplit('/').next().unwrap_or(alias))
        }
        None => link.to_owned(),
    };
    items(value).into_iter().map(bare).collect()
}

/// Engines up to 23 keep the address in the configuration, later ones in the place in the network.
fn mac_difference(definition: &Definition, found: &Value) -> Option<Difference> {
    let (own, mac) = match definition.nics.first() {
        Some(nic) => (Some(&nic.network), nic.mac.as_ref()?),
        None => (None, definition.mac.as_ref()?),
    };
    let places = places(found).filter(|(network, _)| own.is_none_or(|own| own == *network));
    let all = places.map(|(_, place)| &place["MacAddress"]).chain([&found["Config"]["MacAddress"]]);
    let known: Vec<&str> = all.filter_map(Value::as_str).filter(|text| !text.is_empty()).collect();
    if known.iter().any(|known| known.eq_ignore_ascii_case(mac)) {
        return None;
    }
    Some(Difference::new("mac", &format!("{mac}, container has {}", known.first().unwrap_or(&"none"))))
}

/// A value of the engine as the tables would write it.
fn shown(path: &[String], value: &Value) -> String {
    let key = path.last().map(String::as_str).unwrap_or_default();
    match (key, value) {
        (_, Value::Null) => "none".into(),
        ("Memory" | "NanoCpus" | "MemorySwap", Value::Number(number)) if number.as_i64() == Some(0) => "none".into(),
        ("Memory" | "MemorySwap" | "ShmSize", Value::Number(number)) => {
            number.as_i64().map(size_text).unwrap_or_default()
        }
        ("NanoCpus", Value::Number(number)) => number.as_i64().map(fraction_text).unwrap_or_default(),
        ("RestartPolicy", policy) => policy["Name"].as_str().unwrap_or_default().to_owned(),
        ("Env", list) if !items(list).is_empty() => items(list).join("|"),
        ("Cmd" | "Entrypoint", list) => list.to_string(),
        (_, Value::Bool(true)) => "yes".into(),
        (_, Value::Bool(false)) => "no".into(),
        (_, Value::String(text)) if text.is_empty() => "none".into(),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Array(list)) if list.is_empty() => "none".into(),
        (_, Value::Array(list)) if list.iter().all(Value::is_string) => items(value).join(","),
        (_, other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use tables::Node;

    use super::*;
    use crate::docker::body::{connect_body, create_body};
    use crate::docker::definition::define;
    use crate::docker::version::ApiVersion;

    const API: ApiVersion = ApiVersion { major: 1, minor: 41 };

    fn definition(attributes: &[(&str, &str)]) -> Definition {
        let given = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let all: BTreeMap<_, _> = [("provmethod".to_owned(), "a".to_owned())].into_iter().chain(given).collect();
        define(&Node::new("n1", all, None)).expect("good definition")
    }

    /// An engine that shows what it was given.
    fn container(attributes: &[(&str, &str)]) -> Value {
        let mut body = create_body(&definition(attributes), "a:latest", API);
        let host = body["HostConfig"].take();
        let networks = body["NetworkingConfig"]["EndpointsConfig"].take();
        json!({ "HostConfig": host, "NetworkSettings": { "Networks": networks }, "Config": body })
    }

    fn texts(now: &[(&str, &str)], image: &str, found: &Value) -> Vec<String> {
        differences(&definition(now), image, found).into_iter().map(|difference| difference.text).collect()
    }

    fn check(now: &[(&str, &str)], made: &[(&str, &str)], expected: &[&str]) {
        assert_eq!(texts(now, "a:latest", &container(made)), expected, "{now:?} {made:?}");
    }

    #[test]
    fn every_part_equals_itself() {
        let all = [
            ("vmmemory", "512"),
            ("vmcpus", "1.5"),
            ("dockerenv", "A=1|B=2"),
            ("dockercapadd", "SYS_NICE"),
            ("dockerports", "80:80"),
            ("vmnics", "tnet"),
            ("ip", "10.1.0.1"),
            ("mac", "02:00:00:00:00:01"),
            ("dockerlinks", "n2:db"),
            ("dockerdevices", "/dev/null,gpu=all"),
            ("dockertty", "no"),
            ("vmothersetting", r#"{"HostConfig":{"PidsLimit":5}}"#),
        ];
        check(&all, &all, &[]);
    }

    #[test]
    fn differences_in_the_words_of_the_tables() {
        check(&[("vmmemory", "512M")], &[("vmmemory", "256M")], &["vmmemory: 512M, container has 256M"]);
        check(&[("vmcpus", "2")], &[("vmcpus", "0.5")], &["vmcpus: 2, container has 0.5"]);
        check(&[("vmmemory", "512M")], &[], &["vmmemory: 512M, container has none"]);
        check(&[], &[("vmmemory", "512M")], &["vmmemory: not set, container was made with it"]);
        check(&[("dockertty", "yes")], &[("dockertty", "no")], &["dockertty: yes, container has no"]);
        check(
            &[("mac", "02:00:00:00:00:01")],
            &[("mac", "02:00:00:00:00:02")],
            &["mac: 02:00:00:00:00:01, container has 02:00:00:00:00:02"],
        );
    }

    /// What an engine shows once it has put the container into the networks of its further ports.
    fn joined(attributes: &[(&str, &str)]) -> Value {
        let mut found = container(attributes);
        for nic in definition(attributes).further() {
            let place = connect_body("n1", nic, API)["EndpointConfig"].take();
            found["NetworkSettings"]["Networks"][&nic.network] = place;
        }
        found
    }

    #[test]
    fn every_port_is_compared() {
        let check = |now: &[(&str, &str)], made: &[(&str, &str)], expected: &[&str]| {
            assert_eq!(texts(now, "a:latest", &joined(made)), expected, "{now:?} {made:?}");
        };
        let one = [("vmnics", "a"), ("ip", "10.1.0.1")];
        let two = [("vmnics", "a,b"), ("ip", "10.1.0.1"), ("nicips", "eth1!10.2.0.1")];
        check(&two, &two, &[]);
        check(&two, &one, &["vmnics: a,b, container has a"]);
        check(&one, &two, &["vmnics: a, container has a,b"]);
        let other = [("vmnics", "a,b"), ("ip", "10.1.0.1"), ("nicips", "eth1!10.2.0.9|fd00::9")];
        check(&other, &two, &["nicips.eth1: 10.2.0.9|fd00::9, container has 10.2.0.1"]);
        check(&[("vmnics", "a,c"), ("ip", "10.1.0.1")], &two, &["vmnics: a,c, container has a,b"]);
        let all: Vec<Mend> =
            differences(&definition(&other), "a:latest", &joined(&one)).into_iter().map(|one| one.mend).collect();
        assert_eq!(all, [Mend::Rejoin]);
        let swapped = differences(&definition(&[("vmnics", "b,a"), ("ip", "10.1.0.1")]), "a:latest", &joined(&one));
        assert!(swapped.iter().any(|one| one.mend == Mend::Anew), "{swapped:?}");
        let mut running = joined(&two);
        running["NetworkSettings"]["Networks"]["b"]["MacAddress"] = json!("02:42:0a:02:00:01");
        let macs = |cell: &'static str| [&two[..], &[("mac", cell)]].concat();
        let same = macs("02:00:00:00:00:01|02:42:0A:02:00:01");
        running["Config"]["MacAddress"] = json!("02:00:00:00:00:01");
        assert_eq!(texts(&same, "a:latest", &running), Vec::<String>::new());
        let differs = ["mac: 02:00:00:00:00:09 on eth1, container has 02:42:0a:02:00:01"];
        assert_eq!(texts(&macs("02:00:00:00:00:01|02:00:00:00:00:09"), "a:latest", &running), differs);
    }

    #[test]
    fn the_default_route_where_the_engine_shows_it() {
        let two = [("vmnics", "a,b"), ("dockergateway", "b")];
        let mut found = joined(&two);
        found["NetworkSettings"]["Networks"] = json!({ "a": { "GwPriority": 0 }, "b": { "GwPriority": 1 } });
        assert_eq!(texts(&two, "a:latest", &found), Vec::<String>::new());
        found["NetworkSettings"]["Networks"]["a"]["GwPriority"] = json!(1);
        assert_eq!(texts(&two, "a:latest", &found), ["dockergateway: b, container has a"]);
    }

    #[test]
    fn a_network_that_was_joined_by_hand() {
        let mut found = container(&[]);
        found["NetworkSettings"]["Networks"] = json!({ "bridge": {} });
        found["HostConfig"] = json!({ "NetworkMode": "default" });
        assert_eq!(texts(&[], "a:latest", &found), Vec::<String>::new());
        found["NetworkSettings"]["Networks"]["x"] = json!({});
        assert_eq!(texts(&[], "a:latest", &found), ["vmnics: not set, container has bridge,x"]);
    }

    #[test]
    fn an_item_taken_from_a_list_is_seen() {
        check(&[("dockerenv", "A=1")], &[("dockerenv", "A=1|B=2")], &["dockerenv: A=1, container has A=1|B=2"]);
    }

    #[test]
    fn what_the_image_adds_is_no_difference() {
        let mut found = container(&[("dockerenv", "A=1")]);
        found["Config"]["Env"] = json!(["PATH=/bin", "A=1"]);
        found["Config"]["Labels"]["vendor"] = json!("x");
        assert_eq!(texts(&[("dockerenv", "A=1")], "a:latest", &found), Vec::<String>::new());
    }

    #[test]
    fn a_live_change_counts_and_not_the_label() {
        let mut found = container(&[("vmmemory", "256M")]);
        found["HostConfig"]["Memory"] = json!(512 << 20);
        assert_eq!(texts(&[("vmmemory", "512M")], "a:latest", &found), Vec::<String>::new());
        let drifted = texts(&[("vmmemory", "256M")], "a:latest", &found);
        assert_eq!(drifted, ["vmmemory: 256M, container has 512M"]);
    }

    #[test]
    fn a_live_change_that_the_tables_took_back() {
        let mut found = container(&[]);
        found["HostConfig"] = json!({ "Memory": 64 << 20, "NanoCpus": 0, "CpusetCpus": "",
            "RestartPolicy": { "Name": "always", "MaximumRetryCount": 0 } });
        let expected = ["vmmemory: not set, container has 64M", "dockerrestart: not set, container has always"];
        assert_eq!(texts(&[], "a:latest", &found), expected);
        found["HostConfig"]["RestartPolicy"]["Name"] = json!("no");
        let raw = [("vmothersetting", r#"{"HostConfig":{"Memory":67108864}}"#)];
        assert!(texts(&raw, "a:latest", &found).iter().all(|text| text.starts_with("vmothersetting")));
    }

    #[test]
    fn a_kernel_without_swap_limits() {
        let given = [("vmmemory", "64"), ("dockerswap", "32")];
        let mut found = container(&given);
        found["HostConfig"]["MemorySwap"] = json!(-1);
        assert_eq!(texts(&given, "a:latest", &found), Vec::<String>::new());
        let other = [("vmmemory", "64"), ("dockerswap", "16")];
        assert_eq!(texts(&other, "a:latest", &found), ["dockerswap: 16, container has -1"]);
    }

    #[test]
    fn other_images_and_other_peoples_containers() {
        let found = container(&[]);
        assert_eq!(texts(&[], "b:1", &found), ["provmethod: b:1, container has a:latest"]);
        let mut foreign = found;
        foreign["Config"]["Labels"] = json!({});
        assert_eq!(texts(&[], "a:latest", &foreign), ["it was not made by xcrane"]);
    }

    #[test]
    fn the_engines_own_spelling() {
        let mut found = container(&[("dockercapadd", "SYS_NICE,IPC_LOCK"), ("dockerlinks", "n2:db")]);
        found["HostConfig"]["CapAdd"] = json!(["CAP_IPC_LOCK", "CAP_SYS_NICE"]);
        found["HostConfig"]["Links"] = json!(["/n2:/n1/db"]);
        let same = [("dockercapadd", "SYS_NICE,IPC_LOCK"), ("dockerlinks", "n2:db")];
        assert_eq!(texts(&same, "a:latest", &found), Vec::<String>::new());
    }
}
