//! What is: one program run on a host reads everything that a list of things asks about.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Fact, Family, File, Follow, Risk, Text, Thing, Unit, guard};
use crate::host::line;
use crate::ssh::Exit;
use crate::{Error, Host, Result, host};

const SCRIPT: &str = include_str!("observe.sh");
/// Longer than any look takes, package index of a slow mirror included.
const LIMIT: Duration = Duration::from_secs(120);

/// What a host was when it was looked at; plain data. The text of secret files is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// None for a distribution that we do not know how to install packages on.
    pub family: Option<Family>,
    /// Files of units were changed by a run that did not get as far as telling systemd.
    #[serde(default)]
    pub outdated: bool,
    /// By the words of [`Thing::Packages`], alternatives included.
    pub packages: BTreeMap<String, PackageState>,
    pub files: BTreeMap<String, FileState>,
    pub units: BTreeMap<String, UnitState>,
    /// Whether a fact is true, by what it says.
    pub facts: BTreeMap<String, bool>,
}

/// A package, or the alternatives of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageState {
    Installed(String),
    /// Not installed; the package source of the host has it.
    Offered(String),
    /// Neither; a fresh index may know it.
    Unknown,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    Absent,
    Text {
        text: String,
        mode: u32,
    },
    /// A secret file, by its SHA-256.
    Secret {
        digest: String,
        mode: u32,
    },
    /// A directory, a device, a link that leads nowhere …
    Other,
}

/// A unit of systemd.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitState {
    /// False where there is no such unit, or no systemd.
    pub exists: bool,
    pub enabled: bool,
    pub active: bool,
    /// Its files have changed since systemd read them.
    pub outdated: bool,
    /// A file that it follows was changed by a run that did not get as far as telling it.
    pub follow: Option<Follow>,
}

/// Looks at a host, by one program run there.
pub async fn observe(host: &Host, wanted: &[Thing]) -> Result<Observed> {
    let what = format!("{}: looking at the host", host.name());
    let program = program(wanted);
    let asked = host.try_run(&["sh", "-c", "eval \"$(cat)\""], program.as_bytes());
    let ran = tokio::time::timeout(LIMIT, asked).await;
    let ran = ran.map_err(|_| Error::TimedOut { what: what.clone(), after: LIMIT })??;
    if ran.exit != Exit::Code(0) {
        return Err(Error::Refused { what, why: host::why(&ran.exit, &ran.stderr) });
    }
    let observed = parse(wanted, &ran.stdout);
    let observed = observed.ok_or_else(|| Error::Garbled { what: what.clone(), why: "an unexpected answer".into() })?;
    let packages = wanted.iter().any(|thing| matches!(thing, Thing::Packages(_) | Thing::NoPackages(_)));
    if packages && observed.family.is_none() {
        let why = "its distribution is unknown to us (/etc/os-release); packages need apt or dnf".into();
        return Err(Error::Refused { what: host.name().into(), why });
    }
    Ok(observed)
}

fn program(wanted: &[Thing]) -> String {
    let mut calls = vec!["system".to_owned()];
    for thing in wanted {
        match thing {
            Thing::Packages(names) | Thing::NoPackages(names) => {
                calls
                    .extend(names.iter().map(|name| format!("package {}", line(&name.split('|').collect::<Vec<_>>()))));
            }
            Thing::File(File { path, text: Text::Public(_), .. }) | Thing::NoFile(path) => {
                calls.push(line(&["file", path]));
            }
            Thing::File(File { path, text: Text::Secret(_), .. }) | Thing::NoSecret(path) => {
                calls.push(line(&["secret", path]));
            }
            Thing::Unit(Unit { name, .. }) => calls.push(line(&["unit", name])),
            Thing::Fact(Fact { check, .. }) => calls.push(fact_call(check)),
            Thing::Risk(risk) => calls.push(fact_call(&guard::check(risk))),
        }
    }
    format!("{SCRIPT}{}\n", calls.join("\n"))
}

fn fact_call(check: &[String]) -> String {
    format!("fact {}", line(&check.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// One answer of the script.
struct Answer<'a> {
    tag: &'a str,
    word: &'a str,
    text: &'a [u8],
}

/// The answers stand in the order of the questions; None where they do not.
fn parse(wanted: &[Thing], bytes: &[u8]) -> Option<Observed> {
    let mut answers = answers(bytes)?.into_iter();
    let system = answers.next().filter(|answer| answer.tag == "system")?;
    let (family, outdated) = (family(&String::from_utf8_lossy(system.text)), system.word == "outdated");
    let mut observed = Observed { family, outdated, ..Observed::default() };
    for thing in wanted {
        match thing {
            Thing::Packages(names) | Thing::NoPackages(names) => {
                for name in names {
                    observed.packages.insert(name.clone(), package(&answers.next()?)?);
                }
            }
            Thing::File(File { path, .. }) | Thing::NoFile(path) | Thing::NoSecret(path) => {
                observed.files.insert(path.clone(), file(&answers.next()?)?);
            }
            Thing::Unit(Unit { name, .. }) => {
                let answer = answers.next().filter(|answer| answer.tag == "unit")?;
                observed.units.insert(name.clone(), unit(&String::from_utf8_lossy(answer.text)));
            }
            Thing::Fact(Fact { what, .. }) | Thing::Risk(Risk { fact: Fact { what, .. }, .. }) => {
                let answer = answers.next().filter(|answer| answer.tag == "fact")?;
                observed.facts.insert(what.clone(), answer.word == "yes");
            }
        }
    }
    answers.next().is_none().then_some(observed)
}

fn answers(mut bytes: &[u8]) -> Option<Vec<Answer<'_>>> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|&byte| byte == b'\n')?;
        let mut words = std::str::from_utf8(&bytes[..end]).ok()?.split(' ');
        let (tag, word, length) = (words.next()?, words.next()?, words.next()?.parse::<usize>().ok()?);
        let text = bytes.get(end + 1..end + 1 + length)?;
        bytes = bytes.get(end + 1 + length..)?.strip_prefix(b"\n")?;
        answers.push(Answer { tag, word, text });
    }
    Some(answers)
}

