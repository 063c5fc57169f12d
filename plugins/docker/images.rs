//! Getting an image onto a host: pulled from its registry or loaded from an archive of this machine, once per host
//! however many nodes want it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bollard::auth::DockerCredentials;
use bollard::errors::Error as Failure;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::{CreateImageOptionsBuilder, ImportImageOptionsBuilder, TagImageOptionsBuilder};
use futures_util::{Stream, StreamExt};
use hyper::Method;
use hyper::body::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::sync::OnceCell;

use super::definition::{Image, split_reference};
use super::engine::{Engine, Refusal};
use crate::registry::Account;
use crate::{Error, Event, Progress, RegistryFault, Result};

/// Bytes read from an archive at once.
const CHUNK: usize = 256 * 1024;
/// Images loaded from archives get names here; the tag is the archive's own digest, so a changed archive is a new image.
const ARCHIVES: &str = "xcrane.archive";

/// The engine's name of an image, or why it could not be had.
type Brought = OnceCell<std::result::Result<String, Arc<Error>>>;

/// The images that this program has brought to a host, or failed to.
#[derive(Default)]
pub(super) struct Images {
    brought: Mutex<HashMap<Image, Arc<Brought>>>,
}

/// Makes sure that the host has the image and returns the name that the engine knows it by.
pub(super) async fn bring(engine: &Engine, image: &Image, progress: &Progress) -> Result<String> {
    let cell = {
        let mut brought = engine.images.brought.lock().unwrap_or_else(PoisonError::into_inner);
        brought.entry(image.clone()).or_default().clone()
    };
    let work = async || match image {
        Image::Reference(reference) => pull(engine, reference, progress).await.map_err(Arc::new),
        Image::Archive(path) => load(engine, path, progress).await.map_err(Arc::new),
    };
    cell.get_or_init(work).await.clone().map_err(|error| error.again())
}

/// Makes sure that the host has the image, asking it first.
pub(super) async fn have(engine: &Engine, image: &Image, progress: &Progress) -> Result<()> {
    if let Image::Reference(reference) = image {
        let answer = engine.ask(Method::GET, &format!("/images/{reference}/json"), None).await?;
        if answer.is_ok() {
            return Ok(());
        }
    }
    bring(engine, image, progress).await.map(drop)
}

/// What the image sets in the environment of its containers; nothing if the host no longer has it.
pub(super) async fn environment(engine: &Engine, id: &str) -> Result<Vec<Value>> {
    let answer = engine.ask(Method::GET, &format!("/images/{id}/json"), None).await?;
    let found: Value = answer.ok().and_then(|answer| serde_json::from_slice(&answer.body).ok()).unwrap_or_default();
    Ok(found["Config"]["Env"].as_array().cloned().unwrap_or_default())
}

async fn pull(engine: &Engine, reference: &str, progress: &Progress) -> Result<String> {
    let doing = format!("pull image {reference}");
    let (name, suffix) = split_reference(reference);
    let options = CreateImageOptionsBuilder::default().from_image(name).tag(suffix.unwrap_or("latest")).build();
    let docker = engine.docker.clone().with_timeout(engine.transfer_limit);
    let registry = registry_of(name);
    let login = engine.logins.iter().find(|login| Some(&*login.registry) == registry);
    let account = login.map(|login| &login.account);
    let steps = docker.create_image(Some(options), None, account.map(credentials));
    let outcome = follow(engine, &doing, steps, progress).await?;
    let Err(no) = outcome else { return Ok(reference.to_owned()) };
    let host = engine.host.clone();
    Err(match registry.and_then(|registry| Some((registry, fault(&no.message, registry, account)?))) {
        Some((registry, fault)) => Error::Registry { host, doing, registry: registry.into(), fault },
        None => Error::Refused { what: format!("{host}: cannot {doing}"), why: explained(&no.message) },
    })
}

/// The registry that an image's name begins with; None for the public one, which has no name of its own.
fn registry_of(name: &str) -> Option<&str> {
    let (first, _) = name.split_once('/')?;
    (first.contains(['.', ':']) || first == "localhost").then_some(first)
}

fn credentials(account: &Account) -> DockerCredentials {
    DockerCredentials {
        username: Some(account.user.clone()),
        password: Some(account.password.reveal().to_owned()),
        ..DockerCredentials::default()
    }
}

