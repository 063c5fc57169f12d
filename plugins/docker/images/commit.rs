//! An image of a container as it is.
//!
//! The engine itself pauses the container and lets it go on when the commit is over, whether or not we are still there:
//! killed, cut off or interrupted, we leave nothing paused. A pause of our own would be left behind by the first of these.

use hyper::Method;
use serde_json::{Map, Value, json};

use super::super::body::{ATTRIBUTES_LABEL, DEFINITION_LABEL, NODE_LABEL};
use super::super::engine::{Engine, filters};
use super::super::guests;
use crate::bytes::in_url;
use crate::{Commit, Committed, Digest, Error, Event, Progress, Reference, Result};

/// The label that names the node of a capture.
const NODE: &str = "xcrane.capture.node";

/// Makes the image; what it is not told of the image's configuration the engine takes from the container.
pub(super) async fn commit(
    engine: &Engine,
    container: &str,
    commit: &Commit,
    progress: &Progress,
) -> Result<Committed> {
    let found = guests::inspect(engine, container).await?;
    let id = found["Image"].as_str().unwrap_or_default();
    // The image of a container may have been removed by force.
    let answer = engine.ask(Method::GET, &format!("/images/{id}/json"), None).await?;
    let image: Value = answer.ok().map(|answer| engine.parse(&answer)).transpose()?.unwrap_or_default();
    let parent = parent(&image, found["Config"]["Image"].as_str().unwrap_or_default());

    let doing = format!("capture {container}");
    progress.tell(Event::Step { host: engine.host.clone(), what: doing.clone(), number: 1, total: 2 });
    let body = json!({ "Labels": labels(commit, parent.as_ref().map_or(id, Digest::as_str)) });
    let answer = engine
        .ask_for(
            Method::POST,
            &path(found["Id"].as_str().unwrap_or(container), commit),
            Some(&body),
            engine.transfer_limit,
        )
        .await?;
    progress.tell(Event::Done { host: engine.host.clone(), what: String::new() });
    let answer = answer.map_err(|no| match no.message.contains("no space left") {
        true => Error::Full { host: engine.host.clone(), doing: doing.clone() },
        false => guests::absent_or(no, &engine.host, &doing),
    })?;
    let made: Value = engine.parse(&answer)?;
    let made = made["Id"].as_str().ok_or_else(|| Error::Garbled {
        what: engine.host.clone(),
        why: "it tells no image of the container".into(),
    })?;
    sweep(engine, container).await?;
    Ok(Committed {
        id: made.to_owned(),
        parent,
        outside: outside(&found),
        variables: variables(&found, &image),
        was_suspended: found["State"]["Paused"] == true,
    })
}

fn path(container: &str, commit: &Commit) -> String {
    format!(
        "/commit?pause=1&container={container}&repo={}&tag={}&author={}&comment={}",
        in_url(&commit.image.name()),
        in_url(commit.image.tag_or_latest()),
        in_url(&commit.author),
        in_url(commit.message.as_deref().unwrap_or_default()),
    )
}

/// Ours mean a container that stands for a node, which none made from the image does by that alone. The engine takes
/// over the container's labels unless they are told anew.
fn labels(commit: &Commit, parent: &str) -> Map<String, Value> {
    let told = commit.labels.iter().map(|(label, value)| (label.clone(), json!(value)));
    let emptied = [NODE_LABEL, DEFINITION_LABEL, ATTRIBUTES_LABEL].map(|label| (label.to_owned(), json!("")));
    told.chain(emptied).chain([("xcrane.capture.parent".to_owned(), json!(parent))]).collect()
}

