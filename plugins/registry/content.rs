//! What a registry holds: repositories, their tags, and the manifests that these mean.

use std::collections::HashSet;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Client, Config};
use crate::https::Whole;
use crate::{Digest, Reference, Result, Secret};

/// Names asked for at once; the server gives no more.
const PAGE: usize = 100;
/// What a client that hosts use understands: a manifest, or an index of one for each architecture, in both spellings.
const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Of what an index offers, what hosts are.
const SYSTEM: &str = "linux";

/// What a tag or digest means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Of the manifest, or of the index if it is one.
    pub digest: Digest,
    pub media_type: String,
    /// Bytes of all layers and the configuration, packed as they are sent.
    pub size: u64,
    /// The configuration, which engines take for the image's own name.
    pub config: Option<Digest>,
    pub layers: Vec<Layer>,
    /// What an index offers, of which `layers` are those of this machine's architecture.
    pub parts: Vec<Digest>,
}

/// A part of an image's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layer {
    pub digest: Digest,
    pub size: u64,
}

#[derive(Deserialize)]
struct Catalog {
    repositories: Vec<String>,
}

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written {
    #[serde(default)]
    pub(super) media_type: Option<String>,
    pub(super) config: Option<Described>,
    #[serde(default)]
    pub(super) layers: Vec<Described>,
    #[serde(default)]
    pub(super) manifests: Vec<Described>,
}

#[derive(Deserialize)]
pub(super) struct Described {
    pub(super) digest: String,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

/// The names of all that a registry holds, within `limit`.
pub async fn repositories(config: &Config, limit: Duration) -> Result<Vec<String>> {
    Client::new(config, limit)?.repositories().await
}

impl Client {
    /// The names of all that it holds.
    pub async fn repositories(&self) -> Result<Vec<String>> {
        let (mut names, mut known) = (Vec::<String>::new(), HashSet::new());
        loop {
            let after = names.last().map(|last| format!("&last={last}")).unwrap_or_default();
            let answer = self.ask(Method::GET, &format!("/v2/_catalog?n={PAGE}{after}"), &[]).await?;
            if answer.status != StatusCode::OK {
                return Err(self.refused(answer.status, "list its repositories"));
            }
            let page = page(&answer.body, &mut known).map_err(|why| self.garbled(why))?;
            let is_last = page.len() < PAGE;
            names.extend(page);
            if is_last {
                return Ok(names);
            }
        }
    }

    /// The tags of a repository, in order; none if there is no such repository.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>> {
        let answer = self.ask(Method::GET, &format!("/v2/{repository}/tags/list"), &[]).await?;
        match answer.status {
            StatusCode::OK => tags(&answer.body).map_err(|why| self.garbled(why)),
            StatusCode::NOT_FOUND => Ok(Vec::new()),
            status => Err(self.refused(status, &format!("list the tags of {repository}"))),
        }
    }

    /// The digest that a tag or digest of a repository means now; None if it means nothing there.
    pub async fn head(&self, repository: &str, suffix: &str) -> Result<Option<Digest>> {
        let path = format!("/v2/{repository}/manifests/{suffix}");
        let answer = self.ask(Method::HEAD, &path, &[("accept", ACCEPTED)]).await?;
        match answer.status {
            StatusCode::OK => self.told_digest(&answer).map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(self.refused(status, &format!("look at {repository}:{suffix}"))),
        }
    }

    /// What a tag or digest of a repository means; of an index the part for this machine's architecture.
    pub async fn manifest(&self, repository: &str, suffix: &str) -> Result<Option<Manifest>> {
        let Some((digest, written)) = self.written(repository, suffix).await? else { return Ok(None) };
        let part = chosen(&written.manifests).map(|part| part.digest.parse::<Digest>());
        let part = part.transpose().map_err(|why| self.garbled(why))?;
        let own = match part {
            Some(part) => self.written(repository, part.as_str()).await?.map(|(_, written)| written),
            None => None,
        };
        Manifest::of(digest, &written, own.as_ref()).map(Some).map_err(|why| self.garbled(why))
    }

    /// Deletes a manifest, and with it every tag that means it; false if there is none. Its layers take their space until
    /// the garbage is collected.
    pub async fn delete(&self, repository: &str, digest: &Digest) -> Result<bool> {
        let answer = self.ask(Method::DELETE, &format!("/v2/{repository}/manifests/{digest}"), &[]).await?;
        match answer.status {
            StatusCode::ACCEPTED => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            status => Err(self.refused(status, &format!("delete {repository}@{digest}"))),
        }
    }

