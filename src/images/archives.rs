//! Archives of images on this machine.

use std::fs;
use std::path::{Path, PathBuf};

use plugins::Reference;
use plugins::archive::{Archive, Unpacked};

use crate::context::Context;
use crate::failure::Failure;
use crate::interruptible;
use crate::own_file;

/// A file that goes with this.
pub(crate) struct Fetched(pub(crate) PathBuf);

impl Drop for Fetched {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok(); // the next run writes it anew
    }
}

/// The image of one of our registries as a file, which goes again.
pub(crate) async fn fetch(cx: &Context, image: &Reference, to: PathBuf) -> Result<Fetched, Failure> {
    let registries = cx.registries()?;
    let registry = registries.of(image).ok_or_else(|| {
        Failure::refused(format!("{image} is of none of our registries"))
            .hint("of a file: docker://./FILE; save it as a host has it with: imgsave IMAGE FILE --from HOST")
    })?;
    let fetched = Fetched(to);
    let file = own_file::aside(&fetched.0, 0o600)
        .map_err(|error| Failure::refused(format!("cannot write {}: {error}", fetched.0.display())))?;
    let limit = cx.settings()?.transfer_limit;
    registry.client.save(image, file, limit, &cx.progress()).await?;
    Ok(fetched)
}

/// Writes the root of the only image of an archive as a new directory, with the owners it has; Ctrl-C ends it. What the image is
/// called in the archive.
pub(crate) async fn unpack(cx: &Context, file: &Path, to: &Path) -> Result<(Unpacked, Option<String>), Failure> {
    let archive = open(file).await?;
    let [image] = archive.images() else {
        let why = format!("{} holds {} images, and one is wanted", file.display(), archive.images().len());
        return Err(Failure::refused(why).hint("save one of them: docker save IMAGE"));
    };
    let name = image.names.first().cloned();
    let to = to.to_owned();
    let unpacked = interruptible::run(cx, move |stop| archive.unpack(&archive.images()[0], &to, stop)).await??;
    Ok((unpacked, name))
}

/// Finds out what is in one, which may take the reading of all of it.
pub(crate) async fn open(path: &Path) -> Result<Archive, Failure> {
    let path = path.to_owned();
    let opening = tokio::task::spawn_blocking(move || Archive::open(&path));
    Ok(opening.await.map_err(|error| Failure::refused(error.to_string()))??)
}
