//! Making, changing, removing and listing containers.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use hyper::Method;
use serde_json::{Map, Value, json};
use tables::Node;

use super::body::{MACS_PER_PLACE, NODE_LABEL, create_body};
use super::compare::{Difference, Mend, differences};
use super::definition::{Definition, Image, define};
use super::engine::{Engine, Refusal};
use super::fields::{HOSTS_FILE, Part, fraction_text, is_made, size_text};
use super::listing::list;
use super::places::{can_join, join, places};
use super::power::Container;
use super::vitals::vitals;
use super::{Docker, endpoint, handle, images, networks};
use crate::{Changed, Created, Error, Guest, GuestState, Guests, Port, Reference, Result, Vitals, WantedImage};

/// Between two looks at a container that is being made or removed by someone else.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[async_trait]
impl Guests for Docker {
    fn check(&self, node: &Node) -> Result<()> {
        let host = endpoint::host_of(node)?;
        self.engines.check(host)?;
        let definition = define(node)?;
        match &definition.image {
            Image::Reference(_) => Ok(()),
            Image::Archive(path) => std::fs::metadata(path).map(drop).map_err(|source| Error::File {
                doing: "read",
                path: path.display().to_string(),
                source,
            }),
        }
    }

    fn ports(&self, node: &Node) -> Result<Vec<Port>> {
        let nics = define(node)?.nics.into_iter().filter(|nic| is_made(&nic.network));
        Ok(nics
            .map(|nic| Port {
                addresses: nic.addresses().collect(),
                name: nic.name,
                network: nic.network,
                mac: nic.mac,
            })
            .collect())
    }

    fn image(&self, node: &Node) -> Result<Option<WantedImage>> {
        let definition = define(node)?;
        let Image::Reference(image) = definition.image else { return Ok(None) };
        Ok(definition.named.map(|named| WantedImage { named, digest: image.digest().cloned() }))
    }

    async fn create(&self, node: &Node, force: bool) -> Result<Created> {
        let definition = define(node)?;
        let engine = self.engine(node).await?;
        let image = match &definition.image {
            Image::Reference(reference) => handle::image(reference),
            archive @ Image::Archive(_) => images::bring(&engine, archive, &self.progress).await?,
        };
        networks::check(&engine, &definition).await?;
        let body = create_body(&definition, &image, engine.api);
        let Some(found) = self.make_or_find(&engine, &definition, &body).await? else { return Ok(Created::Created) };
        let different = compare(&engine, &definition, &image, found.clone()).await?;
        if different.is_empty() {
            return Ok(Created::Unchanged);
        }
        let unfinished = found["State"]["Status"] == "created";
        let mended = different.iter().all(|difference| difference.mend == Mend::Rejoin);
        if unfinished && mended && can_join(&definition, &found, engine.api) {
            // Whoever began to make it was stopped before it was in all its networks.
            join(&engine, &definition, &found).await?;
            return Ok(Created::Created);
        }
        if !force {
            return Err(differs(&engine, different));
        }
        images::have(&engine, &definition.image, &self.progress).await?;
        delete(&engine, node.name(), true, false).await?;
        let again = self.make_or_find(&engine, &definition, &body).await?;
        let different = again.map(|found| differences(&definition, &image, &found)).unwrap_or_default();
        if different.is_empty() { Ok(Created::Recreated) } else { Err(differs(&engine, different)) }
    }

    async fn remove(&self, node: &Node, force: bool, purge: bool) -> Result<()> {
        let engine = self.engine(node).await?;
        if !force {
            let found = inspect(&engine, node.name()).await?;
            let refuse =
                |why: &str| Err(Error::Refused { what: format!("{}: cannot remove", engine.host), why: why.into() });
            if found["Config"]["Labels"][NODE_LABEL] != node.name() {
                return refuse("the container was not made by xcrane (use -f argument to force)");
            }
            if found["State"]["Running"] == true {
                return refuse("Cannot rmvm active guest (use -f argument to force)");
            }
        }
        delete(&engine, node.name(), force, purge).await
    }

