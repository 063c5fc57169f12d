//! Taking an image away from a host.

use hyper::Method;
use serde_json::Value;

use super::super::engine::Engine;
use super::super::handle;
use crate::{Reference, Removed, Result};

/// Takes the name away, and with its last name the image; the engine refuses what a container is made from.
pub(super) async fn remove(engine: &Engine, image: &Reference) -> Result<Removed> {
    match engine.ask(Method::DELETE, &format!("/images/{}", handle::image(image)), None).await? {
        Ok(answer) => {
            let steps: Vec<Value> = engine.parse(&answer)?;
            let deleted = steps.iter().any(|step| !step["Deleted"].is_null());
            Ok(if deleted { Removed::Removed } else { Removed::Untagged })
        }
        Err(no) if no.status == 404 => Ok(Removed::Absent),
        Err(no) => Err(no.into_error(&engine.host, &format!("remove image {image}"))),
    }
}
