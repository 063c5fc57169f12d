//! Packages from a directory of this machine, for hosts without a network: only what a host lacks is copied over.
//!
//! Names are resolved here, versions by the host's own package manager: it refuses what does not fit, in its words.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::packages::NOTE;
use super::{Install, Source, Step, packages};
use crate::{Error, Event, Host, Progress, Result};

/// Where the files stand on the host while they are installed.
const PLACE: &str = "/var/cache/xcrane/packages";

const CLEAR: &str = r#"rm -rf "$1"; rmdir "${1%/*}" 2>/dev/null || :"#;

const COPY: &str = r#"
mkdir -p "${1%/*}" && cat >"$1" || exit
[ "$(($(wc -c <"$1")))" = "$2" ] || { echo "${1##*/} did not arrive whole" >&2; rm -f "$1"; exit 1; }"#;

/// What the host has or was brought (`have`), and what was brought needs (`need`); both as dpkg writes lists.
const RELATIONS: &str = r#"
LC_ALL=C; export LC_ALL
dpkg-query -W -f '${db:Status-Status} ${Package}, ${Provides}\n' | sed -n 's/^installed /have /p'
cd "$1" || exit
for deb in *.deb; do
    echo "have $(dpkg-deb -f "$deb" Package), $(dpkg-deb -f "$deb" Provides | tr '\n' ' ')"
    for field in Pre-Depends Depends; do echo "need $(dpkg-deb -f "$deb" $field | tr '\n' ' ')"; done
done"#;

