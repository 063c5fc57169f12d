//! What nodes are pinned to. A tag may move on; a node keeps the content that it was made from until somebody moves it, so
//! that making it anew makes the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use plugins::{Digest, Reference};
use tables::schema::{self, Table};
use tables::{Edit, Node, Row, Select};

use super::objects::now;
use super::registries::Registries;
use crate::context::Context;
use crate::failure::Failure;

/// How long the nodes of all hosts wait for a host that pulls. Most pulls are over by then; one that hangs must not hold
/// the others.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) fn nodeimage() -> &'static Table {
    schema::find("nodeimage").expect("table nodeimage is in the schema")
}

/// What one node is pinned to.
pub(crate) struct Pin {
    pub(crate) image: Reference,
    pub(crate) digest: Digest,
    pub(crate) since: String,
}

/// All pins, and the registries that know what their tags mean.
pub(crate) struct Pins {
    by_node: BTreeMap<String, Pin>,
    registries: Registries,
}

/// How a pin stands to its tag.
pub(crate) enum Standing {
    Same,
    Moved(Digest),
    Gone,
    /// The tag is in no registry of ours.
    Foreign,
    Unknown(String),
}

impl Pins {
    pub(crate) fn read(cx: &Context) -> Result<Self, Failure> {
        let pin = |row: &Row| {
            let (image, digest) = (row.get("image")?.parse().ok()?, row.get("digest")?.parse().ok()?);
            let since = row.get("since").unwrap_or_default().to_owned();
            Some((row.get("node")?.to_owned(), Pin { image, digest, since }))
        };
        let rows = cx.tables()?.rows(nodeimage(), Select::All)?;
        Ok(Self { by_node: rows.iter().filter_map(pin).collect(), registries: cx.registries()? })
    }

    pub(crate) fn of(&self, node: &str) -> Option<&Pin> {
        self.by_node.get(node)
    }

    /// Whether the tag has moved on; each tag is asked for once.
    pub(crate) async fn standing(&self, pin: &Pin) -> Standing {
        if self.registries.of(&pin.image).is_none() {
            return Standing::Foreign;
        }
        match self.registries.meaning(&pin.image).await {
            Ok(Some(digest)) if digest == pin.digest => Standing::Same,
            Ok(Some(digest)) => Standing::Moved(digest),
            Ok(None) => Standing::Gone,
            Err(why) => Standing::Unknown(why),
        }
    }
}

impl Standing {
    /// None where nobody knows.
    pub(crate) fn is_moved(&self) -> Option<bool> {
        match self {
            Self::Same => Some(false),
            Self::Moved(_) => Some(true),
            Self::Gone | Self::Foreign | Self::Unknown(_) => None,
        }
    }

    /// What the tag means now, where that is something else.
    pub(crate) fn meaning(&self) -> Option<&Digest> {
        match self {
            Self::Moved(digest) => Some(digest),
            Self::Same | Self::Gone | Self::Foreign | Self::Unknown(_) => None,
        }
    }

    pub(crate) fn told(&self) -> String {
        match self {
            Self::Same => "same".into(),
            Self::Moved(digest) => format!("moved to {digest}"),
            Self::Gone => "gone from its registry".into(),
            Self::Foreign => "not of our registries".into(),
            Self::Unknown(why) => format!("unknown: {why}"),
        }
    }
}

/// Pins a node to what its image means now.
pub(crate) fn pin(edit: &mut Edit<'_>, node: &str, image: &Reference, digest: &Digest) -> tables::Result<()> {
    let (image, since) = (image.complete().to_string(), now());
    let cells = [("image", &*image), ("digest", digest.as_str()), ("since", &since), ("disable", "")];
    edit.set(nodeimage(), &[node], &cells).map(drop)
}

/// The nodes as they are once each is pinned that can be. Who is pinned already costs nothing; for the others one question
/// is asked for an image of a registry of ours, and one for an image and host otherwise, for which the host pulls what it
/// lacks. Whoever cannot be pinned, as to an image that no registry has, or because that host is down or late, is left to
/// the tag.
pub(crate) async fn settle(cx: &Context, nodes: Vec<Node>) -> Result<Vec<Node>, Failure> {
    let backends = cx.backends()?;
    let mut unpinned: Vec<(&Node, Reference)> = Vec::new();
    for node in &nodes {
        if let Some(image) = backends.guests(node)?.image(node)?.filter(|image| image.digest.is_none()) {
            unpinned.push((node, image.named));
        }
    }
    if unpinned.is_empty() {
        return Ok(nodes);
    }
    let (mut meanings, silent) = of_registries(&cx.registries()?, &unpinned).await;
    meanings.extend(of_hosts(cx, unpinned.iter().filter(|(node, image)| !meanings.has(node, image))).await?);
    // Where no host has the image either, making the guest tells what is wrong.
    let helped = silent.iter().filter(|(image, _)| meanings.0.keys().any(|(_, known)| known == **image));
    for why in helped.map(|(_, why)| why).collect::<BTreeSet<_>>() {
        cx.ui.warning(&format!("{why}; its images are taken as the hosts have them"));
    }
    let found: Vec<(&Node, &Reference, Option<&Digest>)> =
        unpinned.iter().map(|(node, image)| (*node, image, meanings.get(node, image))).collect();
    let stale = |node: &Node, digest: Option<&Digest>| digest.is_none() && node.get("pinnedimage").is_some();
    if found.iter().all(|(node, _, digest)| digest.is_none() && !stale(node, *digest)) {
        return Ok(nodes);
    }
    Ok(cx.tables()?.edit(&cx.origin(None), |edit| {
        for (node, image, digest) in &found {
            match digest {
                Some(digest) => pin(edit, node.name(), image, digest)?,
                // The pin was of an image that the node had before.
                None => drop(edit.delete(nodeimage(), Select::Where(&[("node", node.name())]))?),
            }
        }
        edit.resolve(&nodes.iter().map(|node| node.name().to_owned()).collect::<Vec<_>>())
    })?)
}

