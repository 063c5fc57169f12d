//! The names of images, as clients of registries write them: `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`.
//!
//! The colon of a registry's port is no tag, and what stands before the first slash is a registry only if it looks like a
//! host. Nothing that is accepted here can leave the path of a URL that it becomes part of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hex;

/// Longest name and tag that registries take.
const LONGEST_NAME: usize = 255;
const LONGEST_TAG: usize = 128;
/// What a tag that is not given stands for.
const LATEST: &str = "latest";

/// The digest of a manifest: `sha256:` and 64 hexadecimal digits. Equal content has an equal one everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(format!("sha256:{}", hex(&sha2::Sha256::digest(bytes))))
    }

    /// The first twelve digits, enough for people to tell one from another.
    pub fn short(&self) -> &str {
        &self.0["sha256:".len()..][..12]
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hex = text.strip_prefix("sha256:").unwrap_or_default();
        match hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err(format!("'{text}' is not a digest; it takes sha256: and 64 hexadecimal digits")),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The name of an image.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: Option<String>,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// An image of a registry.
    pub fn new(registry: &str, repository: &str, tag: &str) -> Result<Self, String> {
        format!("{registry}/{repository}:{tag}").parse()
    }

    /// The host and port that the name begins with; None for the public registry, which has no name of its own.
    pub fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }

    /// The name within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// As it is written; see [`Self::tag_or_latest`].
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    pub fn tag_or_latest(&self) -> &str {
        self.tag().unwrap_or(LATEST)
    }

    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Without tag and digest.
    pub fn name(&self) -> String {
        match &self.registry {
            Some(registry) => format!("{registry}/{}", self.repository),
            None => self.repository.clone(),
        }
    }

    /// Whether both mean the same repository: the public registry can be named and need not be.
    pub fn is_same_name(&self, other: &Self) -> bool {
        self.familiar() == other.familiar()
    }

    fn familiar(&self) -> (Option<&str>, &str) {
        match self.registry() {
            None | Some("docker.io" | "index.docker.io") => {
                (None, self.repository.strip_prefix("library/").unwrap_or(&self.repository))
            }
            registry => (registry, &self.repository),
        }
    }

    /// What an engine is asked for: the name and one of digest and tag, of which the digest decides.
    pub fn suffix(&self) -> &str {
        self.digest.as_ref().map_or(self.tag_or_latest(), Digest::as_str)
    }

    /// With a tag where it has neither tag nor digest: what an engine makes of it.
    pub fn complete(&self) -> Self {
        let bare = self.tag.is_none() && self.digest.is_none();
        Self { tag: self.tag.clone().or_else(|| bare.then(|| LATEST.to_owned())), ..self.clone() }
    }

    /// The same name with this content, whatever its tag means by now.
    pub fn pinned(&self, digest: &Digest) -> Self {
        Self { tag: None, digest: Some(digest.clone()), ..self.clone() }
    }

    /// The same in another registry.
    pub fn in_registry(&self, registry: &str) -> Result<Self, String> {
        Ok(Self { registry: Some(checked_registry(registry)?), ..self.clone() })
    }

    /// The same below a folder of its registry.
    pub(crate) fn in_folder(&self, folder: &str) -> Self {
        Self { repository: format!("{folder}/{}", self.repository), ..self.clone() }
    }

    /// The same with another tag and no digest.
    pub fn tagged(&self, tag: &str) -> Result<Self, String> {
        Ok(Self { tag: Some(checked_tag(tag)?), digest: None, ..self.clone() })
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("'{text}' is not the name of an image: {why}");
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>()?)),
            None => (text, None),
        };
        let last = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match rest[last..].find(':') {
            Some(at) => (&rest[..last + at], Some(&rest[last + at + 1..])),
            None => (rest, None),
        };
        let tag = tag.map(checked_tag).transpose().map_err(|why| bad(&why))?;
        let (registry, repository) = match name.split_once('/') {
            Some((first, repository)) if is_host(first) => {
                (Some(checked_registry(first).map_err(|why| bad(&why))?), repository)
            }
            _ => (None, name),
        };
        if name.len() > LONGEST_NAME {
            return Err(bad(&format!("it is longer than {LONGEST_NAME} characters")));
        }
        if !repository.split('/').all(is_component) {
            return Err(bad("parts of a name are small letters and digits, with '.', '_', '__' or '-' between them"));
        }
        Ok(Self { registry, repository: repository.to_owned(), tag, digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(registry) = &self.registry {
            write!(out, "{registry}/")?;
        }
        out.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(out, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(out, "@{digest}"))
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether the first part of a name is a registry and not the beginning of a repository's name.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn checked_registry(text: &str) -> Result<String, String> {
    let bad = || format!("'{text}' is not the place of a registry; it takes HOST[:PORT]");
    let bracket = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (good_host, port) = match bracket {
        Some((host, port)) => (host.parse::<std::net::Ipv6Addr>().is_ok(), port),
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (host.split('.').all(is_label), port)
        }
    };
    let good_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    if good_host && good_port { Ok(text.to_owned()) } else { Err(bad()) }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn checked_tag(text: &str) -> Result<String, String> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let good =
        !text.is_empty() && text.len() <= LONGEST_TAG && text.bytes().all(inner) && !text.starts_with(['.', '-']);
    match good {
        true => Ok(text.to_owned()),
        false => Err(format!("'{text}' is not a tag; it takes up to {LONGEST_TAG} letters, digits, '_', '.' and '-'")),
    }
}

