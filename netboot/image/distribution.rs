//! Where the packages of an image come from: `osvers` and `pkgdir` of its definition as apt has them.

use tables::urls;

/// Versions and the names that their repositories have.
const SUITES: &[(&str, &str)] = &[
    ("debian11", "bullseye"),
    ("debian12", "bookworm"),
    ("debian13", "trixie"),
    ("ubuntu20.04", "focal"),
    ("ubuntu22.04", "jammy"),
    ("ubuntu24.04", "noble"),
];

/// The suite of an operating system such as `debian12` or `debian12.5`; a suite's own name is one, too.
pub fn suite(osvers: &str) -> Option<&'static str> {
    let osvers = osvers.to_lowercase();
    let is = |version: &str| osvers.strip_prefix(version).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    SUITES.iter().find(|(version, suite)| is(version) || osvers == *suite).map(|(_, suite)| *suite)
}

/// The versions that are known, for who asked for another.
pub fn known() -> String {
    SUITES.iter().map(|(version, _)| *version).collect::<Vec<_>>().join(", ")
}

/// The architecture as Debian has it.
pub fn architecture(osarch: &str) -> Option<&'static str> {
    match osarch {
        "x86_64" | "amd64" => Some("amd64"),
        "aarch64" | "arm64" => Some("arm64"),
        "ppc64le" | "ppc64el" => Some("ppc64el"),
        _ => None,
    }
}

/// How a directory of this machine is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// With `dists` and `pool`, as a mirror is.
    Pool,
    /// Packages and their index side by side.
    Flat,
}

/// A place of packages as apt's list has it: a whole line of it, the URL of a mirror, or a directory of this machine.
/// A directory is the admin's own, and its packages need no signature.
pub fn source(place: &str, suite: &str, layout: impl Fn(&str) -> Option<Layout>) -> Result<String, String> {
    let place = place.trim();
    // It would be seen in the list of processes, and read in every root that is made with it.
    if place.split_once("://").is_some_and(|(_, address)| urls::has_account(address)) {
        return Err("an address of packages has an account in it, which every node with the image could read: \
                    take a mirror that asks for none, or a directory of this machine"
            .to_owned());
    }
    if place.starts_with("deb ") {
        return Ok(place.to_owned());
    }
    if place.starts_with("http://") || place.starts_with("https://") {
        return Ok(format!("deb {place} {suite} main"));
    }
    match layout(place) {
        Some(Layout::Pool) => Ok(format!("deb [trusted=yes] copy:{place} {suite} main")),
        Some(Layout::Flat) => Ok(format!("deb [trusted=yes] copy:{place} ./")),
        None => Err(format!(
            "{place} is no place of packages: a directory with dists/ or a file Packages, an http URL, or a line 'deb …'"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_their_suites() {
        for (osvers, expected) in [
            ("debian12", Some("bookworm")),
            ("Debian12.5", Some("bookworm")),
            ("debian1", None),
            ("debian123", None),
            ("ubuntu22.04", Some("jammy")),
            ("ubuntu22.04.3", Some("jammy")),
            ("trixie", Some("trixie")),
            ("rocky9.4", None),
        ] {
            assert_eq!(suite(osvers), expected, "{osvers}");
        }
    }

    #[test]
    fn places_become_lines_of_apt() {
        let layout = |place: &str| match place {
            "/srv/debian" => Some(Layout::Pool),
            "/srv/packages" => Some(Layout::Flat),
            _ => None,
        };
        let check = |place: &str, expected: &str| assert_eq!(source(place, "bookworm", layout).unwrap(), expected);
        check("http://mirror/debian", "deb http://mirror/debian bookworm main");
        check("/srv/debian", "deb [trusted=yes] copy:/srv/debian bookworm main");
        check("/srv/packages", "deb [trusted=yes] copy:/srv/packages ./");
        check("deb http://m/d sid contrib", "deb http://m/d sid contrib");
        assert!(source("/nowhere", "bookworm", layout).unwrap_err().starts_with("/nowhere is no place of packages"));
        let places = ["http://ada:sesame@m/d", "deb [trusted=yes] https://ada@m/d sid main", "ftp://ada:se same@m/d"];
        for place in places {
            let why = source(place, "bookworm", layout).unwrap_err();
            assert!(why.contains("has an account in it") && !why.contains("ada"), "{why}");
        }
        check("deb [signed-by=/k@y] http://m/d sid main", "deb [signed-by=/k@y] http://m/d sid main");
    }
}
