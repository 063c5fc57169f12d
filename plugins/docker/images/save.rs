//! Writing an image that an engine has as an archive.

use std::io::Write;

use futures_util::StreamExt;

use super::super::engine::Engine;
use super::super::handle;
use crate::{Error, Event, Progress, Reference, Result};

/// Writes what the engine exports; the bytes of it.
pub(super) async fn save(
    engine: &Engine,
    image: &Reference,
    mut file: std::fs::File,
    progress: &Progress,
) -> Result<u64> {
    let doing = format!("save image {image}");
    let name = handle::image(image);
    let docker = engine.docker.clone().with_timeout(engine.transfer_limit);
    let mut pieces = Box::pin(docker.export_image(&name));
    let total = super::list::inspect(engine, image).await?.map_or(0, |image| image.size);
    let (mut done, mut written) = (0, Ok(()));
    let copy = async {
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            written = file.write_all(&piece);
            if written.is_err() {
                break;
            }
            done += piece.len() as u64;
            let (host, what) = (engine.host.clone(), doing.clone());
            progress.tell(Event::Bytes { host, what, done, total: total.max(done) });
        }
        Ok(())
    };
    let outcome = engine.call(engine.transfer_limit, copy).await;
    progress.tell(Event::Done { host: engine.host.clone(), what: doing.clone() });
    outcome?.map_err(|no| match no.status {
        404 => Error::Refused {
            what: format!("{}: cannot {doing}", engine.host),
            why: format!("the host has no such image; lsimage {} tells what it has", engine.host),
        },
        _ => no.into_error(&engine.host, &doing),
    })?;
    written.map_err(|source| Error::File { doing: "write", path: format!("the archive of {image}"), source })?;
    Ok(done)
}
