//! An image's files by xCAT's rules of where they are: `mkdef -u` writes into a definition what is found there.

use std::path::{Path, PathBuf};

use tables::definitions::Assignment;

use crate::definition::Wanted;
use crate::failure::Failure;

/// Where xCAT keeps the files that come with it; a site's own come first.
const SHARED: &str = "/opt/xcat/share/xcat";

/// Attribute and the end of the file's name.
type Kind = (&'static str, &'static str);

const INSTALLED: &[Kind] =
    &[("template", "tmpl"), ("pkglist", "pkglist"), ("otherpkglist", "otherpkgs.pkglist"), ("synclists", "synclist")];

const DISKLESS: &[Kind] = &[
    ("pkglist", "pkglist"),
    ("otherpkglist", "otherpkgs.pkglist"),
    ("exlist", "exlist"),
    ("postinstall", "postinstall"),
    ("synclists", "synclist"),
];

/// Families of distributions whose directory is not named as their versions are.
const FAMILIES: &[(&str, &str)] = &[("rhel", "rh"), ("rhels", "rh"), ("sle", "sles")];

/// Adds what can be known of an image from `provmethod`, `profile`, `osvers` and `osarch`; what is given stays.
pub(crate) fn fill_in(wanted: &mut Wanted, install: &Path) -> Result<(), Failure> {
    let given = |name: &str| {
        let change = wanted.changes.iter().rev().find(|change| change.attribute == name);
        change.map(|change| change.value.clone()).filter(|value| !value.is_empty())
    };
    let needed = |name: &str| given(name).ok_or_else(|| Failure::usage(format!("-u needs {name}=")));
    let (provmethod, profile) = (needed("provmethod")?, needed("profile")?);
    let osvers = given("osvers").map_or_else(version_here, Ok)?;
    let osarch = given("osarch").unwrap_or_else(|| architecture_here().to_owned());
    let (folder, kinds) = match provmethod.as_str() {
        "install" => ("install", INSTALLED),
        "netboot" | "statelite" => ("netboot", DISKLESS),
        other => return Err(Failure::usage(format!("provmethod={other} is none of install, netboot, statelite"))),
    };
    let family = family(&osvers);
    let places = [install.join("custom"), PathBuf::from(SHARED)].map(|place| place.join(folder).join(family));
    let stems = stems(&profile, &osvers, &osarch);
    let mut known = vec![
        ("imagetype", "linux".to_owned()),
        ("osname", "Linux".to_owned()),
        ("osdistroname", format!("{osvers}-{osarch}")),
        ("pkgdir", text(&install.join(&osvers).join(&osarch))),
        ("otherpkgdir", text(&install.join("post/otherpkgs").join(&osvers).join(&osarch))),
    ];
    if folder == "netboot" {
        known.push(("rootimgdir", text(&install.join("netboot").join(&osvers).join(&osarch).join(&profile))));
    }
    known.extend(kinds.iter().filter_map(|(attribute, end)| Some((*attribute, text(&find(&places, &stems, end)?)))));
    known.extend([("osvers", osvers), ("osarch", osarch)]);
    // Nothing can be installed without the first kind.
    let (first, end) = kinds[0];
    if given(first).is_none() && !known.iter().any(|(attribute, _)| *attribute == first) {
        let places = places.iter().map(|place| text(place)).collect::<Vec<_>>().join(" and ");
        return Err(Failure::refused(format!("no file for {first} of profile '{profile}' in {places}"))
            .hint(format!("the first of these names that is there: {}", names(&stems, end))));
    }
    known.retain(|(attribute, _)| given(attribute).is_none());
    wanted.changes.extend(known.into_iter().map(|(attribute, value)| Assignment::set(attribute, value)));
    Ok(())
}

/// The beginnings of names, the most particular first.
fn stems(profile: &str, osvers: &str, osarch: &str) -> Vec<String> {
    let major = osvers.split('.').next().unwrap_or(osvers);
    let mut stems = vec![
        format!("{profile}.{osvers}.{osarch}"),
        format!("{profile}.{major}.{osarch}"),
        format!("{profile}.{osarch}"),
        format!("{profile}.{osvers}"),
        format!("{profile}.{major}"),
        profile.to_owned(),
    ];
    stems.dedup();
    stems
}

fn find(places: &[PathBuf], stems: &[String], end: &str) -> Option<PathBuf> {
    let paths = places.iter().flat_map(|place| stems.iter().map(move |stem| place.join(format!("{stem}.{end}"))));
    paths.into_iter().find(|path| path.is_file())
}

fn names(stems: &[String], end: &str) -> String {
    stems.iter().map(|stem| format!("{stem}.{end}")).collect::<Vec<_>>().join(" ")
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The directory of a distribution: `rh` for `rhels9.4`, `rocky` for `rocky9.4`.
fn family(osvers: &str) -> &str {
    let name = osvers.split(|letter: char| letter.is_ascii_digit()).next().unwrap_or(osvers);
    FAMILIES.iter().find(|(known, _)| *known == name).map_or(name, |(_, family)| family)
}

/// This machine's distribution and version as one word, such as `rocky9.4`.
fn version_here() -> Result<String, Failure> {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |name: &str| {
        let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.map(|value| value.trim_matches('"')).filter(|value| !value.is_empty())
    };
    match (value("ID"), value("VERSION_ID")) {
        (Some(name), Some(version)) => Ok(format!("{name}{version}")),
        _ => Err(Failure::refused("this machine does not say what it runs").hint("give osvers=")),
    }
}

fn architecture_here() -> &'static str {
    match std::env::consts::ARCH {
        "powerpc64" => "ppc64le",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_their_directories() {
        for (osvers, expected) in
            [("rhels9.4", "rh"), ("rhel8", "rh"), ("rocky9.4", "rocky"), ("sle15.5", "sles"), ("ubuntu24.04", "ubuntu")]
        {
            assert_eq!(family(osvers), expected);
        }
    }

    #[test]
    fn particular_names_come_first() {
        let names = stems("compute", "rocky9.4", "x86_64");
        assert_eq!(
            names.join(" "),
            "compute.rocky9.4.x86_64 compute.rocky9.x86_64 compute.x86_64 compute.rocky9.4 compute.rocky9 compute"
        );
    }
}
