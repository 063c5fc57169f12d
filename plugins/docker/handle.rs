//! What containers and images are called in requests.
//!
//! An engine that knows no container or image of a name takes the name for the beginning of an id. `c3` is then whatever
//! container happens to have an id that begins so, one in 256, and `rmvm -f c3` removes it.

use super::engine::Engine;
use super::listing::list;
use crate::{Error, Reference, Result};

/// The word that means the container of this name and no other: the name itself, or its id where the name could be the
/// beginning of one.
pub(super) async fn container(engine: &Engine, name: &str) -> Result<String> {
    if !could_begin_id(name) {
        return Ok(name.to_owned());
    }
    let listing = list(engine).await?;
    listing.get(name).map(|found| found.id.clone()).ok_or_else(|| Error::Absent { host: engine.host.clone() })
}

/// The word that means the image of this name and no other: one with a tag is never an id.
pub(super) fn image(name: &Reference) -> String {
    let text = name.to_string();
    if could_begin_id(&text) { name.complete().to_string() } else { text }
}

fn could_begin_id(name: &str) -> bool {
    name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_begin_an_id() {
        let check = |name: &str, expected: bool| assert_eq!(could_begin_id(name), expected, "{name}");
        check("c3", true);
        check("0", true);
        check("deadbeef", true);
        check("C3", false);
        check("cn3", false);
        check("c-3", false);
        check("node1", false);
    }

    #[test]
    fn an_image_is_no_id() {
        let check = |name: &str, expected: &str| assert_eq!(image(&name.parse().expect("a name")), expected);
        check("cafe", "cafe:latest");
        check("cafe:1", "cafe:1");
        check("alpine", "alpine");
        check("reg:5000/cafe", "reg:5000/cafe");
    }
}