/// What is only there because another one needs it goes with that one.
const INSTALL_DEBS: &str = r#"
cd "$1" && shift || exit
PATH=$PATH:/usr/sbin:/sbin; export PATH DEBIAN_FRONTEND=noninteractive LC_ALL=C
install() { apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold --no-install-recommends install ./*.deb </dev/null; }
note ./*.deb
install >/dev/null 2>&1 || { dpkg --configure -a >/dev/null 2>&1 </dev/null; install >/dev/null; } || exit
for deb in *.deb; do dpkg-deb -f "$deb" Package; done | grep -vxF -e "$(printf '%s\n' "$@")" | xargs -r apt-mark -q auto >/dev/null"#;

const INSTALL_RPMS: &str = r#"
cd "$1" || exit
dnf -q -y --disablerepo='*' install ./*.rpm >/dev/null"#;

/// The same steps with packages from `directory` instead of from the host's package source.
pub fn packages_from(steps: Vec<Step>, directory: &Path) -> Vec<Step> {
    let from = |step| match step {
        Step::Install(install) => Step::Install(Install { source: Source::Directory(directory.into()), ..install }),
        other => other,
    };
    steps.into_iter().map(from).collect()
}

/// Brings packages and whatever of theirs the host lacks, and installs them.
pub(super) async fn install_debs(host: &Host, directory: &Path, wanted: &[String], progress: &Progress) -> Result<()> {
    let available = list(directory, "deb", deb_name)?;
    let refused = |why: String| Error::Refused { what: host.name().into(), why };
    clear(host).await?;
    let mut brought = BTreeSet::new();
    let mut next: BTreeSet<String> = wanted.iter().cloned().collect();
    while !next.is_empty() {
        for name in next {
            let Some(path) = available.get(&name) else {
                return Err(refused(format!("there is no package {name} in {}", directory.display())));
            };
            copy(host, path, progress).await?;
            brought.insert(name);
        }
        let said = host.run(&["sh", "-c", RELATIONS, "sh", PLACE]).await?;
        next = missing(&String::from_utf8_lossy(&said), &available).map_err(|need| {
            refused(format!("the packages need {need}, which neither the host nor {} has", directory.display()))
        })?;
        next.retain(|name| !brought.contains(name));
    }
    packages::run(host, &["sh", "-c", &format!("{NOTE}{INSTALL_DEBS}"), "sh", PLACE], wanted).await?;
    clear(host).await
}

/// Takes away what a run before may have left as well.
async fn clear(host: &Host) -> Result<()> {
    packages::run(host, &["sh", "-c", CLEAR, "sh", PLACE], &[]).await
}

/// Brings all packages of the directory that the host lacks: an rpm's needs are files and symbols, which only a package
/// manager can resolve.
pub(super) async fn install_rpms(host: &Host, directory: &Path, wanted: &[String], progress: &Progress) -> Result<()> {
    let available = list(directory, "rpm", rpm_name)?;
    if let Some(name) = wanted.iter().find(|name| !available.contains_key(*name)) {
        let why = format!("there is no package {name} in {}", directory.display());
        return Err(Error::Refused { what: host.name().into(), why });
    }
    clear(host).await?;
    let names: Vec<&str> = ["rpm", "-q"].into_iter().chain(available.keys().map(String::as_str)).collect();
    let said = host.try_run(&names, &[]).await?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    for (name, path) in &available {
        if said.lines().any(|line| line == format!("package {name} is not installed")) {
            copy(host, path, progress).await?;
        }
    }
    packages::run(host, &["sh", "-c", INSTALL_RPMS, "sh", PLACE], &[]).await?;
    clear(host).await
}

/// The newest file of each package in a directory.
fn list(
    directory: &Path,
    ending: &str,
    name: fn(&str) -> Option<(String, String)>,
) -> Result<BTreeMap<String, PathBuf>> {
    let unreadable = |source| Error::File { doing: "read", path: directory.display().to_string(), source };
    let mut newest: BTreeMap<String, (String, PathBuf)> = BTreeMap::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .filter(|_| path.extension().is_some_and(|end| end == ending));
        let Some((name, version)) = stem.and_then(name) else { continue };
        let older = newest.get(&name).is_some_and(|(known, _)| compare(known, &version) != Ordering::Less);
        if !older {
            newest.insert(name, (version, path));
        }
    }
    Ok(newest.into_iter().map(|(name, (_, path))| (name, path)).collect())
}

/// `containerd_1.6.20~ds1-1_amd64`.
fn deb_name(stem: &str) -> Option<(String, String)> {
    let mut parts = stem.splitn(3, '_');
    Some((parts.next()?.into(), parts.next()?.replace("%3a", ":")))
}

/// `docker-ce-24.0.7-1.el9.x86_64`.
fn rpm_name(stem: &str) -> Option<(String, String)> {
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some((name.into(), format!("{version}-{release}")))
}

/// Numbers by value, all else as text: enough to choose among builds of one package.
fn compare(left: &str, right: &str) -> Ordering {
    let pieces = |text: &str| -> Vec<(String, u64)> {
        let mut pieces: Vec<(String, u64)> = vec![(String::new(), 0)];
        for letter in text.chars() {
            let last = pieces.last_mut().expect("one at least");
            match letter.to_digit(10) {
                Some(digit) => last.1 = last.1.saturating_mul(10).saturating_add(digit.into()),
                None if last.1 > 0 => pieces.push((letter.into(), 0)),
                None => last.0.push(letter),
            }
        }
        pieces
    };
    pieces(left).cmp(&pieces(right))
}

async fn copy(host: &Host, path: &Path, progress: &Progress) -> Result<()> {
    let unreadable = |source| Error::File { doing: "read", path: path.display().to_string(), source };
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let length = file.metadata().await.map_err(unreadable)?.len();
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (place, what) = (format!("{PLACE}/{name}"), format!("copying {name}"));
    let event = |done| Event::Bytes { host: host.name().into(), what: what.clone(), done, total: length };
    progress.tell(event(0));
    let argv = ["sh", "-c", COPY, "sh", &place, &length.to_string()];
    let ran = host.try_run_fed(&argv, file).await;
    progress.tell(Event::Done { host: host.name().into(), what: what.clone() });
    let ran = ran?;
    match ran.exit {
        crate::ssh::Exit::Code(0) => Ok(()),
        exit => Err(Error::Refused { what, why: crate::host::why(&exit, &ran.stderr) }),
    }
}

/// What is needed and not there, by the names of files that bring it; an error is a need that nothing meets.
fn missing(said: &str, available: &BTreeMap<String, PathBuf>) -> Result<BTreeSet<String>, String> {
    let of = |tag: &'static str| said.lines().filter_map(move |line| line.strip_prefix(tag)?.strip_prefix(' '));
    let names =
        |list: &str| list.split(',').map(bare).filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let have: BTreeSet<String> = of("have").flat_map(names).collect();
    let mut missing = BTreeSet::new();
    for need in of("need").flat_map(|list| list.split(',')).map(str::trim).filter(|need| !need.is_empty()) {
        let choices: Vec<&str> = need.split('|').map(bare).collect();
        if choices.iter().any(|name| have.contains(*name)) {
            continue;
        }
        let brings = choices.iter().find(|name| available.contains_key(**name)).ok_or(need)?;
        missing.insert((*brings).to_owned());
    }
    Ok(missing)
}

/// The name in `libc6:any (>= 2.34)`.
fn bare(relation: &str) -> &str {
    let relation = relation.trim();
    relation.split([' ', '(', ':']).next().unwrap_or(relation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        let check = |found: Option<(String, String)>, expected: (&str, &str)| {
            assert_eq!(found, Some((expected.0.into(), expected.1.into())));
        };
        check(deb_name("containerd_1.6.20~ds1-1_amd64"), ("containerd", "1.6.20~ds1-1"));
        check(deb_name("dbus_1%3a1.14_amd64"), ("dbus", "1:1.14"));
        check(rpm_name("docker-ce-24.0.7-1.el9.x86_64"), ("docker-ce", "24.0.7-1.el9.x86_64"));
        assert_eq!(deb_name("notes"), None);
    }

    #[test]
    fn newer_versions() {
        let check = |left: &str, right: &str, expected| assert_eq!(compare(left, right), expected, "{left} {right}");
        check("1.9-1", "1.10-1", Ordering::Less);
        check("2.0", "1.99", Ordering::Greater);
        check("1.0-1+b1", "1.0-1+b1", Ordering::Equal);
        check("20.10.24+dfsg1-1+b3", "20.10.24+dfsg1-1+b10", Ordering::Less);
    }

    #[test]
    fn needs_are_met_by_names_and_what_they_provide() {
        let available = ["a", "b", "c"].map(|name| (name.to_owned(), PathBuf::new())).into();
        let check = |said: &str, expected: Result<&[&str], &str>| {
            let found = missing(said, &available);
            let expected = expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            assert_eq!(found, expected.map_err(str::to_owned), "{said}");
        };
        check("have x, \nneed x", Ok(&[]));
        check("have x, y (= 1), z\nneed y (>= 1), z:any", Ok(&[]));
        check("have x, \nneed a (>= 2), b | x, c | x", Ok(&["a"]));
        check("have x, \nneed n | b, \nneed ", Ok(&["b"]));
        check("have x, \nneed n (>= 3) | m", Err("n (>= 3) | m"));
    }
}
