//! From a node's attributes to the container that they define; no engine is asked, so every mistake that can be seen in
//! the tables is found before the first host is touched.

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tables::Node;

use super::fields::{self, FIELDS, Nic, Part};
use crate::{Digest, Error, Reference, Result, hex};

/// Hexadecimal digits of a [`fingerprint`].
const FINGERPRINT: usize = 12;

/// What a container shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definition {
    pub(super) node: String,
    pub(super) image: Image,
    /// The image as the definition names it, before any digest decides; None for an archive.
    pub(super) named: Option<Reference>,
    /// In the order of the tables; a later part wins over an earlier one.
    pub(super) parts: Vec<Part>,
    /// The MAC address of a container that names no network.
    pub(super) mac: Option<String>,
    /// The network that it is made in, or what it has in place of one.
    pub(super) network: Option<String>,
    /// Its ports, the first in `network`.
    pub(super) nics: Vec<Nic>,
}

/// Where the image comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Image {
    /// A name that the engine knows or pulls, with its tag or digest.
    Reference(Reference),
    /// An archive on this machine, to be loaded onto the host.
    Archive(PathBuf),
}

/// Reads the definition of a container from its node.
pub(super) fn define(node: &Node) -> Result<Definition> {
    check_name(node.name())?;
    let Some(provmethod) = node.get("provmethod") else {
        return Err(wrong("provmethod", "is not set; it takes the name of an image or the path of an image archive"));
    };
    let (image, command) = provmethod.split_once('!').map_or((provmethod, None), |(image, rest)| (image, Some(rest)));
    let mut parts: Vec<Part> = own_name(node).into_iter().chain(raw(node)?).collect();
    parts.extend(command.map(|command| old_command(node, command)).transpose()?);
    for field in FIELDS {
        let Some(text) = node.get(field.attribute) else { continue };
        if text.contains('\0') {
            return Err(wrong(field.attribute, &format!("a NUL is in no such value; it takes {}", field.takes)));
        }
        let body =
            (field.parse)(text).map_err(|why| wrong(field.attribute, &format!("{why}; it takes {}", field.takes)))?;
        parts.push(Part { attribute: field.attribute, text: text.to_owned(), body });
    }
    parts.extend(swap(node, &parts)?);
    let shares_names = parts.iter().any(|part| part.attribute == "dockerhostsfile" && part.body != json!({}));
    if shares_names && node.get("dockerextrahosts").is_some() {
        return Err(wrong("dockerextrahosts", "dockerhostsfile=yes has no place for lines of one container alone"));
    }
    let addresses = fields::addresses(node).map_err(|(attribute, why)| wrong(attribute, &why))?;
    parts.extend(addresses.parts.iter().cloned());
    let (image, named) = pinned(parse_image(image)?, node)?;
    let fields::Addresses { network, nics, mac, .. } = addresses;
    Ok(Definition { node: node.name().into(), image, named, parts, mac, network, nics })
}

impl Definition {
    /// Stands for the whole definition in a container's label; `image` is the resolved name.
    pub(super) fn digest(&self, image: &str) -> String {
        let parts: Vec<Value> = self.parts.iter().map(|part| json!([part.attribute, sorted(&part.body)])).collect();
        let mac = self.nics.first().map_or(&self.mac, |own| &own.mac);
        let further: Vec<Value> =
            self.further().iter().map(|nic| json!([nic.network, nic.fixed(), nic.mac, nic.routes])).collect();
        // As it was before containers had several ports, so that those made then keep their digests.
        let whole = if further.is_empty() {
            json!([self.node, image, parts, mac])
        } else {
            json!([self.node, image, parts, mac, further])
        };
        format!("sha256:{}", hash(&whole))
    }

    /// The ports beside the one that it is made with.
    pub(super) fn further(&self) -> &[Nic] {
        self.nics.get(1..).unwrap_or_default()
    }
}

