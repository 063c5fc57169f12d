//! One node of an update: as it was, and as it is to be.

use plugins::Reference;
use tables::{Node, Stage, Update};

use super::waves::{Candidate, Content};

/// A node, and what is to become of it.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// As the tables have it.
    pub(crate) node: Node,
    pub(crate) update: Update,
    /// Its update was begun by a command that did not get to its end.
    pub(crate) begun: bool,
}

impl Member {
    pub(crate) fn name(&self) -> &str {
        self.node.name()
    }

    /// Whether an earlier command of the same aim has left it to this one.
    pub(crate) fn is_known(&self) -> bool {
        self.begun || self.update.stage == Stage::Good
    }

    /// The node with the new image.
    pub(crate) fn after(&self) -> Node {
        having(&self.node, &self.update.image, &self.update.digest)
    }

    /// The node with the image that it had.
    pub(crate) fn before(&self) -> Node {
        having(&self.node, &self.update.from_image, &self.update.from_digest)
    }

    pub(crate) fn candidate(&self) -> Candidate {
        let content = |provmethod: &str, digest: &str| Content { image: named(provmethod), digest: digest.to_owned() };
        let to = content(&self.update.image, &self.update.digest);
        let from = content(&self.update.from_image, &self.update.from_digest);
        Candidate {
            from: if self.update.stage == Stage::Good { to.clone() } else { from },
            to,
            runs: self.update.was_on,
            begun: self.begun,
        }
    }

    /// What it is to have, for people.
    pub(crate) fn to(&self) -> String {
        shown(&self.update.image, &self.update.digest)
    }

    /// What it had, for people.
    pub(crate) fn from(&self) -> String {
        shown(&self.update.from_image, &self.update.from_digest)
    }
}

/// The node with another image, pinned to that digest.
fn having(node: &Node, provmethod: &str, digest: &str) -> Node {
    let image = if digest.is_empty() { String::new() } else { named(provmethod) };
    node.with(&[("provmethod", provmethod), ("pinnedimage", &image), ("pinneddigest", digest)])
}

/// The image of a provmethod, which may hold a command too; None for an archive.
pub(crate) fn reference(provmethod: &str) -> Option<Reference> {
    let image = provmethod.split_once('!').map_or(provmethod, |(image, _)| image);
    image.parse().ok().map(|image: Reference| image.complete())
}

/// As pins name it.
pub(crate) fn named(provmethod: &str) -> String {
    reference(provmethod).map_or_else(|| provmethod.to_owned(), |image| image.to_string())
}

/// A provmethod with another image; its command stays.
pub(crate) fn renamed(provmethod: &str, image: &Reference) -> String {
    match provmethod.split_once('!') {
        Some((_, command)) => format!("{image}!{command}"),
        None => image.to_string(),
    }
}

fn shown(provmethod: &str, digest: &str) -> String {
    let image = named(provmethod);
    match digest.parse::<plugins::Digest>() {
        Ok(digest) => format!("{image} ({})", digest.short()),
        Err(_) => image,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_a_provmethod_stays() {
        let image: Reference = "r:5000/a:2".parse().unwrap();
        assert_eq!(renamed("r:5000/a!sleep,9", &image), "r:5000/a:2!sleep,9");
        assert_eq!(renamed("b", &image), "r:5000/a:2");
        assert_eq!(named("r:5000/a!sleep,9"), "r:5000/a:latest");
        assert_eq!(reference("/srv/a.tar"), None);
    }

    #[test]
    fn people_see_as_much_of_a_digest_as_they_can_read() {
        assert_eq!(shown("a:1", &format!("sha256:{}", "ab".repeat(32))), "a:1 (abababababab)");
        assert_eq!(shown("a", ""), "a:latest");
    }
}
