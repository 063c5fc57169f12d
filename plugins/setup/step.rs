//! One step of a plan, and how it is told to people.

use similar::TextDiff;
use tables::urls;

use super::{Family, Risk, Source, Text};

/// Lines of a file that are shown around each change.
const CONTEXT: usize = 3;

/// What [`super::carry_out()`] does in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Install(Install),
    Remove {
        packages: Vec<String>,
        family: Family,
    },
    Write {
        path: String,
        /// None for a new file; empty for a secret one.
        before: Option<String>,
        after: Text,
        mode: u32,
    },
    Delete {
        path: String,
        /// None for a secret file or none that has text.
        before: Option<String>,
    },
    /// systemd reads its units' files again.
    ReloadUnits,
    Enable {
        unit: String,
    },
    Disable {
        unit: String,
    },
    Start {
        unit: String,
    },
    Stop {
        unit: String,
    },
    Restart {
        unit: String,
        /// The changed files that it follows.
        because: Vec<String>,
    },
    Reload {
        unit: String,
        because: Vec<String>,
    },
    Make {
        what: String,
        check: Vec<String>,
        make: Vec<String>,
    },
    /// The same, with a way back.
    Venture(Risk),
}

/// Packages that are to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    pub packages: Vec<String>,
    /// The host's index does not know all of them.
    pub update: bool,
    pub family: Family,
    pub source: Source,
}

impl Step {
    /// The step in one line, as an imperative.
    pub fn title(&self) -> String {
        match self {
            Self::Install(Install { packages, source, family, .. }) => match source {
                Source::Host => format!("install {}", packages.join(", ")),
                Source::Directory(directory) => {
                    let whole = if *family == Family::Dnf { ", and whatever else there is lacking" } else { "" };
                    format!("install {} from {}{whole}", packages.join(", "), directory.display())
                }
            },
            Self::Remove { packages, .. } => format!("remove packages {}", packages.join(", ")),
            Self::Write { path, before: None, .. } => format!("create {path}"),
            Self::Write { path, before: Some(before), after, mode } if after.shown() == Some(before) => {
                format!("set the mode of {path} to {mode:04o}")
            }
            Self::Write { path, .. } => format!("change {path}"),
            Self::Delete { path, .. } => format!("delete {path}"),
            Self::ReloadUnits => "reload the units of systemd".into(),
            Self::Enable { unit } => format!("enable {unit}"),
            Self::Disable { unit } => format!("disable {unit}"),
            Self::Start { unit } => format!("start {unit}"),
            Self::Stop { unit } => format!("stop {unit}"),
            Self::Restart { unit, because } => format!("restart {unit}{}", follows(because)),
            Self::Reload { unit, because } => format!("reload {unit}{}", follows(because)),
            Self::Make { what, .. } => format!("make it so that {what}"),
            Self::Venture(Risk { fact, .. }) => format!("make it so that {}, with an automatic way back", fact.what),
        }
    }

    /// What a file's lines become, as a unified diff without the accounts that an admin may have put into addresses; of a
    /// secret file only that it changes.
    pub fn diff(&self) -> Option<String> {
        let (path, before, after) = match self {
            Self::Write { path, before, after, .. } => match after.shown() {
                Some(after) => (path, before.as_deref().unwrap_or_default(), after),
                None => return Some(format!("{path}: its text is secret\n")),
            },
            Self::Delete { path, before } => (path, before.as_deref()?, ""),
            _ => return None,
        };
        let diff = TextDiff::from_lines(before, after);
        let text = diff.unified_diff().context_radius(CONTEXT).header(path, path).to_string();
        Some(urls::without_accounts(&text).into_owned()).filter(|text| !text.is_empty())
    }
}

fn follows(because: &[String]) -> String {
    match because {
        [] => ", which was left undone".into(),
        paths => format!(" for {}", paths.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn write(before: Option<&str>, after: &str, secret: bool) -> Step {
        let after = if secret { Text::Secret(Secret::new(after)) } else { Text::Public(after.into()) };
        Step::Write { path: "/a".into(), before: before.map(Into::into), after, mode: 0o600 }
    }

    #[test]
    fn titles() {
        let check = |step: Step, expected: &str| assert_eq!(step.title(), expected);
        check(write(None, "x", false), "create /a");
        check(write(Some("y"), "x", false), "change /a");
        check(write(Some("x"), "x", false), "set the mode of /a to 0600");
        check(write(Some(""), "", true), "change /a");
        check(Step::Restart { unit: "u".into(), because: vec!["/a".into()] }, "restart u for /a");
        check(Step::Reload { unit: "u".into(), because: vec![] }, "reload u, which was left undone");
        let install =
            |source| Step::Install(Install { packages: vec!["p".into()], update: false, family: Family::Apt, source });
        check(install(Source::Host), "install p");
        check(install(Source::Directory("/debs".into())), "install p from /debs");
    }

    #[test]
    fn diffs() {
        let check = |step: Step, expected: Option<&str>| assert_eq!(step.diff().as_deref(), expected);
        check(write(None, "x\n", false), Some("--- /a\n+++ /a\n@@ -0,0 +1 @@\n+x\n"));
        check(write(Some("a\nb\n"), "a\nc\n", false), Some("--- /a\n+++ /a\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"));
        check(write(Some("x\n"), "x\n", false), None);
        check(
            write(None, "proxy=http://ada:sesame@host\n", false),
            Some("--- /a\n+++ /a\n@@ -0,0 +1 @@\n+proxy=http://***@host\n"),
        );
        check(write(Some(""), "password\n", true), Some("/a: its text is secret\n"));
        check(
            Step::Delete { path: "/a".into(), before: Some("x\n".into()) },
            Some("--- /a\n+++ /a\n@@ -1 +0,0 @@\n-x\n"),
        );
        check(Step::Delete { path: "/a".into(), before: None }, None);
        check(Step::ReloadUnits, None);
    }
}
