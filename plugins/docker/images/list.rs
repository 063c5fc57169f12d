//! What a host has.

use std::sync::Arc;

use hyper::Method;
use serde::Deserialize;

use super::super::engine::Engine;
use super::super::{handle, moment};
use crate::registry::Near;
use crate::{Error, HostImage, Reference, Result};

/// An image in the engine's list. What it has no name for is `<none>`, or no list at all.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    repo_digests: Option<Vec<String>>,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    created: Created,
}

/// The list has seconds, a single image a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Created {
    Seconds(i64),
    Text(String),
}

impl Default for Created {
    fn default() -> Self {
        Self::Seconds(0)
    }
}

impl Listed {
    fn told(self, near: &Arc<Near>) -> HostImage {
        let listed = self;
        // What the engine has named in a way that we do not take is not ours to show.
        let names = |names: Option<Vec<String>>| -> Vec<Reference> {
            names.into_iter().flatten().filter_map(|name| name.parse().ok()).collect()
        };
        HostImage {
            id: listed.id,
            tags: names(listed.repo_tags),
            digests: names(listed.repo_digests),
            size: listed.size,
            created: match listed.created {
                Created::Seconds(seconds) => seconds,
                Created::Text(text) => {
                    let whole = moment::unix_seconds(&text).and_then(|text| text.split_once('.')?.0.parse().ok());
                    whole.unwrap_or_default()
                }
            },
            near: near.clone(),
        }
    }
}

/// Every image of the host that has a name.
pub(super) async fn list(engine: &Engine) -> Result<Vec<HostImage>> {
    let listed: Vec<Listed> = engine.fetch("/images/json", "list images").await?;
    Ok(listed.into_iter().map(|listed| listed.told(&engine.nearby.near)).collect())
}

/// One image; None if the host does not have it.
pub(super) async fn inspect(engine: &Engine, image: &Reference) -> Result<Option<HostImage>> {
    of_id(engine, &handle::image(image)).await
}

/// The image of that name, also the engine's own one.
pub(in crate::docker) async fn of_id(engine: &Engine, image: &str) -> Result<Option<HostImage>> {
    match engine.ask(Method::GET, &format!("/images/{image}/json"), None).await? {
        Ok(answer) => Ok(Some(engine.parse::<Listed>(&answer)?.told(&engine.nearby.near))),
        Err(no) if no.status == 404 => Ok(None),
        Err(no) => Err(no.into_error(&engine.host, &format!("look at image {image}"))),
    }
}

/// An image that was just pulled.
pub(super) async fn after_pull(engine: &Engine, image: &str) -> Result<HostImage> {
    let what = || format!("{}: image {image} after it was pulled", engine.host);
    of_id(engine, image).await?.ok_or_else(|| Error::Garbled { what: what(), why: "it is not there".into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_engines_tell_of_images() {
        let digest = format!("r:5000/a@sha256:{}", "0".repeat(64));
        let image =
            |json: &str| serde_json::from_str::<Listed>(json).expect("as the engine writes it").told(&Arc::default());
        let listed = image(&format!(
            r#"{{"Id":"sha256:1","RepoTags":["r:5000/a:1","<none>:<none>"],"RepoDigests":["{digest}"],"Size":7,"Created":9}}"#
        ));
        let names = |names: &[Reference]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!((names(&listed.tags), names(&listed.digests)), (vec!["r:5000/a:1".into()], vec![digest]));
        assert_eq!((listed.size, listed.created), (7, 9));
        let bare = image(r#"{"Id":"sha256:1","RepoTags":null,"RepoDigests":null,"Created":"1970-01-01T00:00:05.5Z"}"#);
        assert_eq!((bare.tags.len(), bare.digests.len(), bare.created), (0, 0, 5));
    }
}