/// What registries call the image that the container was made from; by its own name if it has several.
fn parent(image: &Value, named: &str) -> Option<Digest> {
    let named: Option<Reference> = named.parse().ok();
    let digests = image["RepoDigests"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let known: Vec<Reference> = digests.filter_map(|name| name.parse().ok()).collect();
    let own = known.iter().find(|known| named.as_ref().is_some_and(|named| named.name() == known.name()));
    own.or(known.first())?.digest().cloned()
}

/// Removes what captures of the same container have left that were broken off before they were pushed: a later one has
/// taken their name, and no registry knows them. The engine keeps those from which something was made.
async fn sweep(engine: &Engine, container: &str) -> Result<()> {
    let wanted = json!({ "dangling": ["true"], "label": [format!("{NODE}={container}")] });
    let listed: Vec<Value> = engine.fetch(&format!("/images/json?{}", filters(&wanted)), "list images").await?;
    // The engine puts `<none>@<none>` where there is no digest.
    let is_known = |image: &Value| image["RepoDigests"].to_string().contains("@sha256:");
    for image in listed.iter().filter(|image| !is_known(image)) {
        let id = image["Id"].as_str().unwrap_or_default();
        engine.ask(Method::DELETE, &format!("/images/{id}"), None).await?.ok();
    }
    Ok(())
}

fn outside(container: &Value) -> Vec<String> {
    let mounts = container["Mounts"].as_array().into_iter().flatten();
    let mut places: Vec<String> = mounts.filter_map(|mount| Some(mount["Destination"].as_str()?.to_owned())).collect();
    places.sort();
    places
}

fn variables(container: &Value, image: &Value) -> Vec<String> {
    let of = |found: &Value| -> Vec<String> {
        let lines = found["Config"]["Env"].as_array().into_iter().flatten().filter_map(Value::as_str);
        lines.map(str::to_owned).collect()
    };
    let before = of(image);
    let added = of(container).into_iter().filter(|line| !before.contains(line));
    added.map(|line| line.split('=').next().unwrap_or_default().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_capture_takes_along_and_what_not() {
        let image = json!({ "Config": { "Env": ["PATH=/bin", "A=1"] } });
        let container = json!({
            "Config": { "Env": ["PATH=/bin", "A=2", "TOKEN=x"] },
            "Mounts": [{ "Destination": "/scratch" }, { "Destination": "/data" }],
        });
        assert_eq!(variables(&container, &image), ["A", "TOKEN"]);
        assert_eq!(outside(&container), ["/data", "/scratch"]);
        assert_eq!((outside(&Value::Null), variables(&Value::Null, &image)), (vec![], vec![]));
    }

    #[test]
    fn the_parent_is_what_its_own_registry_calls_it() {
        let name = |digit: &str, registry: &str| format!("{registry}/a@sha256:{}", digit.repeat(64));
        let image = json!({ "RepoDigests": [name("1", "r:5000"), name("2", "s:5000")] });
        let digit = |named: &str| parent(&image, named).unwrap().short().to_owned();
        assert_eq!(
            (digit("s:5000/a:1"), digit("r:5000/a"), digit("?")),
            ("2".repeat(12), "1".repeat(12), "1".repeat(12))
        );
        assert_eq!(parent(&json!({ "RepoDigests": [] }), "a"), None);
    }

    #[test]
    fn nothing_of_a_message_becomes_part_of_the_request() {
        let commit = Commit {
            image: "r:5000/a:1".parse().unwrap(),
            message: Some("a&pause=0 é".into()),
            author: "ada".into(),
            labels: [("xcrane.capture.node".to_owned(), "c1".to_owned())].into(),
        };
        let path = path("c1", &commit);
        assert!(path.starts_with("/commit?pause=1&container=c1&repo=r%3A5000%2Fa&"), "{path}");
        assert!(path.ends_with("&comment=a%26pause%3D0%20%C3%A9"), "{path}");
        let labels = labels(&commit, "sha256:1");
        assert_eq!((&labels[NODE_LABEL], &labels["xcrane.capture.node"]), (&json!(""), &json!("c1")));
        assert_eq!(labels["xcrane.capture.parent"], "sha256:1");
    }
}
