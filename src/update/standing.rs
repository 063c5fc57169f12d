//! What nodes are and are to be, before the first is touched: every one that cannot be updated, or could not go back, is
//! named.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use plugins::{Backends, Digest, HostImage, Life, Reference, Vitals};
use tables::{Node, Stage, Update, schema};

use super::Asked;
use super::book::Book;
use super::member::{Member, named, reference, renamed};
use crate::context::Context;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// What tags mean, asked once: a command that waits for its window does what it was planned to do.
pub(crate) type Meanings = BTreeMap<Reference, Digest>;

/// The nodes in the order of the range, with what is to become of each; `book` takes over what a killed command has begun.
pub(crate) async fn members(
    cx: &Context,
    asked: &Asked,
    meanings: &mut Meanings,
    book: &Book<'_>,
) -> Result<Vec<Member>, Failure> {
    let nodes = cx.nodes(&asked.noderange)?;
    let backends = cx.backends()?;
    cx.check(asked.manner.format, &nodes, |node| check(backends, asked, node))?;
    ask_meanings(backends, asked, &nodes, meanings).await?;
    let begun: BTreeMap<String, Update> =
        cx.tables()?.updates()?.into_iter().map(|update| (update.node.clone(), update)).collect();
    let own = own_images(cx, &nodes)?;
    let look = async |node: Node| {
        let (image, known) = (wanted(asked, &node), begun.get(node.name()));
        let digest = reference(&image).and_then(|image| meanings.get(&image)).map(ToString::to_string);
        let own_image = own.get(node.name()).cloned().unwrap_or_default();
        let target = Target { image, digest: digest.unwrap_or_default(), own_image };
        stand(backends, node, target, known).await
    };
    let looked = cx.look_at(nodes.clone(), asked.manner, look).await?;
    finished(looked.looked, "nothing was done: not every node can be reached")?;
    let mut found = looked.ready;
    let members: Vec<Member> = nodes.iter().filter_map(|node| found.remove(node.name())).collect();
    members.iter().filter(|member| member.is_known()).for_each(|member| book.take_over(member.update.clone()));
    Ok(members)
}

/// Refuses the whole command unless all went well.
pub(crate) fn finished(outcome: Outcome, why: &str) -> Result<(), Failure> {
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Interrupted => Err(Failure { outcome, ..Failure::refused("nothing was done: interrupted") }),
        outcome => Err(Failure { outcome, ..Failure::refused(why) }),
    }
}

/// What a node is to have.
struct Target {
    image: String,
    digest: String,
    /// The node's own provmethod as it is.
    own_image: String,
}

/// The provmethod that a node is to have.
fn wanted(asked: &Asked, node: &Node) -> String {
    let provmethod = node.get("provmethod").unwrap_or_default();
    asked.image.as_ref().map_or_else(|| provmethod.to_owned(), |image| renamed(provmethod, image))
}

/// What the tables tell of a node must allow it.
fn check(backends: &Backends, asked: &Asked, node: &Node) -> Result<(), Failure> {
    let (image, provmethod) = (wanted(asked, node), node.get("provmethod").unwrap_or_default());
    if let Some(archive) =
        [&*image, provmethod].iter().find(|image| image.starts_with(['/']) || image.starts_with("file:"))
    {
        return Err(Failure::refused(format!("its image {archive} is of no registry"))
            .hint("a changed archive comes to nodes with: mkvm --force NODERANGE"));
    }
    backends.guests(node)?.check(&node.with(&[("provmethod", &image)]))?;
    backends.power(node)?;
    if asked.gate.check.is_some() {
        backends.exec(node)?;
    }
    if node.get("dockerimagedigest").is_some() {
        return Err(Failure::refused("attribute 'dockerimagedigest' decides over its image")
            .hint("let updatevm decide with: chdef NODERANGE dockerimagedigest="));
    }
    Ok(())
}

/// Learns what the images of the nodes mean, each from the host of the first node that is to have it.
async fn ask_meanings(
    backends: &Backends,
    asked: &Asked,
    nodes: &[Node],
    meanings: &mut Meanings,
) -> Result<(), Failure> {
    for node in nodes {
        let (Some(image), Some(host)) = (reference(&wanted(asked, node)), node.host()) else { continue };
        if let Entry::Vacant(unknown) = meanings.entry(image) {
            let digest = backends.images_on(host)?.meaning(host, unknown.key()).await?;
            unknown.insert(digest);
        }
    }
    Ok(())
}

/// The provmethods that nodes have themselves, by name.
fn own_images(cx: &Context, nodes: &[Node]) -> Result<BTreeMap<String, String>, Failure> {
    let nodetype = schema::find("nodetype").expect("table nodetype is in the schema");
    let names: Vec<&str> = nodes.iter().map(Node::name).collect();
    let rows = cx.tables()?.rows(nodetype, tables::Select::Keys(&names))?;
    let own = rows.iter().filter_map(|row| Some((row.get("node")?.to_owned(), row.get("provmethod")?.to_owned())));
    Ok(own.collect())
}