    /// Takes a tag away; what it means stays. The server can only delete content, with all tags that mean it, so the tag is
    /// given content of its own first: an index of nothing. Killed in between, this is what a second run deletes.
    pub async fn untag(&self, repository: &str, tag: &str) -> Result<()> {
        let mark = Secret::random()?;
        let nothing = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [],
            "annotations": { "xcrane.removed": mark.reveal() } });
        let nothing = Bytes::from(nothing.to_string());
        let digest = Digest::of(&nothing);
        let path = format!("/v2/{repository}/manifests/{tag}");
        let answer = self.tell(Method::PUT, &path, &[("content-type", INDEX)], nothing).await?;
        if answer.status != StatusCode::CREATED {
            return Err(self.refused(answer.status, &format!("take the tag {repository}:{tag} away")));
        }
        self.delete(repository, &digest).await.map(drop)
    }

    async fn written(&self, repository: &str, suffix: &str) -> Result<Option<(Digest, Written)>> {
        let found = self.raw(repository, suffix).await?;
        found.map(|(digest, answer)| Ok((digest, self.parse(&answer)?))).transpose()
    }

    /// A manifest as the registry sends it; its digest is that of its bytes.
    pub(super) async fn raw(&self, repository: &str, suffix: &str) -> Result<Option<(Digest, Whole)>> {
        let path = format!("/v2/{repository}/manifests/{suffix}");
        let answer = self.ask(Method::GET, &path, &[("accept", ACCEPTED)]).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(self.refused(status, &format!("read {repository}:{suffix}"))),
        }
        let digest = Digest::of(&answer.body);
        let asked = suffix.parse::<Digest>().ok().map_or_else(|| self.told_digest(&answer), Ok)?;
        if digest != asked {
            return Err(
                self.garbled(format!("the manifest of {repository}:{suffix} is {digest} and should be {asked}"))
            );
        }
        Ok(Some((digest, answer)))
    }

    /// The digest in the header of an answer.
    fn told_digest(&self, answer: &Whole) -> Result<Digest> {
        let told = answer.headers.get("docker-content-digest").and_then(|value| value.to_str().ok());
        let told = told.ok_or_else(|| self.garbled("it tells no digest"))?;
        told.parse().map_err(|why: String| self.garbled(why))
    }
}

impl Manifest {
    /// From what is written in it, and in `own`, the part of an index that is for this machine.
    fn of(digest: Digest, written: &Written, own: Option<&Written>) -> std::result::Result<Self, String> {
        let parts = written.manifests.iter().map(|part| part.digest.parse());
        let own = own.unwrap_or(written);
        let layers = own.layers.iter().map(|layer| Ok(Layer { digest: layer.digest.parse()?, size: layer.size }));
        let sizes = own.config.iter().chain(&own.layers).map(|part| part.size);
        Ok(Self {
            digest,
            media_type: written.media_type.clone().unwrap_or_default(),
            size: sizes.fold(0, u64::saturating_add),
            config: own.config.as_ref().map(|config| config.digest.parse()).transpose()?,
            layers: layers.collect::<std::result::Result<_, String>>()?,
            parts: parts.collect::<std::result::Result<_, String>>()?,
        })
    }
}

/// The names on a page; each becomes part of further requests, so that what is no name is refused. A server that begins anew
/// with every page would keep us for ever.
fn page(body: &[u8], known: &mut HashSet<String>) -> std::result::Result<Vec<String>, String> {
    let page: Catalog = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    for name in &page.repositories {
        name.parse::<Reference>().ok().filter(|parsed| parsed.name() == *name).ok_or_else(|| odd_name(name))?;
        if !known.insert(name.clone()) {
            return Err(format!("its list of repositories has {name} twice"));
        }
    }
    Ok(page.repositories)
}

fn odd_name(name: &str) -> String {
    format!("it has a repository of an impossible name: {}", name.escape_debug().take(80).collect::<String>())
}

/// The tags of an answer, in order.
fn tags(body: &[u8]) -> std::result::Result<Vec<String>, String> {
    let said: Tags = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut tags = said.tags.unwrap_or_default();
    tags.iter().try_for_each(|tag| Reference::new("r:1", "a", tag).map(drop))?;
    tags.sort();
    tags.dedup();
    Ok(tags)
}

