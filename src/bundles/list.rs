//! The list of a bundle: what is in it, and what was left out because the other site has it. Pure.
//!
//! It comes from somebody else's site: a name in it becomes a path only after [`Member::kind`] has read it.

use std::collections::{HashMap, HashSet};

use plugins::{Digest, Reference};
use serde::{Deserialize, Serialize};
use tables::schema;

use super::index::is_control;

/// What is written now.
const FORMAT: u32 = 1;
/// Members of a bundle, and bytes of one.
const MOST: usize = 500_000;
const LARGEST: u64 = 1 << 50;
/// Bytes of the list itself.
pub(crate) const LONGEST: u64 = 64 << 20;

/// What a bundle says of itself; its signature is that of these bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    pub(crate) format: u32,
    /// When and where it was made, and by which version.
    pub(crate) created: String,
    pub(crate) by: String,
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) images: Vec<Image>,
    #[serde(default)]
    pub(crate) packages: Vec<Package>,
    #[serde(default)]
    pub(crate) files: Vec<File>,
    pub(crate) members: Vec<Member>,
}

/// A piece of the archive, in the archive's order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) sha256: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) executable: bool,
    /// It is not in the archive: whom it is for has it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) left_out: bool,
}

/// A container image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    /// Its repository with its tag, without the registry that it was taken from.
    pub(crate) name: String,
    /// In the order in which a registry takes them; the last is the image's own.
    pub(crate) manifests: Vec<Manifest>,
}

/// What an image or a part of it consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) blobs: Vec<Digest>,
}

/// A package of Debian or its like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Package {
    pub(crate) member: String,
    /// Its control file, for the index.
    pub(crate) control: String,
}

/// A file that a module requires.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) module: String,
    /// Below the directory of the module's files.
    pub(crate) path: String,
    pub(crate) url: String,
    pub(crate) sha256: String,
}

/// What a member is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// Of a registry, by its digest.
    Blob,
    Package {
        os: &'a str,
        file: &'a str,
    },
    File,
    Module {
        name: &'a str,
        path: &'a str,
    },
    Osimage(&'a str),
    /// xcrane itself.
    Program,
    Table(&'a str),
}

/// As serde asks.
fn is_false(value: &bool) -> bool {
    !value
}

impl List {
    pub(crate) fn new(by: String) -> Self {
        Self {
            format: FORMAT,
            created: crate::images::objects::now(),
            by,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            images: Vec::new(),
            packages: Vec::new(),
            files: Vec::new(),
            members: Vec::new(),
        }
    }

    /// Reads what an archive begins with.
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        let list: Self = serde_json::from_slice(text).map_err(|error| format!("its list makes no sense: {error}"))?;
        list.check().map_or(Ok(list), Err)
    }

    /// The modules in it, each once.
    pub(crate) fn modules(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for member in &self.members {
            if let Some(Kind::Module { name, .. }) = member.kind()
                && names.last() != Some(&name)
            {
                names.push(name);
            }
        }
        names
    }

    /// Members that are in the archive.
    pub(crate) fn carried(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| !member.left_out)
    }

    /// Why it is none, if so.
    fn check(&self) -> Option<String> {
        if self.format != FORMAT {
            return Some(format!("it has format {}, and known is {FORMAT}", self.format));
        }
        if self.members.len() > MOST {
            return Some(format!("it has more than {MOST} members"));
        }
        let mut names = HashMap::new();
        for member in &self.members {
            if let Some(why) = member.refuse() {
                return Some(format!("{}: {why}", member.name));
            }
            if names.insert(member.name.as_str(), member).is_some() {
                return Some(format!("{} is in it twice", member.name));
            }
        }
        self.refuse_images(&names).or_else(|| self.refuse_packages(&names)).or_else(|| self.refuse_files(&names))
    }

    fn refuse_images(&self, names: &HashMap<&str, &Member>) -> Option<String> {
        let mut told = HashSet::new();
        self.images.iter().find_map(|image| match told.insert(image.name.as_str()) {
            true => image.refuse(names),
            false => Some(format!("its image '{}' is in it twice", image.name.escape_debug())),
        })
    }

    fn refuse_packages(&self, names: &HashMap<&str, &Member>) -> Option<String> {
        let mut told = HashSet::new();
        for package in &self.packages {
            let name = &package.member;
            let member = names.get(name.as_str()).and_then(|member| member.kind());
            if !matches!(member, Some(Kind::Package { .. })) || !told.insert(name.as_str()) {
                return Some(format!("its package {name} is no member of it"));
            }
            if !is_control(&package.control) {
                return Some(format!("what it says of package {name} is no control file"));
            }
        }
        let is_package = |member: &&Member| matches!(member.kind(), Some(Kind::Package { .. }));
        let untold = self.members.iter().filter(is_package).find(|member| !told.contains(member.name.as_str()));
        untold.map(|member| format!("it says nothing of package {}", member.name))
    }

    fn refuse_files(&self, names: &HashMap<&str, &Member>) -> Option<String> {
        let mut paths = HashSet::new();
        let wrong = self.files.iter().find(|file| {
            let is_there = is_sha256(&file.sha256) && names.contains_key(format!("files/{}", file.sha256).as_str());
            let is_new = paths.insert((&file.module, &file.path));
            !is_there || !is_new || !is_word(&file.module) || !is_path(&file.path)
        });
        wrong.map(|file| format!("its file {} of module {} makes no sense", file.path, file.module))
    }
}

