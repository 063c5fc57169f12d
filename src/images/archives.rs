//! Archives of images on this machine.

use std::path::Path;

use plugins::archive::Archive;

use crate::failure::Failure;

/// Finds out what is in one, which may take the reading of all of it.
pub(crate) async fn open(path: &Path) -> Result<Archive, Failure> {
    let path = path.to_owned();
    let opening = tokio::task::spawn_blocking(move || Archive::open(&path));
    Ok(opening.await.map_err(|error| Failure::refused(error.to_string()))??)
}