/// What is wrong between the host and the registry, if that is what the engine's words mean.
fn fault(message: &str, registry: &str, account: Option<&Account>) -> Option<RegistryFault> {
    let lower = message.to_ascii_lowercase();
    if lower.contains("certificate has expired") {
        return Some(RegistryFault::Expired);
    }
    if lower.contains("certificate signed by unknown authority") {
        return Some(RegistryFault::Untrusted { missing: format!("/etc/docker/certs.d/{registry}/ca.crt") });
    }
    if lower.contains("no basic auth credentials") || lower.contains("unauthorized") {
        return Some(match account {
            Some(account) => RegistryFault::Shut { user: account.user.clone() },
            None => RegistryFault::NoAccount,
        });
    }
    None
}

/// The engine's words for a pull that failed, after ours.
fn explained(message: &str) -> String {
    let lower = message.to_ascii_lowercase();
    let any = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
    if any(&[
        "no such host",
        "dial tcp",
        "connection refused",
        "i/o timeout",
        "network is unreachable",
        "client.timeout",
    ]) {
        return format!("the host does not have it and its registry cannot be reached ({message})");
    }
    if any(&["manifest unknown", "manifest for", "access denied", "not found", "does not exist"]) {
        return format!("neither the host nor the registry has it ({message})");
    }
    message.to_owned()
}

/// Reads the engine's progress to its end; the last text that it said is returned.
async fn follow(
    engine: &Engine,
    doing: &str,
    mut steps: impl Stream<Item = std::result::Result<CreateImageInfo, Failure>> + Unpin,
    progress: &Progress,
) -> Result<std::result::Result<String, Refusal>> {
    let mut layers: HashMap<String, (u64, u64)> = HashMap::new();
    let mut said = String::new();
    let read = async {
        while let Some(step) = steps.next().await {
            let step = step?;
            if let Some(detail) = step.error_detail {
                return Err(Failure::DockerStreamError { error: detail.message.unwrap_or_default() });
            }
            let bytes = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
            if let (Some(layer), Some(detail), Some("Downloading")) =
                (step.id, step.progress_detail, step.status.as_deref())
            {
                layers.insert(layer, (bytes(detail.current), bytes(detail.total)));
                let (done, total) = layers.values().fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1));
                progress.tell(Event::Bytes { host: engine.host.clone(), what: doing.to_owned(), done, total });
            }
            said = step.status.unwrap_or(said.clone());
        }
        Ok(())
    };
    let outcome = engine.call(engine.transfer_limit, read).await;
    progress.tell(Event::Done { host: engine.host.clone(), what: doing.to_owned() });
    Ok(outcome?.map(|()| said))
}

/// Loads an archive unless the host has it already. Both kinds are taken: what `docker save` wrote, and a packed root
/// file system.
async fn load(engine: &Engine, path: &Path, progress: &Progress) -> Result<String> {
    let digest = digest(path.to_owned()).await?;
    let name = format!("{ARCHIVES}/{}", stem(path));
    let tag = &digest[..12];
    let wanted = format!("{name}:{tag}");
    if engine.ask(Method::GET, &format!("/images/{wanted}/json"), None).await?.is_ok() {
        return Ok(wanted);
    }
    let doing = format!("load image {}", path.display());
    let options = ImportImageOptionsBuilder::default().build();
    let docker = engine.docker.clone().with_timeout(engine.transfer_limit);
    let body = bollard::body_try_stream(chunks(engine, &doing, path, progress).await?);
    let steps = docker.import_image(options, body, None).map(|step| step.map(loaded));
    let refused = |no: Refusal| no.into_error(&engine.host, &doing);
    match follow(engine, &doing, Box::pin(steps), progress).await? {
        Ok(said) => {
            let source =
                said.rsplit_once("image: ").or_else(|| said.rsplit_once("image ID: ")).map(|(_, name)| name.trim());
            let source = source.ok_or_else(|| Error::Garbled {
                what: engine.host.clone(),
                why: format!("answer to a load: '{said}'"),
            })?;
            let options = TagImageOptionsBuilder::default().repo(&name).tag(tag).build();
            engine.call(engine.request_limit, docker.tag_image(source, Some(options))).await?.map_err(refused)?;
        }
        // The engine unpacks the whole archive before it finds that the list of layers is missing; where there are
        // directories, classic engines take each for a layer of the oldest format and miss what describes it.
        Err(no)
            if ["manifest.json", "repositories", "/json: no such file"]
                .iter()
                .any(|text| no.message.contains(text)) =>
        {
            import(engine, path, &name, tag, progress).await?;
        }
        Err(no) => return Err(refused(no)),
    }
    Ok(wanted)
}

/// The answer to a load tells its result in `stream` where a pull tells it in `status`.
fn loaded(step: bollard::models::BuildInfo) -> CreateImageInfo {
    let said = step.stream.filter(|text| text.contains("Loaded image"));
    CreateImageInfo { status: said.or(step.status), error_detail: step.error_detail, ..CreateImageInfo::default() }
}