impl Member {
    pub(crate) fn blob(digest: &Digest, size: u64) -> Self {
        let sha256 = bare(digest).to_owned();
        Self { name: format!("blobs/{sha256}"), size, sha256, executable: false, left_out: false }
    }

    /// What it is; None for a name that nothing of ours has.
    pub(crate) fn kind(&self) -> Option<Kind<'_>> {
        let (kind, rest) = self.name.split_once('/')?;
        match kind {
            "blobs" if rest == self.sha256 => Some(Kind::Blob),
            "files" if rest == self.sha256 => Some(Kind::File),
            "packages" => {
                let (os, file) = rest.split_once('/')?;
                (is_word(os) && is_package(file)).then_some(Kind::Package { os, file })
            }
            "modules" => {
                let (name, path) = rest.split_once('/')?;
                (is_word(name) && is_path(path)).then_some(Kind::Module { name, path })
            }
            "osimages" => rest.strip_suffix(".tar").filter(|name| is_word(name)).map(Kind::Osimage),
            "program" if rest == "xcrane" => Some(Kind::Program),
            "tables" => rest.strip_suffix(".csv").filter(|name| schema::find(name).is_some()).map(Kind::Table),
            _ => None,
        }
    }

    /// Whether one site may have it from another bundle: it has the same name wherever it is.
    pub(crate) fn may_be_had(&self) -> bool {
        matches!(self.kind(), Some(Kind::Blob | Kind::File | Kind::Package { .. }))
    }

    fn refuse(&self) -> Option<&'static str> {
        match () {
            () if !is_sha256(&self.sha256) => Some("its digest is none"),
            () if self.kind().is_none() => Some("a bundle has no such member"),
            () if self.size > LARGEST => Some("it has more bytes than there are"),
            () if self.left_out && !self.may_be_had() => Some("it cannot be left out"),
            () => None,
        }
    }
}

impl Image {
    /// The name as a registry has it: its repository and its tag.
    pub(crate) fn reference(&self) -> Option<Reference> {
        let parsed: Reference = self.name.parse().ok()?;
        (parsed.registry().is_none() && parsed.digest().is_none() && parsed.tag().is_some()).then_some(parsed)
    }

    /// The manifest that its name means.
    pub(crate) fn own(&self) -> Option<&Manifest> {
        self.manifests.last()
    }

    fn refuse(&self, names: &HashMap<&str, &Member>) -> Option<String> {
        let is_there = |digest: &Digest| names.contains_key(format!("blobs/{}", bare(digest)).as_str());
        let of_manifest = |part: &Manifest| is_there(&part.digest) && part.blobs.iter().all(is_there);
        let is_type =
            |part: &Manifest| part.media_type.len() < 200 && part.media_type.bytes().all(|b| b.is_ascii_graphic());
        let is_whole =
            !self.manifests.is_empty() && self.manifests.iter().all(|part| of_manifest(part) && is_type(part));
        (!is_whole || self.reference().is_none())
            .then(|| format!("its image '{}' is not whole", self.name.escape_debug()))
    }
}

