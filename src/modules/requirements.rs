//! What must be had before a module can be applied, of exactly which content: what a bundle collects.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use plugins::{Digest, Reference};
use serde::Deserialize;

/// `[requirements]` of `module.toml`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requirements {
    #[serde(default)]
    pub(crate) images: Vec<Image>,
    /// Names of packages by operating system, as in `debian12 = ["etcd-server"]`: what column `os` of the nodes says.
    #[serde(default)]
    pub(crate) packages: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(crate) files: Vec<File>,
}

/// A container image: by a name that people know, and by what it is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    #[serde(rename = "ref", deserialize_with = "parsed")]
    pub(crate) reference: Reference,
    /// Of its manifest.
    #[serde(deserialize_with = "parsed")]
    pub(crate) digest: Digest,
}

/// A file that is fetched.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) url: String,
    /// 64 hexadecimal digits.
    pub(crate) sha256: String,
    /// Where it is put, below the directory of the module's files.
    pub(crate) path: PathBuf,
}

/// What is written as a word; the error says what is wrong with it.
fn parsed<'de, D: serde::Deserializer<'de>, T: std::str::FromStr<Err = String>>(from: D) -> Result<T, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

impl Requirements {
    /// Why something of it can never be had.
    pub(super) fn refuse(&self) -> Option<String> {
        let images = self.images.iter().find_map(Image::refuse).map(|why| format!("images: {why}"));
        let packages = || self.refuse_packages().map(|why| format!("packages: {why}"));
        let files = || self.refuse_files().map(|why| format!("files: {why}"));
        images.or_else(packages).or_else(files).map(|why| format!("[requirements] {why}"))
    }

    fn refuse_packages(&self) -> Option<String> {
        self.packages.iter().find_map(|(os, names)| match names.iter().find(|name| !is_package(name)) {
            Some(name) => Some(format!("'{name}' is no name of a package")),
            None if !is_os(os) => Some(format!("'{os}' is no operating system, as debian12 is one")),
            None => names.is_empty().then(|| format!("{os} has none")),
        })
    }

    fn refuse_files(&self) -> Option<String> {
        let mut paths = BTreeSet::new();
        self.files.iter().find_map(|file| match file.refuse() {
            Some(why) => Some(format!("{}: {why}", file.path.display())),
            None => (!paths.insert(&file.path)).then(|| format!("{} is there twice", file.path.display())),
        })
    }
}

impl Image {
    /// The digest stands beside the name, so that a list shows both; another one in the name would contradict it.
    fn refuse(&self) -> Option<String> {
        let other = self.reference.digest().is_some_and(|digest| *digest != self.digest);
        other.then(|| format!("{} is not {}", self.reference, self.digest))
    }
}

impl File {
    fn refuse(&self) -> Option<&'static str> {
        let is_digest = self.sha256.len() == 64 && self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        let rest = ["https://", "http://"].iter().find_map(|scheme| self.url.strip_prefix(scheme));
        let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
        match (is_digest, host) {
            _ if !is_inside(&self.path) => Some("is not a path below the module's files"),
            (false, _) => Some("sha256 takes 64 hexadecimal digits"),
            (_, "") => Some("its address is none of http or https"),
            (_, host) if host.contains('@') => Some("its address has an account in it, which everybody could read"),
            _ => None,
        }
    }
}

/// Whether a path leaves its directory nowhere.
pub(super) fn is_inside(path: &Path) -> bool {
    let mut parts = path.components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

fn is_os(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

/// Names of Debian and of RPM, which become words of a command line.
fn is_package(word: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '_' | ':' | '=' | '~');
    word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(is_fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9";

    fn whole() -> String {
        format!(
            "packages = {{ debian12 = ['etcd-server', 'etcd-client'] }}\n\
             images = [{{ ref = 'site/etcd:3.4', digest = 'sha256:{DIGEST}' }}]\n\
             files = [{{ url = 'https://10.0.0.1/a.tar', sha256 = '{DIGEST}', path = 'a/a.tar' }}]\n"
        )
    }

    fn read(text: &str) -> Result<Requirements, String> {
        let read: Requirements = toml::from_str(text).map_err(|error| error.to_string())?;
        read.refuse().map_or(Ok(read), Err)
    }

    #[test]
    fn all_that_can_be_required() {
        let read = read(&whole()).unwrap();
        assert_eq!(read.packages["debian12"], ["etcd-server", "etcd-client"]);
        assert_eq!((read.images[0].reference.tag(), read.files[0].path.to_str()), (Some("3.4"), Some("a/a.tar")));
    }

    #[test]
    fn what_can_never_be_had_is_told() {
        let check = |from: &str, to: &str, expected: &str| {
            let why = read(&whole().replacen(from, to, 1)).unwrap_err();
            assert!(why.contains(expected), "{why}");
        };
        check("sha256:5f", "sha256:", "is not a digest");
        check(
            "site/etcd:3.4",
            "site/etcd:3.4@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "images: ",
        );
        check("'etcd-client'", "'-y'", "packages: '-y' is no name of a package");
        check("debian12", "'debian 12'", "'debian 12' is no operating system");
        check("'a/a.tar'", "'../a.tar'", "files: ../a.tar: is not a path below");
        check("'a/a.tar'", "''", "is not a path below");
        check("sha256 = '5f", "sha256 = '", "sha256 takes 64");
        check("https://10.0.0.1", "ftp://10.0.0.1", "none of http or https");
        check("https://10.0.0.1", "https://me:word@10.0.0.1", "has an account in it");
        check(
            "files = [",
            &format!("files = [{{ url = 'http://x/a', sha256 = '{DIGEST}', path = 'a/a.tar' }}, "),
            "twice",
        );
    }
}