/// One part of a repository's name; separators stand between letters and digits only.
fn is_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = text.bytes().next().is_some_and(is_word) && text.bytes().next_back().is_some_and(is_word);
    let separators = text.split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    let legal = |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    ends && separators.into_iter().all(legal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// Registry, repository, tag and digest.
    fn parts(text: &str) -> Option<(Option<String>, String, Option<String>, bool)> {
        let reference: Reference = text.parse().ok()?;
        assert_eq!(reference.to_string(), text);
        Some((reference.registry, reference.repository, reference.tag, reference.digest.is_some()))
    }

    #[test]
    fn names_have_parts() {
        let check = |text: &str, registry: Option<&str>, repository: &str, tag: Option<&str>, digest: bool| {
            let expected = (registry.map(str::to_owned), repository.to_owned(), tag.map(str::to_owned), digest);
            assert_eq!(parts(text), Some(expected), "{text}");
        };
        check("busybox", None, "busybox", None, false);
        check("library/busybox:1.36", None, "library/busybox", Some("1.36"), false);
        check("10.0.0.1:5000/a/b", Some("10.0.0.1:5000"), "a/b", None, false);
        check("reg.site/a:V2", Some("reg.site"), "a", Some("V2"), false);
        check("Reg/a", Some("Reg"), "a", None, false);
        check("localhost/a", Some("localhost"), "a", None, false);
        check("[fd00::1]:5000/a:1", Some("[fd00::1]:5000"), "a", Some("1"), false);
        check(&format!("r:5000/a:1@{DIGEST}"), Some("r:5000"), "a", Some("1"), true);
        check(&format!("a__b/c-d.e@{DIGEST}"), None, "a__b/c-d.e", None, true);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(256);
        for bad in [
            "",
            "App",
            "a b",
            "app:",
            "app/",
            "/app",
            "é",
            "a//b",
            "a..b",
            "../a",
            "r:5000/../a",
            "-a",
            "a-",
            "a___b",
            ":1",
            "a:-1",
            "a@sha256:00",
            "a@",
            "r:x/a",
            "r:0/a",
            "r:99999/a",
            "r_x.y/a",
            ".r/a",
            "[::g]/a",
            "a?b",
            "a#b",
            "a%2fb",
            "r:5000/",
            &long,
        ] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_made_of_a_name() {
        let reference: Reference = "r:5000/a".parse().unwrap();
        let digest: Digest = DIGEST.parse().unwrap();
        assert_eq!((reference.suffix(), &*reference.complete().to_string()), ("latest", "r:5000/a:latest"));
        let pinned = reference.tagged("1").unwrap().pinned(&digest);
        assert_eq!((pinned.suffix(), pinned.to_string()), (DIGEST, format!("r:5000/a@{DIGEST}")));
        assert_eq!(pinned.complete(), pinned);
        let same = |left: &str, right: &str| left.parse::<Reference>().unwrap().is_same_name(&right.parse().unwrap());
        assert!(same("busybox:1", "docker.io/library/busybox") && !same("r.x/library/a", "r.x/a"));
        assert_eq!(reference.in_registry("s:1").unwrap().to_string(), "s:1/a");
        assert!(reference.in_registry("s/b").is_err() && reference.tagged("a/b").is_err());
        assert_eq!(digest.short(), "0123456789ab");
        assert_eq!(Digest::of(b"").as_str(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            parts(&text);
        }

        #[test]
        fn what_looks_like_a_name_is_printed_as_it_was_read(text in r"[a-zA-Z0-9.:/@_\[\]-]{0,40}") {
            parts(&text);
        }

        #[test]
        fn good_names_are_taken(text in r"([a-z]{1,8}\.[a-z]{1,8}(:[1-9][0-9]{0,3})?/)?[a-z0-9]{1,8}([_-][a-z0-9]{1,8}){0,2}(/[a-z0-9]{1,8}(\.[a-z0-9]{1,8})?){0,2}(:[A-Za-z0-9_][A-Za-z0-9._-]{0,20})?") {
            prop_assert!(parts(&text).is_some());
        }
    }
}