    async fn change(&self, node: &Node, recreate: bool) -> Result<Changed> {
        let definition = define(node)?;
        let engine = self.engine(node).await?;
        let found = inspect(&engine, node.name()).await?;
        let image = match &definition.image {
            Image::Reference(reference) => handle::image(reference),
            archive @ Image::Archive(_) => images::bring(&engine, archive, &self.progress).await?,
        };
        let differences = compare(&engine, &definition, &image, found.clone()).await?;
        if differences.is_empty() {
            return Ok(Changed::Unchanged);
        }
        let needs = |mend: Mend| differences.iter().any(|difference| difference.mend == mend);
        let rejoins = needs(Mend::Rejoin);
        if !needs(Mend::Anew) && (!rejoins || can_join(&definition, &found, engine.api)) {
            if rejoins {
                networks::check(&engine, &definition).await?;
                join(&engine, &definition, &found).await?;
            }
            if needs(Mend::Update) {
                update(&engine, &definition, &differences).await?;
            }
            return Ok(Changed::Live);
        }
        if !recreate {
            return Err(differs(&engine, differences));
        }
        networks::check(&engine, &definition).await?;
        images::have(&engine, &definition.image, &self.progress).await?;
        let container = Container { engine: &engine, name: node.name() };
        let was_on = container.off("off").await?.changed;
        delete(&engine, node.name(), true, false).await?;
        self.make_or_find(&engine, &definition, &create_body(&definition, &image, engine.api)).await?;
        if was_on {
            container.on("on").await?;
        }
        Ok(Changed::Recreated)
    }

    async fn list(&self, host: &Node) -> Result<Vec<Guest>> {
        let engine = self.engines.of(host).await?;
        let listing = list(&engine).await?;
        let mut guests: Vec<Guest> = listing
            .values()
            .map(|container| Guest {
                name: container.name().to_owned(),
                state: container.state.clone(),
                image: container.image.clone(),
                image_id: container.image_id.clone(),
                ip: container.ip(),
                id: container.id.clone(),
                command: container.command.clone(),
                created: container.created,
                status: container.status.clone(),
                managed: container.labels.get(NODE_LABEL).is_some_and(|node| node == container.name()),
            })
            .collect();
        guests.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(guests)
    }

    async fn log(&self, node: &Node, lines: Option<usize>) -> Result<String> {
        let engine = self.engine(node).await?;
        log(&engine, node.name(), lines).await
    }

    async fn differences(&self, node: &Node) -> Result<Vec<String>> {
        let definition = define(node)?;
        let engine = self.engine(node).await?;
        let raw = inspect(&engine, node.name()).await?;
        texts(&engine, &definition, raw).await
    }

    async fn vitals(&self, node: &Node) -> Result<Vitals> {
        let engine = self.engine(node).await?;
        Ok(vitals(&inspect(&engine, node.name()).await?))
    }

    async fn inspect(&self, node: &Node) -> Result<GuestState> {
        let engine = self.engine(node).await?;
        let raw = inspect(&engine, node.name()).await?;
        let route = networks::default_route(&engine, &raw).await?;
        let mut lines = lines(&engine.host, &raw, route.as_deref());
        lines.push(("Definition", drift(&engine, node, raw.clone()).await?));
        Ok(GuestState { lines, raw })
    }
}