/// The digits of a digest.
pub(crate) fn bare(digest: &Digest) -> &str {
    digest.as_str().trim_start_matches("sha256:")
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// A name that is one part of a path and never leads out of it.
pub(crate) fn is_word(name: &str) -> bool {
    let may_be = |letter: char| letter.is_ascii_alphanumeric() || "._-+~%=:".contains(letter);
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.chars().all(may_be)
}

fn is_package(file: &str) -> bool {
    is_word(file) && file.ends_with(".deb")
}

/// Parts that each are one, within the names that a tar can hold.
fn is_path(path: &str) -> bool {
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.len() <= 100
            && part.chars().all(|letter| !letter.is_control() && letter != '\\')
    };
    path.len() <= 150 && path.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str) -> Member {
        Member { name: name.into(), size: 1, sha256: "a".repeat(64), executable: false, left_out: false }
    }

    fn refused(change: impl FnOnce(&mut List)) -> String {
        let mut list = List::new("here".into());
        list.members = vec![member("program/xcrane"), member(&format!("blobs/{}", "a".repeat(64)))];
        change(&mut list);
        List::read(&serde_json::to_vec(&list).expect("it is plain data")).err().unwrap_or_default()
    }

    #[test]
    fn names_lead_nowhere() {
        assert_eq!(refused(|_| ()), "");
        for name in [
            "blobs/../../etc/passwd",
            "packages/debian12/../x.deb",
            "packages/../x.deb",
            "packages/debian12/.x.deb",
            "packages/debian12/x",
            "modules/a/../../b",
            "modules/../b",
            "modules/a//b",
            "modules/a/",
            "osimages/a/b.tar",
            "osimages/.tar",
            "program/sh",
            "tables/nothing.csv",
            "tables/../site.csv",
            "/etc/passwd",
            "",
            "etc",
        ] {
            assert!(refused(|list| list.members.push(member(name))).contains("no such member"), "{name}");
        }
        for name in ["modules/etcd/bin/run it", "osimages/compute.tar", "tables/site.csv"] {
            assert_eq!(refused(|list| list.members.push(member(name))), "", "{name}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let check = |change: &dyn Fn(&mut List), expected: &str| {
            let why = refused(change);
            assert!(why.contains(expected), "{why}");
        };
        check(&|list| list.format = 2, "format 2");
        check(&|list| list.members.push(member("program/xcrane")), "twice");
        check(&|list| list.members[0].left_out = true, "cannot be left out");
        check(&|list| list.members[0].size = u64::MAX, "more bytes than there are");
        check(&|list| list.members[1].sha256 = "A".repeat(64), "digest is none");
        check(&|list| list.members.push(member("packages/debian12/x_1_all.deb")), "says nothing of package");
        let package =
            |control: &str| Package { member: "packages/debian12/x_1_all.deb".into(), control: control.into() };
        check(&|list| list.packages.push(package("Package: x")), "is no member of it");
        for control in
            ["", "Package: x\n\nPackage: y", "Package: x\nFilename: ../y", "Package: x\nsize: 3", "Version: 1"]
        {
            check(
                &|list| {
                    list.members.push(member("packages/debian12/x_1_all.deb"));
                    list.packages.push(package(control));
                },
                "no control file",
            );
        }
        let image = |name: &str, digit: &str| Image {
            name: name.into(),
            manifests: vec![Manifest {
                digest: format!("sha256:{}", digit.repeat(64)).parse().expect("a digest"),
                media_type: "application/json".into(),
                blobs: Vec::new(),
            }],
        };
        assert_eq!(refused(|list| list.images.push(image("apps/solver:2", "a"))), "");
        check(&|list| list.images = vec![image("apps/solver:2", "a"); 2], "is in it twice");
        for (name, digit) in [("apps/solver:2", "b"), ("r:5000/solver:2", "a"), ("solver", "a"), ("../x:1", "a")] {
            check(&|list| list.images.push(image(name, digit)), "is not whole");
        }
        let file = |module: &str, path: &str, digit: &str| File {
            module: module.into(),
            path: path.into(),
            url: "http://x/y".into(),
            sha256: digit.repeat(64),
        };
        for bad in [file("m", "../x", "a"), file("../m", "x", "a"), file("m", "x", "b"), file("m", "x", "a")] {
            check(&|list| list.files.push(bad.clone()), "makes no sense");
        }
    }
}