/// `ID` and `ID_LIKE` of `/etc/os-release`.
fn family(words: &str) -> Option<Family> {
    words.split_whitespace().find_map(|word| match word {
        "debian" | "ubuntu" => Some(Family::Apt),
        "fedora" | "rhel" | "centos" => Some(Family::Dnf),
        _ => None,
    })
}

fn package(answer: &Answer<'_>) -> Option<PackageState> {
    let name = String::from_utf8_lossy(answer.text).into_owned();
    match (answer.tag, answer.word) {
        ("package", "installed") => Some(PackageState::Installed(name)),
        ("package", "offered") => Some(PackageState::Offered(name)),
        ("package", "unknown") => Some(PackageState::Unknown),
        _ => None,
    }
}

fn file(answer: &Answer<'_>) -> Option<FileState> {
    let mode = || u32::from_str_radix(answer.word, 8).ok();
    let text = || String::from_utf8_lossy(answer.text).into_owned();
    match answer.tag {
        "absent" => Some(FileState::Absent),
        "other" => Some(FileState::Other),
        "file" => Some(FileState::Text { text: text(), mode: mode()? }),
        "secret" => Some(FileState::Secret { digest: text(), mode: mode()? }),
        _ => None,
    }
}

fn unit(properties: &str) -> UnitState {
    let property = |name: &str| {
        let mut pairs = properties.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    };
    let enabled = ["enabled", "enabled-runtime", "static", "alias", "indirect", "generated"];
    UnitState {
        exists: property("LoadState") == "loaded",
        enabled: enabled.contains(&property("UnitFileState")),
        active: ["active", "reloading", "activating"].contains(&property("ActiveState")),
        outdated: property("NeedDaemonReload") == "yes",
        follow: match property("Follow") {
            "restart" => Some(Follow::Restart),
            "reload" => Some(Follow::Reload),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families() {
        let check = |words: &str, expected: Option<Family>| assert_eq!(family(words), expected, "{words}");
        check("debian ", Some(Family::Apt));
        check("linuxmint ubuntu debian", Some(Family::Apt));
        check("rocky rhel centos fedora", Some(Family::Dnf));
        check("fedora ", Some(Family::Dnf));
        check("alpine ", None);
        check("", None);
    }

    #[test]
    fn units() {
        let check = |properties: &str, expected: UnitState| assert_eq!(unit(properties), expected, "{properties}");
        let up = UnitState { exists: true, enabled: true, active: true, outdated: false, follow: None };
        check("LoadState=loaded\nUnitFileState=enabled\nActiveState=active\nNeedDaemonReload=no\nFollow=", up.clone());
        check(
            "LoadState=loaded\nUnitFileState=static\nActiveState=failed\nNeedDaemonReload=yes\nFollow=reload",
            UnitState { active: false, outdated: true, follow: Some(Follow::Reload), ..up },
        );
        check("LoadState=not-found\nUnitFileState=\nActiveState=inactive\nFollow=", UnitState::default());
        check("", UnitState::default());
    }

    #[test]
    fn answers_are_framed_by_length() {
        let fact = |what: &str| Thing::Fact(Fact { what: what.into(), check: vec![], make: vec![] });
        let wanted = [
            Thing::NoFile("/a".into()),
            Thing::NoFile("/b".into()),
            Thing::Packages(vec!["x|y".into(), "z".into()]),
            fact("f"),
        ];
        let bytes = b"system outdated 7\ndebian \nfile 644 12\na\n\nfact no 0\nabsent - 0\n\npackage installed 1\ny\npackage unknown 0\n\nfact yes 0\n\n";
        let observed = parse(&wanted, bytes).expect("as the script answers");
        assert_eq!((observed.family, observed.outdated), (Some(Family::Apt), true));
        assert_eq!(observed.files["/a"], FileState::Text { text: "a\n\nfact no 0".into(), mode: 0o644 });
        assert_eq!(observed.files["/b"], FileState::Absent);
        assert_eq!(observed.packages["x|y"], PackageState::Installed("y".into()));
        assert_eq!(observed.packages["z"], PackageState::Unknown);
        assert!(observed.facts["f"]);
    }

    #[test]
    fn answers_to_other_questions_are_refused() {
        let check = |bytes: &[u8]| assert_eq!(parse(&[Thing::NoFile("/a".into())], bytes), None);
        check(b"");
        check(b"system - 0\n\n");
        check(b"system - 0\n\nfact yes 0\n\n");
        check(b"system - 0\n\nfile 644 9\nshort\n");
        check(b"system - 0\n\nfile 6x4 0\n\n");
        check(b"system - 0\n\nfile 644 0\n\nfact yes 0\n\n");
        check(b"Welcome!\nsystem - 0\n\nfile 644 0\n\n");
    }
}
