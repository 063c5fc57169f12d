//! What an installation medium says of itself: Debian and Ubuntu in `.disk/info`, the Red Hat family in `.treeinfo`.

use std::fs;
use std::path::Path;

/// Which system is on a medium, in the words of table osimage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    pub osvers: String,
    pub osarch: String,
}

/// How the Red Hat family calls its members, and what their `osvers` begins with; the longer names first.
const FAMILIES: &[(&str, &str)] = &[
    ("AlmaLinux", "alma"),
    ("CentOS Stream", "centos-stream"),
    ("CentOS", "centos"),
    ("Fedora", "fedora"),
    ("Oracle Linux", "ol"),
    ("Red Hat Enterprise Linux", "rhels"),
    ("Rocky", "rocky"),
];

impl Medium {
    /// None for a directory that says nothing, or something that nobody knows.
    pub fn of(root: &Path) -> Option<Self> {
        let text = |name: &str| fs::read_to_string(root.join(name)).ok();
        let medium = text(".disk/info").and_then(|info| Self::debian(&info));
        let medium = medium.or_else(|| Self::red_hat(&text(".treeinfo").or_else(|| text("treeinfo"))?))?;
        // They become names of directories and of an image.
        let is_plain = |word: &str| {
            word.starts_with(|letter: char| letter.is_ascii_alphanumeric())
                && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
        };
        (is_plain(&medium.osvers) && is_plain(&medium.osarch)).then_some(medium)
    }

    /// `Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST …`, `Ubuntu-Server 24.04.1 LTS "Noble Numbat" - Release amd64 (…)`.
    fn debian(info: &str) -> Option<Self> {
        let family = ["Debian", "Ubuntu"].into_iter().find(|family| info.starts_with(family))?;
        let mut words = info.split_whitespace();
        let version = words.find(|word| word.starts_with(|letter: char| letter.is_ascii_digit()))?;
        let osarch = words.find_map(|word| match word {
            "amd64" => Some("x86_64"),
            "arm64" => Some("aarch64"),
            "ppc64el" => Some("ppc64le"),
            _ => None,
        })?;
        Some(Self { osvers: format!("{}{version}", family.to_lowercase()), osarch: osarch.to_owned() })
    }

    fn red_hat(info: &str) -> Option<Self> {
        let value = |key: &str| {
            info.lines()
                .filter_map(|line| line.split_once('='))
                .find(|(name, _)| name.trim() == key)
                .map(|(_, value)| value.trim())
        };
        let name = value("family").or_else(|| value("name"))?;
        let (_, word) = FAMILIES.iter().find(|(family, _)| name.starts_with(family))?;
        Some(Self { osvers: format!("{word}{}", value("version")?), osarch: value("arch")?.to_owned() })
    }

    /// The name of the image that installs it, as xCAT has it.
    pub fn image(&self) -> String {
        format!("{}-{}-install-compute", self.osvers, self.osarch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_say_what_they_are() {
        let check = |file: &str, text: &str, expected: &str| {
            let place = tempfile::tempdir().unwrap();
            let path = place.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            assert_eq!(Medium::of(place.path()).map_or_else(String::new, |medium| medium.image()), expected, "{text}");
        };
        let debian = "Debian GNU/Linux 12.5.0 \"Bookworm\" - Official amd64 NETINST with firmware 20240210-11:27";
        check(".disk/info", debian, "debian12.5.0-x86_64-install-compute");
        let ubuntu = "Ubuntu-Server 24.04.1 LTS \"Noble Numbat\" - Release arm64 (20240827)";
        check(".disk/info", ubuntu, "ubuntu24.04.1-aarch64-install-compute");
        let tree = "[general]\narch = x86_64\nfamily = Rocky Linux\nname = Rocky Linux 9.4\nversion = 9.4\n";
        check(".treeinfo", tree, "rocky9.4-x86_64-install-compute");
        check(
            ".treeinfo",
            "[release]\nname=AlmaLinux\nversion=9.5\n[tree]\narch=aarch64\n",
            "alma9.5-aarch64-install-compute",
        );
        check(".treeinfo", "[general]\nfamily=Plan 9\nversion=4\narch=x86_64\n", "");
        check(".treeinfo", "[general]\nfamily=Fedora\nversion=../../etc\narch=x86_64\n", "");
        check(".disk/info", "Debian GNU/Linux", "");
    }
}
