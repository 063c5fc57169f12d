//! Who uses an image: nodes whose definition names it or that are pinned to it, and what runs or stands on hosts.

use std::collections::{BTreeMap, BTreeSet};

use plugins::{Digest, Guest, HostImage, Reference};
use tables::Node;
use tables::noderange::fold;

use crate::context::Context;
use crate::failure::{Failure, add_hints};
use crate::outcome::Outcome;
use crate::reply::{Body, Reply};
use crate::ui::Format;
use crate::update;

/// A node as its definition has it.
pub(crate) struct Defined {
    pub(crate) node: String,
    host: String,
    pub(crate) image: Reference,
    digest: Option<Digest>,
}

/// A host as it is.
pub(crate) struct Held {
    pub(crate) images: Vec<HostImage>,
    guests: Vec<Guest>,
}

impl Held {
    /// The containers that were made from an image, by whatever name.
    pub(crate) fn made_from(&self, image: &HostImage) -> Vec<String> {
        let guests = self.guests.iter().filter(|guest| guest.image_id == image.id);
        guests.map(|guest| guest.name.clone()).collect()
    }
}

/// Who uses what of one repository, where that is known by digest.
pub(crate) type Used = BTreeMap<Digest, BTreeSet<String>>;

/// The content of an image, as far as it is known, under the name it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) image: Reference,
    pub(crate) digest: Option<Digest>,
}

impl Content {
    /// Whether a name with this content is the same: the tag, or the digest in the same repository.
    fn is(&self, image: &Reference, digest: Option<&Digest>) -> bool {
        let same_tag = image.digest().is_none() && image.complete() == self.image;
        let digest = digest.or(image.digest());
        same_tag || (digest.is_some() && digest == self.digest.as_ref() && image.is_same_name(&self.image))
    }

    /// The nodes that are defined with it, or pinned to it.
    pub(crate) fn defined(&self, all: &[Defined]) -> Vec<String> {
        self.users(all).map(|node| node.node.clone()).collect()
    }

    /// The same of one host's nodes.
    pub(crate) fn defined_on(&self, all: &[Defined], host: &str) -> Vec<String> {
        self.users(all).filter(|node| node.host == host).map(|node| node.node.clone()).collect()
    }

    fn users<'a>(&'a self, all: &'a [Defined]) -> impl Iterator<Item = &'a Defined> {
        all.iter().filter(|node| self.is(&node.image, node.digest.as_ref()))
    }

    /// The containers of a host that were made from it, running or not.
    pub(crate) fn running(&self, held: &Held) -> Vec<String> {
        let made_from = |guest: &&Guest| {
            let named: Option<Reference> = guest.image.parse().ok();
            let content = held.images.iter().find(|image| image.id == guest.image_id);
            named.is_some_and(|named| self.is(&named, None))
                || content.is_some_and(|content| self.is_content_of(content))
        };
        held.guests.iter().filter(made_from).map(|guest| guest.name.clone()).collect()
    }

    /// All that is used of the same repository, be it this content or another.
    pub(crate) fn used_of_repository(&self, all: &[Defined], held: &BTreeMap<String, Held>) -> Used {
        let mut used = Used::new();
        for node in all.iter().filter(|node| node.image.is_same_name(&self.image)) {
            if let Some(digest) = node.digest.as_ref().or(node.image.digest()) {
                used.entry(digest.clone()).or_default().insert(node.node.clone());
            }
        }
        for held in held.values() {
            for guest in &held.guests {
                for digest in self.digests_of(held, guest) {
                    used.entry(digest).or_default().insert(guest.name.clone());
                }
            }
        }
        used
    }

    /// What a container was made from in the same repository: as its name says, and as its host knows the content.
    fn digests_of(&self, held: &Held, guest: &Guest) -> Vec<Digest> {
        let named: Option<Reference> = guest.image.parse().ok();
        let named = named.filter(|named| named.is_same_name(&self.image)).and_then(|named| named.digest().cloned());
        let content = held.images.iter().find(|image| image.id == guest.image_id);
        let known = content.into_iter().flat_map(|content| content.digests_like(&self.image).cloned());
        named.into_iter().chain(known).collect()
    }

