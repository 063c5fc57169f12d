//! The hosts that image commands are about.

use plugins::{Reference, is_container};
use tables::Node;

use crate::context::Context;
use crate::failure::Failure;
use crate::ui::Format;

/// The image that a person named, with its tag.
pub(crate) fn image(text: &str) -> Result<Reference, Failure> {
    let parsed: Result<Reference, String> = text.parse();
    parsed.map(|image| image.complete()).map_err(|why| {
        let failure = Failure::refused(why);
        if text.starts_with('/') { failure.hint("a file is loaded with: imgload HOSTS FILE") } else { failure }
    })
}

impl Context {
    /// The hosts of a range; a container among them refuses the command.
    pub(crate) fn image_hosts(&self, range: &str, format: Format) -> Result<Vec<Node>, Failure> {
        let nodes = self.nodes(range)?;
        let backends = self.backends()?;
        self.check(format, &nodes, |node| {
            if is_container(node) {
                let host = node.get("vmhost").unwrap_or("that of attribute vmhost");
                return Err(Failure::refused(format!("it is a container; images are on its host, {host}")));
            }
            Ok(backends.images_on(node).map(drop)?)
        })?;
        Ok(nodes)
    }

    /// The only node of a range.
    pub(crate) fn only_node(&self, range: &str, why: &str) -> Result<Node, Failure> {
        let mut nodes = self.nodes(range)?;
        match (nodes.pop(), nodes.is_empty()) {
            (Some(node), true) => Ok(node),
            _ => Err(Failure::refused(format!("'{range}' is more than one node; {why}"))),
        }
    }

    /// The host of a container, or the node itself.
    pub(crate) fn host_of(&self, node: Node) -> Result<Node, Failure> {
        if !is_container(&node) {
            return Ok(node);
        }
        let missing = || Failure::refused(format!("{} is on no host; attribute vmhost names it", node.name()));
        node.host().cloned().ok_or_else(missing)
    }
}