/// Stands for one part in a container's label; long enough to tell one admin's edits apart.
pub(super) fn fingerprint(body: &Value) -> String {
    hash(&sorted(body))[..FINGERPRINT].to_owned()
}

fn hash(value: &Value) -> String {
    hex(&Sha256::digest(value.to_string()))
}

fn wrong(attribute: &str, why: &str) -> Error {
    Error::Definition { attribute: attribute.into(), why: why.into() }
}

/// The container calls itself by its node's name unless it is given another, or shares another container's network and
/// with it that one's name.
fn own_name(node: &Node) -> Option<Part> {
    let shared = node.get("vmnics").is_some_and(|network| network.starts_with("container:"));
    let named = node.get("dockerhostname").is_some();
    let body = json!({ "Hostname": node.name() });
    (!shared && !named).then(|| Part { attribute: "dockerhostname", text: node.name().to_owned(), body })
}

/// A container's name is its node's name; the engine takes fewer names than the tables do.
fn check_name(name: &str) -> Result<()> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if name.len() < 2 || !name.as_bytes()[0].is_ascii_alphanumeric() || !name.bytes().all(legal) {
        return Err(wrong(
            "node",
            "the name of a container has two or more of a-z A-Z 0-9 _ . - and starts with a letter or digit",
        ));
    }
    Ok(())
}

/// `vmothersetting`: goes under everything else, unknown keys and all.
fn raw(node: &Node) -> Result<Option<Part>> {
    let Some(text) = node.get("vmothersetting") else { return Ok(None) };
    let takes = "it takes a JSON object, merged under the engine's create body";
    let parsed: Result<Map<String, Value>, _> = serde_json::from_str(text);
    let body = parsed.map_err(|error| wrong("vmothersetting", &format!("{error}; {takes}")))?;
    Ok(Some(Part { attribute: "vmothersetting", text: text.to_owned(), body: body.into() }))
}

/// xCAT's `image!word,word` form of a command.
fn old_command(node: &Node, command: &str) -> Result<Part> {
    if node.get("dockercommand").is_some() {
        return Err(wrong("dockercommand", "provmethod gives a command too, after its '!'; keep one of them"));
    }
    let words: Vec<&str> = command.split(',').filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Err(wrong("provmethod", "no command after '!'; it takes IMAGE or IMAGE!WORD,WORD,…"));
    }
    Ok(Part { attribute: "provmethod", text: command.to_owned(), body: json!({ "Cmd": words }) })
}

/// The engine counts memory and swap together; the table has the swap alone.
fn swap(node: &Node, parts: &[Part]) -> Result<Option<Part>> {
    let Some(text) = node.get("dockerswap") else { return Ok(None) };
    let takes = "it takes a size such as 512 (MB), 512M or 4G, or -1 for no limit";
    let total = match text {
        "-1" | "unlimited" => -1,
        size => {
            let swap = fields::size(size).map_err(|why| wrong("dockerswap", &format!("{why}; {takes}")))?;
            let memory = parts.iter().rev().find_map(|part| part.body.pointer("/HostConfig/Memory")?.as_i64());
            let memory =
                memory.ok_or_else(|| wrong("dockerswap", "limits the swap on top of vmmemory, which is not set"))?;
            memory.saturating_add(i64::try_from(swap).unwrap_or(i64::MAX))
        }
    };
    Ok(Some(Part {
        attribute: "dockerswap",
        text: text.to_owned(),
        body: json!({ "HostConfig": { "MemorySwap": total } }),
    }))
}

fn parse_image(text: &str) -> Result<Image> {
    let takes = "it takes the name of an image or the absolute path of an image archive";
    let path = text.strip_prefix("file://").or_else(|| text.strip_prefix("file:")).unwrap_or(text);
    let archive = [".tar", ".tar.gz", ".tgz"].iter().any(|ending| path.ends_with(ending));
    if path.starts_with('/') {
        return Ok(Image::Archive(path.into()));
    }
    if archive || path.len() != text.len() {
        return Err(wrong("provmethod", &format!("'{text}' is a path that does not start with '/'; {takes}")));
    }
    let reference: Reference = text.parse().map_err(|why| wrong("provmethod", &format!("{why}; {takes}")))?;
    Ok(Image::Reference(reference.complete()))
}

