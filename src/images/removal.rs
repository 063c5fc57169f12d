//! What it takes to remove an image: names of hosts, a tag or a manifest of a registry.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use plugins::registry::Manifest;
use plugins::{Digest, Reference};

use super::registries::Ours;
use super::uses::{Content, Held, Used};
use crate::failure::Failure;

/// How many tags and digests a registry is asked about at once.
const AT_ONCE: usize = 16;

/// What is to be removed.
pub(crate) struct Removal<'r> {
    /// By host, the names that go; with the last of them the content does.
    pub(crate) hosts: BTreeMap<String, Vec<Reference>>,
    /// By host, the containers for which the content has to stay.
    pub(crate) kept: BTreeMap<String, Vec<String>>,
    pub(crate) registry: Option<InRegistry<'r>>,
}

/// What goes from a registry.
pub(crate) struct InRegistry<'r> {
    pub(crate) ours: &'r Ours,
    image: Reference,
    digest: Digest,
    ties: Ties,
}

/// How what goes hangs together with the rest of its repository.
#[derive(Debug, PartialEq, Eq)]
struct Ties {
    /// Tags, and digests in use, that need the same content.
    shared: Vec<String>,
    /// Manifests of an index, that nothing else has.
    parts: Vec<Digest>,
    /// Who uses a part of an index that no tag has.
    users: BTreeSet<String>,
}

/// Something else of a repository: a tag, or a digest in use.
struct Other {
    name: String,
    is_tag: bool,
    manifest: Manifest,
}

/// What is there of `content`, and has to go; the registry keeps what is `used`.
pub(crate) async fn plan<'r>(
    content: &Content,
    held: &BTreeMap<String, Held>,
    registry: Option<&'r Ours>,
    used: &Used,
) -> Result<Removal<'r>, Failure> {
    let mut removal = Removal { hosts: BTreeMap::new(), kept: BTreeMap::new(), registry: None };
    for (host, held) in held {
        let names = names_on(content, held);
        let guests = content.running(held);
        match (names.is_empty(), guests.is_empty()) {
            (true, _) => {}
            (false, true) => drop(removal.hosts.insert(host.clone(), names)),
            (false, false) => drop(removal.kept.insert(host.clone(), guests)),
        }
    }
    if let Some(ours) = registry {
        removal.registry = InRegistry::of(ours, content, used).await?;
    }
    Ok(removal)
}

impl Removal<'_> {
    /// Whether nobody has it.
    pub(crate) fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.kept.is_empty() && self.registry.is_none()
    }
}

/// The tag, and the digest unless another tag of the same repository holds the content.
fn names_on(content: &Content, held: &Held) -> Vec<Reference> {
    let mut names = Vec::new();
    for image in &held.images {
        let is_tagged = image.tags.contains(&content.image);
        names.extend(is_tagged.then(|| content.image.clone()));
        let others = image.tags.iter().any(|tag| *tag != content.image && tag.is_same_name(&content.image));
        let by_digest = image.digest(&content.image).filter(|digest| Some(*digest) == content.digest.as_ref());
        // With the last tag of a repository its digests go by themselves.
        if let Some(digest) = by_digest.filter(|_| !is_tagged && !others) {
            names.push(content.image.pinned(digest));
        }
    }
    names
}

impl<'r> InRegistry<'r> {
    async fn of(ours: &'r Ours, content: &Content, used: &Used) -> Result<Option<Self>, Failure> {
        let image = content.image.clone();
        let repository = image.repository();
        let Some(manifest) = ours.client.manifest(repository, image.suffix()).await? else { return Ok(None) };
        let others = others(ours, repository, used).await?;
        let ties = Ties::of(&image, &manifest, &others, used)?;
        Ok(Some(Self { ours, digest: manifest.digest, image, ties }))
    }

    /// Who uses a part of what goes.
    pub(crate) fn users(&self) -> Vec<String> {
        self.ties.users.iter().cloned().collect()
    }

    /// Whether content goes, and not only a name.
    pub(crate) fn frees(&self) -> bool {
        self.ties.shared.is_empty()
    }

    /// What is to be done.
    pub(crate) fn title(&self) -> String {
        self.told("delete")
    }

    /// What was done.
    pub(crate) fn done(&self) -> String {
        self.told("deleted")
    }

    fn told(&self, verb: &str) -> String {
        let (name, digest) = (&self.ours.config.name, &self.digest);
        let what = format!("{}:{}", self.image.repository(), self.image.suffix());
        match self.frees() {
            true => format!("registry {name}: {verb} {what} ({digest})"),
            false => {
                format!("registry {name}: {verb} tag {what}; its content stays, as {}", self.ties.shared.join(", "))
            }
        }
    }

