//! Which images an archive holds: by `manifest.json` of `docker save`, else by the `index.json` of an OCI layout.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::index::Index;

/// Images of an archive, and layers of an image; engines take fewer.
const IMAGES: usize = 1000;
const LAYERS: usize = 1000;
/// Lists of images within lists.
const DEEPEST: usize = 4;
/// What all lists name together; each may be named any number of times.
const NAMED: usize = 10_000;

/// An image of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What it is to be called; may be nothing.
    pub names: Vec<String>,
    /// The engine's name of it, `sha256:…`: the digest of its configuration.
    pub id: String,
    pub(super) config: Arc<[u8]>,
    pub layers: Vec<Layer>,
    /// Its manifest and what kind of one that is, where the archive has one.
    pub(super) manifest: Option<(String, Arc<[u8]>)>,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The digest of what it holds, `sha256:…`.
    pub diff_id: String,
    /// Bytes in the archive.
    pub size: u64,
    /// Where its file is in the archive.
    pub(super) entry: usize,
    /// The digest of the file itself, if the archive tells it.
    pub(super) digest: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    annotations: HashMap<String, String>,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

/// An image's manifest or a list of them; which, their lists tell.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Config {
    rootfs: Option<RootFs>,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

type Result<T> = std::result::Result<T, String>;

/// The images, or why there are none.
pub(super) fn images(index: &Index) -> Result<Vec<Image>> {
    let images = if let Some(text) = index.document("manifest.json") {
        let saved: Vec<Saved> = parse(text, "manifest.json")?;
        saved.into_iter().take(IMAGES).map(|saved| of_docker(index, saved)).collect::<Result<_>>()?
    } else if let Some(text) = index.document("index.json") {
        let mut found = Found::default();
        of_layout(index, parse(text, "index.json")?, &[], 0, &mut found)?;
        found.images
    } else if index.find("repositories").is_some() {
        return Err("it is of the format before Docker 1.10, which engines no longer load; save it anew".into());
    } else {
        return Err("it has neither manifest.json (docker save) nor index.json (OCI layout)".into());
    };
    if images.is_empty() {
        return Err("it holds no image of this platform".into());
    }
    Ok(images)
}

fn of_docker(index: &Index, saved: Saved) -> Result<Image> {
    let config = index.document(&saved.config).ok_or_else(|| missing(&saved.config))?;
    let files = saved.layers.into_iter().map(|name| (name, None)).collect();
    image(index, config, saved.repo_tags.unwrap_or_default(), files)
}

/// What going through the lists has come to so far.
#[derive(Default)]
struct Found {
    images: Vec<Image>,
    named: usize,
}

/// Goes through a list; `names` is what the list itself is called.
fn of_layout(index: &Index, list: Manifest, names: &[String], depth: usize, found: &mut Found) -> Result<()> {
    let descriptors = list.manifests.unwrap_or_default();
    let of_platform = |descriptor: &&Descriptor| {
        let platform = descriptor.platform.as_ref();
        platform.is_none_or(|platform| platform.os == "linux" && platform.architecture == architecture())
    };
    for descriptor in descriptors.iter().filter(of_platform) {
        found.named += 1;
        if found.named > NAMED {
            return Err(format!("its lists name more than {NAMED} images"));
        }
        let own = named(descriptor);
        let names = if own.is_empty() { names } else { &own };
        let written = blob(index, &descriptor.digest)?;
        let manifest: Manifest = parse(written, &descriptor.digest)?;
        if manifest.manifests.is_some() {
            if depth >= DEEPEST {
                return Err("its lists of images are too deep".into());
            }
            of_layout(index, manifest, names, depth + 1, found)?;
            continue;
        }
        let config = manifest.config.ok_or_else(|| format!("{} is no image", descriptor.digest))?;
        if !config.media_type.contains("image.config") && !config.media_type.contains("container.image") {
            return Err(format!("{} is {}, which is no image of a container", descriptor.digest, config.media_type));
        }
        let text = blob(index, &config.digest)?;
        let files = manifest.layers.into_iter().map(|layer| (place(&layer.digest), Some(layer.digest))).collect();
        let manifest = Some((descriptor.media_type.clone(), written.clone()));
        found.images.push(Image { manifest, ..image(index, text, names.to_vec(), files)? });
        if found.images.len() > IMAGES {
            return Err(format!("it holds more than {IMAGES} images"));
        }
    }
    Ok(())
}

fn image(index: &Index, config: &Arc<[u8]>, names: Vec<String>, files: Vec<(String, Option<String>)>) -> Result<Image> {
    let id = sha256(config);
    let parsed: Config = parse(config, &id)?;
    let diff_ids = parsed.rootfs.map(|rootfs| rootfs.diff_ids).unwrap_or_default();
    if diff_ids.len() != files.len() || diff_ids.len() > LAYERS {
        return Err(format!("image {id} has {} layers and {} files of layers", diff_ids.len(), files.len()));
    }
    let layer = |(diff_id, (file, digest)): (String, (String, Option<String>))| {
        if !is_digest(&diff_id) || digest.as_deref().is_some_and(|digest| !is_digest(digest)) {
            return Err(format!("a layer of image {id} has no digest of kind sha256"));
        }
        let entry = index.find(&file).ok_or_else(|| missing(&file))?;
        Ok(Layer { diff_id, size: index.entries[entry].size, entry, digest })
    };
    let layers = diff_ids.into_iter().zip(files).map(layer).collect::<Result<_>>()?;
    let names = names.iter().map(|name| familiar(name).to_owned()).collect();
    Ok(Image { names, layers, config: config.clone(), id, manifest: None })
}

/// What a list calls an image; a bare tag is no name.
fn named(descriptor: &Descriptor) -> Vec<String> {
    let name = |key: &str| descriptor.annotations.get(key).filter(|name| name.contains(['/', ':']));
    let name = name("io.containerd.image.name").or_else(|| name("org.opencontainers.image.ref.name"));
    name.cloned().into_iter().collect()
}

/// Engines call an image of the public registry by its name alone.
fn familiar(name: &str) -> &str {
    let own = name.strip_prefix("docker.io/").or_else(|| name.strip_prefix("index.docker.io/")).unwrap_or(name);
    if own.len() == name.len() { name } else { own.strip_prefix("library/").unwrap_or(own) }
}

/// A small blob that is what its digest says.
fn blob<'a>(index: &'a Index, digest: &str) -> Result<&'a Arc<[u8]>> {
    let content = index.document(&place(digest)).ok_or_else(|| missing(digest))?;
    if sha256(content) == digest { Ok(content) } else { Err(format!("{digest} is not what its digest says")) }
}

fn place(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

pub(super) fn sha256(content: &[u8]) -> String {
    digest_of(&Sha256::digest(content))
}

/// A hash as engines write it.
pub(super) fn digest_of(hash: &[u8]) -> String {
    format!("sha256:{}", crate::hex(hash))
}

fn parse<T: DeserializeOwned>(text: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(text).map_err(|error| format!("{what} makes no sense: {error}"))
}

fn missing(what: &str) -> String {
    format!("it lacks {what}; it was not saved or copied whole")
}

/// As images call the processor of this machine.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_engines_have_them() {
        let check = |name: &str, expected: &str| assert_eq!(familiar(name), expected);
        check("docker.io/library/busybox:1", "busybox:1");
        check("docker.io/site/app:1", "site/app:1");
        check("library/app:1", "library/app:1");
        check("r:5000/library/app:1", "r:5000/library/app:1");
    }
}
