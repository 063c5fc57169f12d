//! What the name of an image means in its registry at this moment.

use super::super::engine::Engine;
use super::pull::{account, credentials, failed};
use crate::{Digest, Error, Reference, Result};

/// Has the engine ask the registry, as it would for a pull; nothing is fetched.
pub(super) async fn meaning(engine: &Engine, image: &Reference) -> Result<Digest> {
    if let Some(digest) = image.digest() {
        return Ok(digest.clone());
    }
    let doing = format!("learn what image {image} means now");
    let account = account(engine, image).map(credentials);
    let name = image.to_string();
    let asked = engine.docker.inspect_registry_image(&name, account);
    let answer = engine.call(engine.request_limit, asked).await?;
    let found = answer.map_err(|no| failed(engine, image, doing, &no))?.descriptor.digest.unwrap_or_default();
    found.parse().map_err(|why| Error::Garbled { what: format!("{}: registry of {image}", engine.host), why })
}