/// What images mean: to everyone, or on one host.
#[derive(Default)]
struct Meanings(BTreeMap<(Option<String>, Reference), Digest>);

impl Meanings {
    fn get(&self, node: &Node, image: &Reference) -> Option<&Digest> {
        let on_host = || self.0.get(&(Some(node.host()?.name().to_owned()), image.clone()));
        self.0.get(&(None, image.clone())).or_else(on_host)
    }

    fn has(&self, node: &Node, image: &Reference) -> bool {
        self.get(node, image).is_some()
    }

    fn extend(&mut self, further: Self) {
        self.0.extend(further.0);
    }
}

/// What our registries say, and why of an image they say nothing.
async fn of_registries<'a>(
    registries: &Registries,
    unpinned: &'a [(&Node, Reference)],
) -> (Meanings, BTreeMap<&'a Reference, String>) {
    let images: BTreeSet<&Reference> = unpinned.iter().map(|(_, image)| image).collect();
    let ask = |image| async move { (image, registries.meaning(image).await) };
    let mut meanings = Meanings::default();
    let mut silent = BTreeMap::new();
    for (image, answer) in join_all(images.into_iter().map(ask)).await {
        match answer {
            Ok(Some(digest)) => drop(meanings.0.insert((None, image.clone()), digest)),
            Ok(None) => {}
            Err(why) => drop(silent.insert(image, why)),
        }
    }
    (meanings, silent)
}

async fn of_hosts<'a>(
    cx: &Context,
    unpinned: impl Iterator<Item = &'a (&'a Node, Reference)>,
) -> Result<Meanings, Failure> {
    let mut questions: BTreeMap<(String, &Reference), &Node> = BTreeMap::new();
    for (node, image) in unpinned {
        if let Some(host) = node.host() {
            questions.insert((host.name().to_owned(), image), host);
        }
    }
    let backends = cx.backends()?;
    let ask = |((name, image), host): ((String, &'a Reference), &'a Node)| {
        let key = (Some(name.clone()), image.clone());
        let found = async move {
            // What stands in the way is told again, of each node, when it is made.
            let found = backends.images_on(host).ok()?.have(host, image).await.ok()?;
            Some((key, found.digest(image)?.clone()))
        };
        in_time(name, PATIENCE, found)
    };
    let (found, late) = sorted(join_all(questions.into_iter().map(ask)).await);
    for name in late {
        cx.ui.warning(&format!(
            "{name} still pulls after {} s; its nodes are made from the tag, and not pinned",
            PATIENCE.as_secs()
        ));
    }
    Ok(Meanings(found.into_iter().collect()))
}

/// What comes in time, if anything does; else the name of the host that is late.
async fn in_time<T>(
    name: String,
    patience: Duration,
    found: impl Future<Output = Option<T>>,
) -> Result<Option<T>, String> {
    tokio::time::timeout(patience, found).await.map_err(|_| name)
}

/// What was found, and each host that was late once.
fn sorted<T>(answers: Vec<Result<Option<T>, String>>) -> (Vec<T>, BTreeSet<String>) {
    let (mut found, mut late) = (Vec::new(), BTreeSet::new());
    for answer in answers {
        match answer {
            Ok(one) => found.extend(one),
            Err(name) => drop(late.insert(name)),
        }
    }
    (found, late)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_host_that_is_late_holds_nobody() {
        let soon = Duration::from_millis(50);
        let slow = || in_time("h3".to_owned(), soon, pending());
        let answers = async {
            let good = in_time("h1".to_owned(), soon, ready(Some(1))).await;
            let down = in_time("h2".to_owned(), soon, ready(None)).await;
            vec![slow().await, good, down, slow().await]
        };
        let answers = tokio::time::timeout(Duration::from_secs(10), answers).await.expect("nobody is held");
        assert_eq!(sorted(answers), (vec![1], BTreeSet::from(["h3".to_owned()])));
    }
}