    fn is_content_of(&self, image: &HostImage) -> bool {
        self.digest.as_ref().is_some_and(|own| image.digests_like(&self.image).any(|digest| digest == own))
    }

    /// The image of a host that this is, by tag or by content.
    pub(crate) fn on<'a>(&self, held: &'a Held) -> Option<&'a HostImage> {
        held.images.iter().find(|image| image.tags.contains(&self.image) || self.is_content_of(image))
    }
}

/// A range, or `-` for nobody.
pub(crate) fn folded(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = names.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    if names.is_empty() { "-".into() } else { fold(&names) }
}

impl Context {
    /// What every node is defined with.
    pub(crate) fn defined_images(&self) -> Result<Vec<Defined>, Failure> {
        let backends = self.backends()?;
        let (names, _) = self.tables()?.guests_and_hosts()?;
        let nodes = self.tables()?.resolve(&names)?;
        let updates = self.tables()?.updates()?;
        let defined = nodes.iter().filter_map(|node| {
            // A definition that is wrong is mkvm's to refuse.
            let wanted = backends.guests(node).ok()?.image(node).ok()??;
            let host = node.host().map(|host| host.name().to_owned()).unwrap_or_default();
            Some(Defined { node: node.name().to_owned(), host, image: wanted.named, digest: wanted.digest })
        });
        // A node whose update is not over goes on to the one or back to the other.
        let begun = updates.iter().flat_map(|update| {
            let host = nodes.iter().find(|node| node.name() == update.node).and_then(Node::host);
            let host = host.map(|host| host.name().to_owned()).unwrap_or_default();
            let both = [(&update.image, &update.digest), (&update.from_image, &update.from_digest)];
            both.into_iter().filter_map(move |(image, digest)| {
                let (image, digest) = (update::reference(image)?, digest.parse().ok());
                Some(Defined { node: update.node.clone(), host: host.clone(), image, digest })
            })
        });
        Ok(defined.chain(begun).collect())
    }

    /// Every host that carries guests, or whose engine was defined.
    pub(crate) fn all_hosts(&self) -> Result<Vec<Node>, Failure> {
        let (_, names) = self.tables()?.guests_and_hosts()?;
        Ok(self.tables()?.resolve(&names)?)
    }

    /// What a host has and carries.
    pub(crate) async fn held(&self, host: &Node) -> Result<Held, Failure> {
        let backends = self.backends()?;
        let (images, guests) = tokio::join!(backends.images_on(host)?.list(host), backends.guests_on(host)?.list(host));
        Ok(Held { images: images?, guests: guests? })
    }

    /// The same of many; of hosts that do not answer why.
    pub(crate) async fn held_by(&self, hosts: &[Node]) -> (BTreeMap<String, Held>, BTreeMap<String, Failure>) {
        let ask = |host| async move { (Node::name(host).to_owned(), self.held(host).await) };
        let answers = futures_util::future::join_all(hosts.iter().map(ask)).await;
        let (mut held, mut silent) = (BTreeMap::new(), BTreeMap::new());
        for (name, answer) in answers {
            match answer {
                Ok(found) => drop(held.insert(name, found)),
                Err(failure) => drop(silent.insert(name, failure)),
            }
        }
        (held, silent)
    }

