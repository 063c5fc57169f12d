//! Loading an image from an archive of this machine.

use std::path::{Path, PathBuf};

use bollard::models::CreateImageInfo;
use bollard::query_parameters::{CreateImageOptionsBuilder, ImportImageOptionsBuilder, TagImageOptionsBuilder};
use futures_util::{Stream, StreamExt};
use hyper::Method;
use hyper::body::Bytes;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use super::super::engine::{Engine, Refusal};
use super::pull::follow;
use crate::{Error, Event, Progress, Result, hex};

/// Bytes read from an archive at once.
const CHUNK: usize = 256 * 1024;
/// Images loaded from archives get names here; the tag is the archive's own digest, so a changed archive is a new image.
const ARCHIVES: &str = "xcrane.archive";

/// Loads an archive unless the host has it already. Both kinds are taken: what `docker save` wrote, and a packed root
/// file system.
pub(super) async fn load(engine: &Engine, path: &Path, progress: &Progress) -> Result<String> {
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
pub(super) fn loaded(step: bollard::models::BuildInfo) -> CreateImageInfo {
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
        Ok(hex(&hasher.finalize()))
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
}