/// Of what an index offers, that for this machine's architecture, else the first; None if it is no index.
fn chosen(parts: &[Described]) -> Option<&Described> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let fits = |part: &&Described| {
        part.platform.as_ref().is_some_and(|own| own.os == SYSTEM && own.architecture == architecture)
    };
    parts.iter().find(fits).or(parts.first())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(digit: char) -> String {
        format!("sha256:{}", digit.to_string().repeat(64))
    }

    fn manifest(text: &str) -> std::result::Result<Manifest, String> {
        let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Manifest::of(Digest::of(text.as_bytes()), &written, None)
    }

    #[test]
    fn a_manifest_is_as_large_as_its_parts() {
        let (config, layer) = (digest('1'), digest('2'));
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"m","config":{{"digest":"{config}","size":3}},"layers":[{{"digest":"{layer}","size":4}}]}}"#
        );
        let found = manifest(&text).unwrap();
        assert_eq!((found.size, found.layers.len(), found.config), (7, 1, config.parse().ok()));
        let huge = format!(
            r#"{{"layers":[{{"digest":"{layer}","size":{max}}},{{"digest":"{layer}","size":{max}}}]}}"#,
            max = u64::MAX
        );
        assert_eq!(manifest(&huge).unwrap().size, u64::MAX);
        for bad in [r#"{"layers":[{"digest":"../../etc","size":1}]}"#, r#"{"layers":[{"size":-1}]}"#, "[]", "", "null"]
        {
            assert!(manifest(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_index_offers_one_for_this_machine() {
        let part = |digit: char, os: &str, architecture: &str| {
            format!(r#"{{"digest":"{}","platform":{{"os":"{os}","architecture":"{architecture}"}}}}"#, digest(digit))
        };
        let (foreign, ours) =
            (part('1', "windows", "amd64"), part('2', "linux", "amd64") + "," + &part('3', "linux", "arm64"));
        let written: Written = serde_json::from_str(&format!(r#"{{"manifests":[{foreign},{ours}]}}"#)).unwrap();
        let expected = if std::env::consts::ARCH == "aarch64" { '3' } else { '2' };
        assert_eq!(chosen(&written.manifests).map(|part| part.digest.clone()), Some(digest(expected)));
        assert_eq!(Manifest::of(Digest::of(b""), &written, None).unwrap().parts.len(), 3);
    }

    #[test]
    fn names_of_a_registry_cannot_leave_their_place() {
        let check = |names: &str, last: Option<&str>, good: bool| {
            let body = format!(r#"{{"repositories":[{names}]}}"#);
            let mut known = last.map(str::to_owned).into_iter().collect();
            assert_eq!(page(body.as_bytes(), &mut known).is_ok(), good, "{names}");
        };
        check(r#""a","a/b","b""#, None, true);
        check(r#""b""#, Some("a"), true);
        check(r#""a""#, Some("a"), false);
        check(r#""a/b","a-b","a""#, None, true);
        for bad in ["../x", "a:1", "a?n=1", "a b", "", "A"] {
            check(&format!("\"{bad}\""), None, false);
        }
        assert_eq!(tags(br#"{"name":"a","tags":["2","1","1"]}"#).unwrap(), ["1", "2"]);
        assert_eq!(tags(br#"{"name":"a","tags":null}"#).unwrap(), [""; 0]);
        assert!(tags(br#"{"tags":["../1"]}"#).is_err());
    }

    proptest! {
        #[test]
        fn no_answer_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (page(&body, &mut HashSet::new()), tags(&body), serde_json::from_slice::<Written>(&body).is_ok());
        }

        #[test]
        fn no_manifest_panics(
            digests in prop::collection::vec("(sha256:)?[0-9a-fA-F]{0,70}", 0..4),
            sizes in prop::collection::vec(any::<u64>(), 4),
            media in any::<String>(),
        ) {
            let parts: Vec<_> = digests.iter().zip(sizes)
                .map(|(digest, size)| json!({ "digest": digest, "size": size, "platform": { "os": media } }))
                .collect();
            let text = json!({ "mediaType": media, "layers": parts, "manifests": parts, "config": parts.first() });
            let good = digests.iter().all(|digest| digest.parse::<Digest>().is_ok());
            prop_assert_eq!(manifest(&text.to_string()).is_ok(), good);
        }
    }
}
