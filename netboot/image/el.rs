//! Distributions of the EL family: what dnf is told so that it makes a root.

use tables::urls;

/// What `osvers` begins with.
const FAMILY: &[&str] = &["rhels", "rhel", "rocky", "alma", "centos", "ol"];

/// The release that a version such as `rocky9.4` means, as dnf has it; None for another family.
pub fn release(osvers: &str) -> Option<&str> {
    let release = osvers.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    let name = &osvers[..osvers.len() - release.len()];
    let is_release = release.starts_with(|letter: char| letter.is_ascii_digit())
        && release.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    (is_release && (FAMILY.contains(&name) || name == "almalinux")).then_some(release)
}

/// A place of packages: a directory of this machine, which is the admin's own and needs no signature, or a URL, whose packages
/// are taken only if they are signed by `gpgkey=FILE|URL` behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    url: String,
    key: Option<String>,
    is_own: bool,
}

impl Repository {
    /// `has_index` tells whether a directory has one, `repodata`.
    pub fn parse(place: &str, has_index: impl Fn(&str) -> bool) -> Result<Self, String> {
        let mut words = place.split_whitespace();
        let url = words.next().unwrap_or_default().to_owned();
        let key = words.next().map(|word| word.strip_prefix("gpgkey=").map(str::to_owned).ok_or(word));
        if words.next().is_some() || place.split("://").skip(1).any(urls::has_account) {
            return Err(
                "a place of packages is a directory or a URL without an account, and 'gpgkey=FILE' behind it".into()
            );
        }
        let key = key.transpose().map_err(|word| format!("'{word}' behind {url} is not gpgkey=FILE"))?;
        if url.starts_with("http://") || url.starts_with("https://") {
            return match key {
                Some(_) => Ok(Self { url, key, is_own: false }),
                None => Err(format!("{url}: say what its packages are signed by, '{url} gpgkey=FILE|URL'")),
            };
        }
        match url.starts_with('/') && has_index(&url) {
            true => Ok(Self { url: format!("file://{url}"), key, is_own: true }),
            false => Err(format!("{url} is no place of packages: a directory with repodata/, or an http URL")),
        }
    }
}

/// The arguments of dnf. It reads no repository of this machine's own.
pub fn arguments(
    root: &str,
    release: &str,
    arch: &str,
    repositories: &[Repository],
    wanted: &[String],
    unwanted: &[String],
) -> Vec<String> {
    let mut words = vec![
        "--assumeyes".to_owned(),
        "--quiet".to_owned(),
        format!("--installroot={root}"),
        format!("--releasever={release}"),
        format!("--forcearch={arch}"),
        "--setopt=reposdir=/dev/null".to_owned(),
        "--setopt=install_weak_deps=False".to_owned(),
        "--setopt=keepcache=False".to_owned(),
        "--nodocs".to_owned(),
    ];
    for (number, repository) in repositories.iter().enumerate() {
        let name = format!("xcrane{number}");
        words.push(format!("--repofrompath={name},{}", repository.url));
        words.push(format!("--setopt={name}.gpgcheck={}", u8::from(!repository.is_own || repository.key.is_some())));
        words.extend(repository.key.as_ref().map(|key| {
            let scheme = if key.starts_with('/') { "file://" } else { "" };
            format!("--setopt={name}.gpgkey={scheme}{key}")
        }));
    }
    words.extend(unwanted.iter().map(|package| format!("--exclude={package}")));
    words.push("install".to_owned());
    words.extend(wanted.iter().cloned());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_family() {
        for (osvers, expected) in [
            ("rocky9.4", Some("9.4")),
            ("rhels8.10", Some("8.10")),
            ("alma9", Some("9")),
            ("centos7", Some("7")),
            ("debian12", None),
            ("rocky", None),
            ("rocky9-x", None),
            ("sle15.5", None),
        ] {
            assert_eq!(release(osvers), expected, "{osvers}");
        }
    }

    #[test]
    fn places_are_signed_or_the_admins_own() {
        let parse = |place: &str| Repository::parse(place, |path| path == "/srv/el");
        let repositories = ["/srv/el", "https://m/BaseOS gpgkey=/etc/key", "http://m/x gpgkey=https://m/key"];
        let repositories: Vec<Repository> = repositories.iter().map(|place| parse(place).unwrap()).collect();
        let names = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let words = arguments("/r", "9.4", "x86_64", &repositories, &names(&["systemd", "kernel"]), &names(&["nano"]));
        assert_eq!(
            words[2..].join(" "),
            "--installroot=/r --releasever=9.4 --forcearch=x86_64 --setopt=reposdir=/dev/null \
             --setopt=install_weak_deps=False --setopt=keepcache=False --nodocs \
             --repofrompath=xcrane0,file:///srv/el --setopt=xcrane0.gpgcheck=0 \
             --repofrompath=xcrane1,https://m/BaseOS --setopt=xcrane1.gpgcheck=1 --setopt=xcrane1.gpgkey=file:///etc/key \
             --repofrompath=xcrane2,http://m/x --setopt=xcrane2.gpgcheck=1 --setopt=xcrane2.gpgkey=https://m/key \
             --exclude=nano install systemd kernel"
        );
        let refused = |place: &str, expected: &str| {
            let why = parse(place).unwrap_err();
            assert!(why.contains(expected) && !why.contains("sesame"), "{why}");
        };
        refused("https://m/BaseOS", "signed by");
        refused("/srv/none", "no place of packages");
        refused("https://ada:sesame@m/x gpgkey=/k", "without an account");
        refused("/srv/el --nogpgcheck", "is not gpgkey=FILE");
    }
}