    /// Says why hosts did not answer, so that nobody knows what they have; returns how the command ends that without them
    /// has come to `outcome`.
    pub(crate) fn tell_silent(&self, format: Format, silent: BTreeMap<String, Failure>, outcome: Outcome) -> Outcome {
        let outcome = match outcome {
            Outcome::Interrupted => outcome,
            _ if !silent.is_empty() => Outcome::SomeFailed,
            outcome => outcome,
        };
        let mut hints = Vec::new();
        for (host, failure) in silent {
            self.ui.reply(format, Reply { node: Some(host), body: Body::Error(failure.message) });
            add_hints(&mut hints, failure.hints);
        }
        self.ui.finish_folding();
        self.ui.hints(&hints);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(digit: &str) -> Digest {
        format!("sha256:{}", digit.repeat(64)).parse().expect("a digest")
    }

    fn name(text: &str) -> Reference {
        text.parse().expect("a name")
    }

    fn image(id: &str, tags: &[&str], digests: &[(&str, &str)]) -> HostImage {
        HostImage {
            id: id.into(),
            tags: tags.iter().map(|tag| name(tag)).collect(),
            digests: digests.iter().map(|(of, digit)| name(of).pinned(&digest(digit))).collect(),
            size: 1,
            created: 0,
            near: std::sync::Arc::default(),
        }
    }

    fn guest(name: &str, image: &str, image_id: &str) -> Guest {
        Guest {
            name: name.into(),
            state: "running".into(),
            image: image.into(),
            image_id: image_id.into(),
            ip: None,
            id: String::new(),
            command: String::new(),
            created: 0,
            status: String::new(),
            managed: true,
        }
    }

    #[test]
    fn content_is_known_by_tag_and_by_digest_in_its_repository() {
        let content = Content { image: name("r:5000/a:1"), digest: Some(digest("1")) };
        let check = |image: &str, pin: Option<&str>, expected: bool| {
            let node = Defined { node: "n1".into(), host: "h1".into(), image: name(image), digest: pin.map(digest) };
            assert_eq!(!content.defined(&[node]).is_empty(), expected, "{image} {pin:?}");
        };
        check("r:5000/a:1", None, true);
        check("r:5000/a:1", Some("2"), true);
        check("r:5000/a:2", Some("1"), true);
        check("r:5000/a:2", Some("2"), false);
        check("r:5000/a:2", None, false);
        check("r:5000/b:1", Some("1"), false);
        check(&format!("r:5000/a@{}", digest("1")), None, true);
    }

    #[test]
    fn a_container_holds_what_it_was_made_from_by_whatever_name() {
        let held = Held {
            images: vec![image("i1", &["busybox:lab"], &[("r:5000/a", "1")]), image("i2", &["r:5000/a:1"], &[])],
            guests: vec![
                guest("c1", "busybox:lab", "i1"),
                guest("c2", &format!("r:5000/a@{}", digest("1")), "i1"),
                guest("c3", "r:5000/a:1", "i2"),
                guest("c4", "sha256:0", "i9"),
            ],
        };
        let running =
            |image: &str, digit: Option<&str>| Content { image: name(image), digest: digit.map(digest) }.running(&held);
        assert_eq!(running("r:5000/a:2", Some("1")), ["c1", "c2"]);
        assert_eq!(running("r:5000/a:1", Some("2")), ["c3"]);
        assert_eq!(running("busybox:lab", None), ["c1"]);
        assert_eq!(running("r:5000/b:1", Some("1")), [""; 0]);
        assert_eq!(held.made_from(&held.images[0]), ["c1", "c2"]);
    }

    #[test]
    fn all_of_a_repository_that_is_used_by_digest() {
        let node = |node: &str, image: &str, pin: Option<&str>| Defined {
            node: node.into(),
            host: "h1".into(),
            image: name(image),
            digest: pin.map(digest),
        };
        let all = [
            node("n1", "r:5000/a:1", Some("1")),
            node("n2", &format!("r:5000/a@{}", digest("2")), None),
            node("n3", "r:5000/b:1", Some("3")),
            node("n4", "r:5000/a:4", None),
        ];
        let held = Held {
            images: vec![image("i1", &["busybox:lab"], &[("r:5000/a", "5")])],
            guests: vec![
                guest("c1", "busybox:lab", "i1"),
                guest("c2", &format!("r:5000/a@{}", digest("1")), "i9"),
                guest("c3", &format!("r:5000/b@{}", digest("6")), "i9"),
            ],
        };
        let content = Content { image: name("r:5000/a:9"), digest: None };
        let used = content.used_of_repository(&all, &BTreeMap::from([("h1".to_owned(), held)]));
        let users = |digit: &str| used.get(&digest(digit)).into_iter().flatten().cloned().collect::<Vec<_>>();
        assert_eq!(users("1"), ["c2", "n1"]);
        assert_eq!((users("2"), users("5")), (vec!["n2".to_owned()], vec!["c1".to_owned()]));
        assert_eq!(used.len(), 3, "{used:?}");
    }

    #[test]
    fn nobody_is_a_dash() {
        assert_eq!(folded([]), "-");
        assert_eq!(folded(["c2", "c1", "c2"].map(str::to_owned)), "c[1-2]");
    }
}