impl Docker {
    /// Makes the container, or finds what has its name: made by an earlier run, by another admin at this moment, or not
    /// by us at all. A name is taken before its container can be seen, and for a while after it no longer can.
    async fn make_or_find(&self, engine: &Engine, definition: &Definition, body: &Value) -> Result<Option<Value>> {
        let start = Instant::now();
        loop {
            if self.make(engine, definition, body).await? {
                if engine.api < MACS_PER_PLACE {
                    self.join_made(engine, definition).await?;
                }
                return Ok(None);
            }
            match inspect(engine, &definition.node).await {
                Ok(found) if found["State"]["Status"] != "removing" => return Ok(Some(found)),
                Ok(_) | Err(Error::Absent { .. }) if start.elapsed() < engine.request_limit => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Ok(found) => return Ok(Some(found)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Puts a container that was just made into its further networks; one that cannot be there is not kept.
    async fn join_made(&self, engine: &Engine, definition: &Definition) -> Result<()> {
        let joined = join(engine, definition, &Value::Null).await;
        if joined.is_err() {
            // The first error is the one to tell; a host that is gone cannot be cleaned up anyway.
            delete(engine, &definition.node, true, true).await.ok();
        }
        joined
    }

    /// Asks the engine to make the container; false if the name is taken. A missing image is brought first.
    async fn make(&self, engine: &Engine, definition: &Definition, body: &Value) -> Result<bool> {
        let path = format!("/containers/create?name={}", definition.node);
        let mut answer = engine.ask(Method::POST, &path, Some(body)).await?;
        if answer.as_ref().is_err_and(|no| no.status == 404 && no.message.contains("image")) {
            let mut body = body.clone();
            // Where only a mirror could be asked it has another name than the one that was wanted.
            body["Image"] = images::bring(engine, &definition.image, &self.progress).await?.into();
            answer = engine.ask(Method::POST, &path, Some(&body)).await?;
        }
        engine.listings.outdate();
        match answer {
            Ok(made) => {
                warn(definition, &made.body);
                Ok(true)
            }
            Err(no) if no.status == 409 && no.message.contains("already in use") => Ok(false),
            Err(no) if no.message.contains(HOSTS_FILE) => {
                let message =
                    format!("{} (dockerhostsfile); write it with: makehosts --on {}", no.message, engine.host);
                Err(Refusal { message, ..no }.into_error(&engine.host, "create"))
            }
            Err(no) => Err(no.into_error(&engine.host, "create")),
        }
    }
}

/// The engine makes the container but tells what its kernel cannot do.
fn warn(definition: &Definition, body: &[u8]) {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    for warning in answer["Warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        tracing::warn!(node = definition.node, warning, "engine's warning");
    }
}

/// The engine's whole knowledge of a container.
pub(super) async fn inspect(engine: &Engine, name: &str) -> Result<Value> {
    let found = inspect_id(engine, name).await?;
    // The engine may have taken the name for the beginning of an id.
    let own = found["Name"].as_str().map(|own| own.trim_start_matches('/'));
    if own == Some(name) { Ok(found) } else { Err(Error::Absent { host: engine.host.clone() }) }
}

/// The same of a container whose id is known.
pub(super) async fn inspect_id(engine: &Engine, id: &str) -> Result<Value> {
    let answer = engine.ask(Method::GET, &format!("/containers/{id}/json"), None).await?;
    engine.parse(&answer.map_err(|no| absent_or(no, &engine.host, "inspect"))?)
}

pub(super) fn absent_or(no: Refusal, host: &str, doing: &str) -> Error {
    match no.status {
        404 if no.message.contains("No such container") => Error::Absent { host: host.into() },
        _ => no.into_error(host, doing),
    }
}

async fn delete(engine: &Engine, name: &str, force: bool, volumes: bool) -> Result<()> {
    let path = format!("/containers/{}?force={force}&v={volumes}", handle::container(engine, name).await?);
    let answer = engine.ask(Method::DELETE, &path, None).await?;
    engine.listings.outdate();
    match answer {
        // Someone else is removing it at this moment.
        Err(no) if no.status == 409 && no.message.contains("already in progress") => Ok(()),
        answer => answer.map(drop).map_err(|no| absent_or(no, &engine.host, "remove")),
    }
}

/// What a container has written, both streams as they came.
pub(super) async fn log(engine: &Engine, name: &str, lines: Option<usize>) -> Result<String> {
    let tail = lines.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&tail).build();
    let container = handle::container(engine, name).await?;
    let read = async {
        let mut log = engine.docker.logs(&container, Some(options));
        let mut text = Vec::new();
        while let Some(piece) = log.next().await {
            text.extend_from_slice(&piece?.into_bytes());
        }
        Ok(text)
    };
    let text =
        engine.call(engine.request_limit, read).await?.map_err(|no| absent_or(no, &engine.host, "read the log"))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// How the container differs from its definition; what its image puts into its environment is not shown with it.
async fn compare(engine: &Engine, definition: &Definition, image: &str, mut found: Value) -> Result<Vec<Difference>> {
    if is_made_from(engine, definition, &found).await? {
        found["Config"]["Image"] = image.into();
    }
    let different = differences(definition, image, &found);
    if !different.iter().any(|one| one.attribute.as_deref() == Some("dockerenv")) {
        return Ok(different);
    }
    let of_image = images::environment(engine, found["Image"].as_str().unwrap_or_default()).await?;
    if let Some(items) = found["Config"]["Env"].as_array_mut() {
        items.retain(|item| !of_image.contains(item));
    }
    Ok(differences(definition, image, &found))
}

/// Whether a container that was made from a tag, before its node was pinned or while only a mirror could be asked, has the
/// content that the pin means.
async fn is_made_from(engine: &Engine, definition: &Definition, found: &Value) -> Result<bool> {
    let (Image::Reference(wanted), Some(named)) = (&definition.image, &definition.named) else { return Ok(false) };
    let made_from = found["Config"]["Image"].as_str().and_then(|name| name.parse::<Reference>().ok());
    if wanted == named || !made_from.is_some_and(|name| name.is_same_name(wanted)) {
        return Ok(false);
    }
    let image = images::of_id(engine, found["Image"].as_str().unwrap_or_default()).await?;
    Ok(image.is_some_and(|image| image.digest(wanted) == wanted.digest()))
}

fn differs(engine: &Engine, differences: Vec<Difference>) -> Error {
    let differences = differences.into_iter().map(|difference| difference.text).collect();
    Error::Differs { host: engine.host.clone(), differences }
}

/// Changes the living container in what differs.
async fn update(engine: &Engine, definition: &Definition, differences: &[Difference]) -> Result<()> {
    let path = format!("/containers/{}/update", handle::container(engine, &definition.node).await?);
    let answer = engine.ask(Method::POST, &path, Some(&update_body(definition, differences))).await?;
    engine.listings.outdate();
    answer.map(drop).map_err(|no| absent_or(no, &engine.host, "change"))
}

/// The engine's "update" body: the differing parts, without the levels that only the create body has.
fn update_body(definition: &Definition, differences: &[Difference]) -> Value {
    let differing = |part: &&Part| {
        differences.iter().any(|one| one.mend == Mend::Update && one.attribute.as_deref() == Some(part.attribute))
    };
    let parts = definition.parts.iter().filter(differing).filter_map(|part| part.body["HostConfig"].as_object());
    let mut update: Map<String, Value> = parts.flat_map(Clone::clone).collect();
    if let Some(memory) = update.get("Memory").and_then(Value::as_i64) {
        // The limit of memory and swap together must move as well; without dockerswap the engine's rule is twice the memory.
        let swap = definition.parts.iter().find_map(|part| part.body.pointer("/HostConfig/MemorySwap"));
        update.insert("MemorySwap".into(), swap.cloned().unwrap_or_else(|| json!(memory.saturating_mul(2))));
    }
    update.into()
}

/// A container's details, as people want to read them.
fn lines(host: &str, raw: &Value, route: Option<&str>) -> Vec<(&'static str, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (config, limits, state) = (&raw["Config"], &raw["HostConfig"], &raw["State"]);
    let id: String = text(&raw["Id"]).chars().take(12).collect();
    let mut lines =
        vec![("Id", id), ("Host", host.to_owned()), ("Image", text(&config["Image"])), ("State", state_line(state))];
    let command = [&raw["Path"], &raw["Args"]].into_iter().flat_map(|value| match value {
        Value::Array(words) => words.iter().map(text).collect(),
        word => vec![text(word)],
    });
    lines.push(("Command", command.collect::<Vec<_>>().join(" ")));
    let limit = |value: &Value, shown: fn(i64) -> String| {
        value.as_i64().filter(|&number| number > 0).map_or("no limit".into(), shown)
    };
    lines.push(("CPU", limit(&limits["NanoCpus"], fraction_text)));
    lines.push(("Memory", limit(&limits["Memory"], size_text)));
    let (own, further): (Vec<_>, Vec<_>) = places(raw).partition(|(name, _)| limits["NetworkMode"] == **name);
    for (name, place) in own.into_iter().chain(further) {
        let fixed = &place["IPAMConfig"]["IPv4Address"];
        let address = [&place["IPAddress"], fixed].into_iter().map(text).find(|address| !address.is_empty());
        let route = route.filter(|route| route == name).map(|_| "default route".to_owned());
        let parts = [Some(name.clone()), address, Some(text(&place["MacAddress"])), route];
        lines.push((
            "Network",
            parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
        ));
    }
    let policy = text(&limits["RestartPolicy"]["Name"]);
    lines.push(("Restart", if policy.is_empty() { "no".into() } else { policy }));
    lines.push(("Created", text(&raw["Created"])));
    lines
}

/// `running`, or `exited (137)` with the error if the engine kept one.
fn state_line(state: &Value) -> String {
    let word = state["Status"].as_str().unwrap_or_default();
    let error = state["Error"].as_str().filter(|error| !error.is_empty());
    match (word, &state["ExitCode"], error) {
        ("exited", code, None) if state["OOMKilled"] == true => format!("exited ({code}): out of memory"),
        ("exited", code, None) => format!("exited ({code})"),
        ("exited" | "created", code, Some(error)) => format!("{word} ({code}): {error}"),
        _ => word.to_owned(),
    }
}

/// Whether the container still is what the tables say.
async fn drift(engine: &Engine, node: &Node, raw: Value) -> Result<String> {
    let definition = match define(node) {
        Ok(definition) => definition,
        Err(error) => return Ok(format!("unknown: {error}")),
    };
    let texts = texts(engine, &definition, raw).await?;
    Ok(if texts.is_empty() { "equal".into() } else { format!("differs: {}", texts.join("; ")) })
}

async fn texts(engine: &Engine, definition: &Definition, raw: Value) -> Result<Vec<String>> {
    // An archive's name on the host is known only after loading it; the container's own image is taken for equal.
    let image = match &definition.image {
        Image::Reference(reference) => handle::image(reference),
        Image::Archive(_) => raw["Config"]["Image"].as_str().unwrap_or_default().to_owned(),
    };
    let differences = compare(engine, definition, &image, raw).await?;
    Ok(differences.into_iter().map(|difference| difference.text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_carries_what_differs() {
        let check = |given: &[(&str, &str)], differing: &[&str], expected: Value| {
            let all = given.iter().copied().chain([("provmethod", "a"), ("dockerenv", "A=1")]);
            let attributes = all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let definition = define(&Node::new("n1", attributes, None)).expect("good definition");
            let one =
                |name: &&str| Difference { attribute: Some((*name).into()), mend: Mend::Update, text: String::new() };
            assert_eq!(update_body(&definition, &differing.iter().map(one).collect::<Vec<_>>()), expected, "{given:?}");
        };
        check(&[("vmcpus", "2"), ("vmmemory", "1")], &["vmcpus"], json!({ "NanoCpus": 2_000_000_000_u64 }));
        check(&[("vmmemory", "64")], &["vmmemory"], json!({ "Memory": 64 << 20, "MemorySwap": 128 << 20 }));
        let both = [("vmmemory", "64"), ("dockerswap", "1")];
        check(&both, &["vmmemory"], json!({ "Memory": 64 << 20, "MemorySwap": 65 << 20 }));
        check(&both, &["dockerswap"], json!({ "MemorySwap": 65 << 20 }));
        let policy = json!({ "RestartPolicy": { "Name": "always", "MaximumRetryCount": 0 } });
        check(&[("dockerrestart", "always")], &["dockerrestart"], policy);
    }

    #[test]
    fn states_say_why() {
        assert_eq!(state_line(&json!({ "Status": "exited", "ExitCode": 137, "Error": "" })), "exited (137)");
        assert_eq!(state_line(&json!({ "Status": "running", "ExitCode": 0, "Error": "" })), "running");
        assert_eq!(
            state_line(&json!({ "Status": "created", "ExitCode": 127, "Error": "no x" })),
            "created (127): no x"
        );
    }
}