/// Looks at one node; `known` is what an earlier command has begun with it.
async fn stand(backends: &Backends, node: Node, target: Target, known: Option<&Update>) -> Result<Member, Failure> {
    let vitals = backends.guests(&node)?.vitals(&node).await;
    let Target { image, digest, .. } = &target;
    match known {
        Some(known) if known.stage != Stage::Good => {
            // It may be anything, or not be there: what it was is written down.
            is_there(vitals)?;
            let stage = if (&known.image, &known.digest) == (image, digest) { known.stage } else { Stage::Begun };
            let update = Update { image: target.image, digest: target.digest, stage, ..known.clone() };
            Ok(Member { node, update, begun: true })
        }
        Some(known) if (&known.image, &known.digest) == (image, digest) => {
            let member = Member { node, update: known.clone(), begun: false };
            let guests = backends.guests(&member.node)?;
            let is_good = is_there(vitals)? && guests.differences(&member.after()).await?.is_empty();
            let stage = if is_good { Stage::Good } else { Stage::Begun };
            Ok(Member { update: Update { stage, ..member.update }, begun: !is_good, ..member })
        }
        Some(_) | None => stand_anew(backends, node, target, vitals?).await,
    }
}

/// Whether there is a guest; a host that does not tell is an error.
fn is_there(vitals: plugins::Result<Vitals>) -> plugins::Result<bool> {
    match vitals {
        Ok(_) => Ok(true),
        Err(plugins::Error::Absent { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn stand_anew(backends: &Backends, node: Node, target: Target, vitals: Vitals) -> Result<Member, Failure> {
    if vitals.life == Life::Suspended {
        return Err(Failure::refused("is suspended").hint("let it go on with: rpower NODERANGE resume"));
    }
    let provmethod = node.get("provmethod").unwrap_or_default();
    // A node whose image was changed in the tables still has the one that it is pinned to.
    let from_image = match node.get("pinnedimage").and_then(reference) {
        Some(pinned) if pinned.to_string() != named(provmethod) => renamed(provmethod, &pinned),
        _ => provmethod.to_owned(),
    };
    let update = Update {
        node: node.name().to_owned(),
        image: target.image,
        digest: target.digest,
        from_digest: had(backends, &node, &from_image, &vitals.image).await?,
        from_image,
        own_image: target.own_image,
        was_on: matches!(vitals.life, Life::Running | Life::Restarting),
        stage: Stage::Begun,
    };
    let member = Member { node, update, begun: false };
    let candidate = member.candidate();
    if candidate.from != candidate.to {
        stands_by_its_definition(backends, &member).await?;
        has_way_back(backends, &member, &vitals.image).await?;
    }
    Ok(member)
}

/// The digest that the guest's image has in its registry; empty where the host knows of none.
async fn had(backends: &Backends, node: &Node, provmethod: &str, id: &str) -> Result<String, Failure> {
    let (Some(host), Some(image)) = (node.host(), reference(provmethod)) else { return Ok(String::new()) };
    let images = backends.images_on(host)?;
    let pin = node.get("pinneddigest").and_then(|digest| digest.parse().ok());
    let named = pin.map_or_else(|| image.clone(), |pin: Digest| image.pinned(&pin));
    let mut found = images.inspect(host, &named).await?.filter(|found| found.id == id);
    if found.is_none() {
        // The name has moved on while the guest stayed.
        found = images.list(host).await?.into_iter().find(|found| found.id == id);
    }
    Ok(found.and_then(|found| found.digest(&image).map(ToString::to_string)).unwrap_or_default())
}

/// A guest that is not what the tables say could not be given back as it was.
async fn stands_by_its_definition(backends: &Backends, member: &Member) -> Result<(), Failure> {
    let guests = backends.guests(&member.node)?;
    let differences = guests.differences(&member.before()).await?;
    if differences.is_empty() {
        return Ok(());
    }
    let host = member.node.get("vmhost").unwrap_or_default().to_owned();
    Err(plugins::Error::Differs { host, differences }.into())
}

/// A guest whose image has no digest goes back by its tag, which must still mean the content `id` that the guest runs.
async fn has_way_back(backends: &Backends, member: &Member, id: &str) -> Result<(), Failure> {
    let Update { from_image, from_digest, .. } = &member.update;
    let (Some(host), Some(image)) = (member.node.host(), reference(from_image)) else { return Ok(()) };
    if !from_digest.is_empty() {
        return Ok(());
    }
    let found = backends.images_on(host)?.inspect(host, &image).await?;
    same_content(found.as_ref(), id).map_err(|failure| {
        let host = host.name();
        failure
            .hint(format!("give it its name back with: xdsh {host} docker tag {id} {image}"))
            .hint(format!("let a registry know it by its digest with: imgpush {host} {image}"))
    })
}

/// `found` is what the name of an image means on the host now.
fn same_content(found: Option<&HostImage>, id: &str) -> Result<(), Failure> {
    match found {
        Some(found) if found.id == id => Ok(()),
        _ => Err(Failure::refused("there would be no way back: the host knows what it was made from by no name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_has_gone_is_no_error() {
        let vitals = Vitals { image: String::new(), life: Life::Off, restarts: 0, exit_code: 0, health: None };
        assert!(is_there(Ok(vitals)).unwrap());
        assert!(!is_there(Err(plugins::Error::Absent { host: "h1".into() })).unwrap());
        let other = plugins::Error::Differs { host: "h1".into(), differences: Vec::new() };
        assert!(is_there(Err(other)).is_err());
    }

    #[test]
    fn a_tag_that_has_moved_on_is_no_way_back() {
        let id = "sha256:1".to_owned();
        let image = HostImage {
            id,
            tags: Vec::new(),
            digests: Vec::new(),
            size: 0,
            created: 0,
            near: std::sync::Arc::default(),
        };
        assert!(same_content(Some(&image), "sha256:1").is_ok());
        assert!(same_content(Some(&image), "sha256:2").is_err());
        assert!(same_content(None, "sha256:1").is_err());
    }
}