/// Makes an image of a packed root file system.
async fn import(engine: &Engine, path: &Path, name: &str, tag: &str, progress: &Progress) -> Result<()> {
    let doing = format!("import image {}", path.display());
    let options = CreateImageOptionsBuilder::default().from_src("-").repo(name).tag(tag).build();
    let docker = engine.docker.clone().with_timeout(engine.transfer_limit);
    let body = bollard::body_try_stream(chunks(engine, &doing, path, progress).await?);
    let steps = docker.create_image(Some(options), Some(body), None);
    let outcome = follow(engine, &doing, Box::pin(steps), progress).await?;
    outcome.map(drop).map_err(|no| no.into_error(&engine.host, &doing))
}

/// The archive's content, piece by piece.
async fn chunks(
    engine: &Engine,
    doing: &str,
    path: &Path,
    progress: &Progress,
) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Send + 'static> {
    let failed = |source| Error::File { doing: "read", path: path.display().to_string(), source };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let total = file.metadata().await.map_err(failed)?.len();
    let (host, what, progress) = (engine.host.clone(), doing.to_owned(), progress.clone());
    Ok(futures_util::stream::try_unfold((file, 0), move |(mut file, done)| {
        let (host, what, progress) = (host.clone(), what.clone(), progress.clone());
        async move {
            let mut chunk = vec![0; CHUNK];
            let count = file.read(&mut chunk).await?;
            chunk.truncate(count);
            let done = done + count as u64;
            progress.tell(Event::Bytes { host, what, done, total });
            Ok((count > 0).then(|| (Bytes::from(chunk), (file, done))))
        }
    }))
}

/// The archive's file name as far as an image's name may hold it.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let bare = [".tar.gz", ".tgz", ".tar"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    let legal: String = bare.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let words: Vec<&str> = legal.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "image".into() } else { words.join("-") }
}

async fn digest(path: PathBuf) -> Result<String> {
    let shown = path.display().to_string();
    let work = move || -> std::io::Result<String> {
        let mut hasher = Sha256::new();
        std::io::copy(&mut std::fs::File::open(path)?, &mut hasher)?;
        Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    };
    let done = tokio::task::spawn_blocking(work).await;
    let read = done.map_err(|error| Error::Garbled { what: shown.clone(), why: error.to_string() })?;
    read.map_err(|source| Error::File { doing: "read", path: shown, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_get_legal_names() {
        let check = |path: &str, expected: &str| assert_eq!(stem(Path::new(path)), expected);
        check("/srv/My App_1.tar.gz", "my-app-1");
        check("/srv/root.tgz", "root");
        check("/srv/é.tar", "image");
        check("/", "image");
    }

    #[test]
    fn registries_stand_before_the_first_slash() {
        let check = |name: &str, expected: Option<&str>| assert_eq!(registry_of(name), expected, "{name}");
        check("busybox", None);
        check("library/busybox", None);
        check("10.0.0.1:5000/a/b", Some("10.0.0.1:5000"));
        check("reg.site/a", Some("reg.site"));
        check("localhost/a", Some("localhost"));
    }

    #[test]
    fn what_is_wrong_with_a_registry() {
        let account = Account { user: "ada".into(), password: crate::Secret::new("x") };
        let check = |message: &str, account: Option<&Account>, expected: Option<RegistryFault>| {
            assert_eq!(fault(message, "r:5000", account), expected, "{message}");
        };
        let missing = "/etc/docker/certs.d/r:5000/ca.crt".to_owned();
        let unknown = r#"Get "https://r:5000/v2/": x509: certificate signed by unknown authority"#;
        check(unknown, None, Some(RegistryFault::Untrusted { missing }));
        let expired = "x509: certificate has expired or is not yet valid: current time 2026 is after 2025";
        check(expired, None, Some(RegistryFault::Expired));
        check("no basic auth credentials", None, Some(RegistryFault::NoAccount));
        let shut = "unauthorized: authentication required";
        check(shut, Some(&account), Some(RegistryFault::Shut { user: "ada".into() }));
        check("manifest unknown", Some(&account), None);
    }

    #[test]
    fn a_failed_pull_says_what_to_look_at() {
        let check = |message: &str, expected: &str| assert!(explained(message).contains(expected), "{message}");
        check(r#"Get "https://r/v2/": dial tcp: lookup r on 10.0.0.1:53: no such host"#, "registry cannot be reached");
        check("manifest for r/a:1 not found: manifest unknown: manifest unknown", "neither the host nor the registry");
        check("no space left on device", "no space left");
    }
}