    pub(crate) async fn remove(&self) -> Result<(), Failure> {
        let (client, repository) = (&self.ours.client, self.image.repository());
        if !self.frees() {
            return Ok(client.untag(repository, self.image.tag_or_latest()).await?);
        }
        client.delete(repository, &self.digest).await?;
        for part in &self.ties.parts {
            client.delete(repository, part).await?;
        }
        Ok(())
    }
}

/// All tags of a repository and what of it is in use by digest. What is not there any more holds nothing.
async fn others(ours: &Ours, repository: &str, used: &Used) -> Result<Vec<Other>, Failure> {
    let tags = ours.client.tags(repository).await?;
    let mut names: Vec<(String, bool)> = tags.into_iter().map(|tag| (tag, true)).collect();
    names.extend(used.keys().map(|digest| (digest.to_string(), false)));
    let look = |(name, is_tag): (String, bool)| async move {
        let manifest = ours.client.manifest(repository, &name).await?;
        Ok::<_, Failure>(manifest.map(|manifest| Other { name, is_tag, manifest }))
    };
    let found: Vec<Option<Other>> = stream::iter(names).map(look).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

impl Other {
    fn has(&self, digest: &Digest) -> bool {
        self.manifest.digest == *digest || self.manifest.parts.contains(digest)
    }

    /// As a suffix of the repository's name.
    fn suffix(&self) -> String {
        format!("{}{}", if self.is_tag { ':' } else { '@' }, self.name)
    }
}

impl Ties {
    fn of(image: &Reference, manifest: &Manifest, others: &[Other], used: &Used) -> Result<Self, Failure> {
        // A tag beside a digest may mean something else by now: then it is another's.
        let is_itself = |other: &Other| {
            let is_named = !other.is_tag || image.tag() == Some(other.name.as_str());
            is_named && other.manifest.digest == manifest.digest
        };
        let others: Vec<&Other> = others.iter().filter(|other| !is_itself(other)).collect();
        // A digest in use that a tag means is told as that tag.
        let is_tagged = |digest: &Digest| others.iter().any(|other| other.is_tag && other.manifest.digest == *digest);
        let is_told = |other: &Other| other.is_tag || !is_tagged(&other.manifest.digest);
        let holds = |other: &&Other| other.has(&manifest.digest) && is_told(other);
        let holders: Vec<&Other> = others.iter().copied().filter(holds).collect();
        if image.digest().is_some() && !holders.is_empty() {
            return Err(refusal(image, &manifest.digest, &holders));
        }
        let is_free = |part: &&Digest| !others.iter().any(|other| other.has(part));
        let is_untagged = |part: &&Digest| !others.iter().any(|other| other.is_tag && other.has(part));
        // Where only the tag goes, nobody loses a part.
        let parts: &[Digest] = if holders.is_empty() { &manifest.parts } else { &[] };
        let users = parts.iter().filter(is_untagged).filter_map(|part| used.get(part));
        Ok(Self {
            shared: holders.iter().map(|other| other.name.clone()).collect(),
            parts: parts.iter().filter(is_free).cloned().collect(),
            users: users.flatten().cloned().collect(),
        })
    }
}

/// Why a digest cannot go by itself.
fn refusal(image: &Reference, digest: &Digest, holders: &[&Other]) -> Failure {
    let names = |is_same: bool| {
        let holders = holders.iter().filter(|other| (other.manifest.digest == *digest) == is_same);
        holders.map(|other| other.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (tags, wholes) = (names(true), names(false));
    let why = match (tags.is_empty(), wholes.is_empty()) {
        (_, true) => format!("has tags: {tags}"),
        (true, false) => format!("is part of: {wholes}"),
        (false, false) => format!("has tags: {tags}; it is part of: {wholes}"),
    };
    let first = holders.first().map(|other| other.suffix()).unwrap_or_default();
    Failure::refused(format!("{image} {why}")).hint(format!("remove these: rmimage {}{first}", image.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(digit: char) -> Digest {
        format!("sha256:{}", digit.to_string().repeat(64)).parse().expect("a digest")
    }

    fn manifest(digit: char, parts: &str) -> Manifest {
        Manifest {
            digest: digest(digit),
            media_type: String::new(),
            size: 0,
            config: None,
            layers: Vec::new(),
            parts: parts.chars().map(digest).collect(),
        }
    }

    /// Of repository r:5000/a; a name of more than a character is that of a tag.
    fn ties(image: &str, goes: &Manifest, others: &[(&str, Manifest)], used: &[(char, &str)]) -> Result<Ties, Failure> {
        let image: Reference = image.parse().expect("a name");
        let other = |(name, manifest): &(&str, Manifest)| {
            let is_tag = name.len() > 1;
            let name = if is_tag { (*name).to_owned() } else { manifest.digest.to_string() };
            Other { name, is_tag, manifest: manifest.clone() }
        };
        let others: Vec<Other> = others.iter().map(other).collect();
        let used: Used =
            used.iter().map(|(digit, user)| (digest(*digit), BTreeSet::from([(*user).to_owned()]))).collect();
        Ties::of(&image, goes, &others, &used)
    }

    #[track_caller]
    fn check(ties: Result<Ties, Failure>, shared: &[&str], parts: &str, users: &[&str]) {
        let ties = ties.map_err(|failure| failure.message).expect("nothing is refused");
        assert_eq!(ties.shared, shared);
        assert_eq!(ties.parts, parts.chars().map(digest).collect::<Vec<_>>());
        assert_eq!(ties.users.iter().map(String::as_str).collect::<Vec<_>>(), users);
    }

    #[test]
    fn what_another_tag_needs_stays() {
        let own = || ("t1", manifest('1', "23"));
        check(ties("r:5000/a:t1", &own().1, &[own()], &[]), &[], "23", &[]);
        check(ties("r:5000/a:t1", &own().1, &[own(), ("t2", own().1)], &[]), &["t2"], "", &[]);
        check(ties("r:5000/a:t1", &own().1, &[own(), ("t2", manifest('9', "13"))], &[]), &["t2"], "", &[]);
        check(ties("r:5000/a:t1", &own().1, &[own(), ("t2", manifest('9', "3"))], &[]), &[], "2", &[]);
        check(ties("r:5000/a:t1", &own().1, &[own(), ("t2", manifest('2', ""))], &[]), &[], "3", &[]);
    }

    #[test]
    fn a_digest_goes_only_once_nothing_has_it() {
        let refused = |image: &str, others: &[(&str, Manifest)]| {
            let ties = ties(&format!("{image}@{}", digest('1')), &manifest('1', ""), others, &[]);
            // What stands behind the name.
            ties.err().map(|failure| failure.message.split_once(' ').expect("a name and why").1.to_owned())
        };
        let (same, whole) = (|| ("t1", manifest('1', "")), || ("t2", manifest('9', "12")));
        assert_eq!(refused("r:5000/a", &[("t3", manifest('3', ""))]), None);
        assert_eq!(refused("r:5000/a", &[same()]).as_deref(), Some("has tags: t1"));
        assert_eq!(refused("r:5000/a", &[whole()]).as_deref(), Some("is part of: t2"));
        let both = refused("r:5000/a", &[same(), whole()]);
        assert_eq!(both.as_deref(), Some("has tags: t1; it is part of: t2"));
        assert_eq!(refused("r:5000/a:t1", &[same()]), None);
        assert_eq!(refused("r:5000/a:t2", &[whole()]).as_deref(), Some("is part of: t2"));
    }

    #[test]
    fn what_is_used_by_digest_stays() {
        let own = || ("t1", manifest('1', "23"));
        let image = "r:5000/a:t1";
        // A part by itself, and a part of an index without a tag.
        check(ties(image, &own().1, &[own(), ("2", manifest('2', ""))], &[('2', "c1")]), &[], "3", &["c1"]);
        check(ties(image, &own().1, &[own(), ("9", manifest('9', "3"))], &[('9', "c1")]), &[], "2", &[]);
        // That a tag has it too makes its user safe.
        let others = [own(), ("t2", manifest('2', "")), ("2", manifest('2', ""))];
        check(ties(image, &own().1, &others, &[('2', "c1")]), &[], "3", &[]);
        // The index in use has what goes.
        let whole = digest('9').to_string();
        check(ties(image, &own().1, &[own(), ("9", manifest('9', "1"))], &[('9', "c1")]), &[whole.as_str()], "", &[]);
        let others = [own(), ("t2", manifest('9', "1")), ("9", manifest('9', "1"))];
        check(ties(image, &own().1, &others, &[('9', "c1")]), &["t2"], "", &[]);
        // What goes itself was given up with -f.
        check(ties(image, &own().1, &[own(), ("1", own().1)], &[('1', "c1")]), &[], "23", &[]);
    }
}