/// `dockerimagedigest` decides over the tag, and so does what the node was pinned to while it had this image.
fn pinned(image: Image, node: &Node) -> Result<(Image, Option<Reference>)> {
    let digest = |attribute: &'static str| {
        let digest = node.get(attribute).map(str::parse::<Digest>);
        digest.transpose().map_err(|why| wrong(attribute, &why))
    };
    let decided = digest("dockerimagedigest")?;
    match image {
        Image::Reference(reference) => {
            let is_of_this = node.get("pinnedimage") == Some(&*reference.to_string()) && reference.digest().is_none();
            let pin = if is_of_this { digest("pinneddigest")? } else { None };
            let image = match decided.or(pin) {
                Some(digest) => reference.pinned(&digest),
                None => reference.clone(),
            };
            Ok((Image::Reference(image), Some(reference)))
        }
        Image::Archive(_) if decided.is_some() => {
            Err(wrong("dockerimagedigest", "pins an image of a registry, but provmethod names an archive"))
        }
        archive @ Image::Archive(_) => Ok((archive, None)),
    }
}

/// The same value with the keys of every object in order, so that equal definitions have equal digests.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn node(attributes: &[(&str, &str)]) -> Node {
        let given = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let attributes: BTreeMap<_, _> =
            [("provmethod".to_owned(), "busybox".to_owned())].into_iter().chain(given).collect();
        Node::new("n1", attributes, None)
    }

    fn refused(attributes: &[(&str, &str)]) -> Option<String> {
        match define(&node(attributes)) {
            Err(Error::Definition { attribute, .. }) => Some(attribute),
            Err(other) => panic!("{attributes:?}: {other}"),
            Ok(_) => None,
        }
    }

    #[test]
    fn images() {
        let reference = |text: &str| Some(Image::Reference(text.parse().expect("a good name")));
        let check = |text: &str, expected: Option<Image>| assert_eq!(parse_image(text).ok(), expected, "{text}");
        check("busybox", reference("busybox:latest"));
        check("busybox:1.36", reference("busybox:1.36"));
        check("reg.site:5000/hpc/app", reference("reg.site:5000/hpc/app:latest"));
        check("Reg.Site:5000/hpc/app:V2", reference("Reg.Site:5000/hpc/app:V2"));
        let pinned = format!("app@sha256:{}", "0".repeat(64));
        check(&pinned, reference(&pinned));
        check("/srv/app.tar", Some(Image::Archive("/srv/app.tar".into())));
        check("file:///srv/app.img", Some(Image::Archive("/srv/app.img".into())));
        for bad in ["", "App", "a b", "app:", "app.tar", "file:app", "app/", "é", "app@sha256:00"] {
            check(bad, None);
        }
    }

    #[test]
    fn a_digest_replaces_the_tag() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let defined = define(&node(&[("provmethod", "r:5000/a:1"), ("dockerimagedigest", &digest)])).expect("good");
        assert_eq!(defined.image, Image::Reference(format!("r:5000/a@{digest}").parse().expect("a good name")));
        assert_eq!(refused(&[("dockerimagedigest", "sha256:0")]).as_deref(), Some("dockerimagedigest"));
        assert_eq!(
            refused(&[("provmethod", "/a.tar"), ("dockerimagedigest", &digest)]).as_deref(),
            Some("dockerimagedigest")
        );
    }

    #[test]
    fn a_pin_holds_as_long_as_the_image() {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let check = |image: &str, pinned: &str, further: &[(&str, &str)], expected: &str| {
            let pin = digest("1");
            let given = [("provmethod", image), ("pinnedimage", pinned), ("pinneddigest", &*pin)];
            let given: Vec<_> = given.iter().chain(further).copied().collect();
            let Image::Reference(found) = define(&node(&given)).expect("good").image else { panic!("{image}") };
            assert_eq!(found.to_string(), expected, "{image}");
        };
        check("r:5000/a:1", "r:5000/a:1", &[], &format!("r:5000/a@{}", digest("1")));
        check("r:5000/a", "r:5000/a:latest", &[], &format!("r:5000/a@{}", digest("1")));
        check("r:5000/a:2", "r:5000/a:1", &[], "r:5000/a:2");
        let decided = digest("2");
        check("r:5000/a:1", "r:5000/a:1", &[("dockerimagedigest", &*decided)], &format!("r:5000/a@{decided}"));
        let named = format!("a@{decided}");
        check(&named, &named, &[], &named);
    }

    #[test]
    fn every_field_refuses_nonsense_by_its_name() {
        for field in FIELDS {
            // A NUL is in no format at all, so free text must refuse it as well.
            let text = "\u{0}=|,:";
            assert_eq!(refused(&[(field.attribute, text)]).as_deref(), Some(field.attribute));
        }
    }

    #[test]
    fn attributes_that_lean_on_each_other() {
        let check = |given: &[(&str, &str)], expected: Option<&str>| {
            assert_eq!(refused(given).as_deref(), expected, "{given:?}");
        };
        check(&[("dockerswap", "1G")], Some("dockerswap"));
        check(&[("dockerswap", "1G"), ("vmmemory", "1G")], None);
        check(&[("dockerswap", "-1")], None);
        check(&[("provmethod", "a!b"), ("dockercommand", "c")], Some("dockercommand"));
        check(&[("provmethod", "a!")], Some("provmethod"));
        check(&[("vmothersetting", "[1]")], Some("vmothersetting"));
        check(&[("vmothersetting", "{\"a\":")], Some("vmothersetting"));
        check(&[("ip", "10.0.0.1")], Some("vmnics"));
        check(&[("dockerhostsfile", "yes"), ("dockerextrahosts", "a:10.0.0.1")], Some("dockerextrahosts"));
        check(&[("dockerhostsfile", "no"), ("dockerextrahosts", "a:10.0.0.1")], None);
    }

    #[test]
    fn the_image_must_be_named_and_the_name_possible() {
        assert!(
            matches!(define(&Node::new("n1", BTreeMap::new(), None)), Err(Error::Definition { attribute, .. }) if attribute == "provmethod")
        );
        let odd = Node::new("n", [("provmethod".to_owned(), "a".to_owned())].into(), None);
        assert!(matches!(define(&odd), Err(Error::Definition { attribute, .. }) if attribute == "node"));
    }

    #[test]
    fn the_digest_knows_the_meaning_not_the_spelling() {
        let digest = |given: &[(&str, &str)]| define(&node(given)).expect("good").digest("busybox:latest");
        assert_eq!(digest(&[("vmmemory", "1G")]), digest(&[("vmmemory", "1024")]));
        assert_ne!(digest(&[("vmmemory", "1G")]), digest(&[("vmmemory", "2G")]));
        assert_eq!(
            digest(&[("vmothersetting", r#"{"a":{"x":1,"y":2}}"#)]),
            digest(&[("vmothersetting", r#"{"a":{"y":2,"x":1}}"#)])
        );
        assert_ne!(digest(&[("mac", "02:00:00:00:00:01")]), digest(&[]));
    }

    proptest! {
        #[test]
        fn no_text_of_any_attribute_panics(which in 0..FIELDS.len(), text in any::<String>()) {
            let _ = define(&node(&[(FIELDS[which].attribute, &text)]));
            let _ = define(&node(&[("provmethod", &text), ("vmothersetting", &text), ("dockerimagedigest", &text)]));
            let _ = define(&node(&[("vmnics", "t1"), ("ip", &text), ("mac", &text), ("dockerlinks", &text)]));
        }
    }
}
