//! Packages with all that they need, as apt of this machine works it out for another system: with lists, status and sources of its own,
//! as if nothing were installed there. So what comes of it fits every node of that system, whatever it has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use netboot::image::distribution;

use super::archive::Content;
use super::export::Gathered;
use super::held::Held;
use super::images::member_of;
use super::list::{Package, is_word};
use super::parts::Parts;
use super::wanted::{Packages, suite};
use crate::context::Context;
use crate::diskless::apt::usual;
use crate::diskless::program::{self, Program};
use crate::failure::Failure;

/// What apt reads after this machine's own settings, of which proxies and trusted keys stay in force. Nothing of this machine
/// is run or read that has to do with what is installed on it.
const SETTINGS: &str = r#"
Dir::State "WORK"; Dir::State::lists "WORK/lists"; Dir::State::status "WORK/status"; Dir::State::extended_states "WORK/extended";
Dir::Cache "WORK/cache"; Dir::Cache::archives "WORK/archives";
Dir::Etc::sourcelist "WORK/sources.list"; Dir::Etc::sourceparts "WORK/empty";
Dir::Etc::preferences "WORK/none"; Dir::Etc::preferencesparts "WORK/empty";
#clear APT::Architectures; APT::Architecture "ARCH"; APT::Architectures { "ARCH"; };
#clear APT::Default-Release;
#clear APT::Update::Pre-Invoke; #clear APT::Update::Post-Invoke; #clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke; #clear DPkg::Post-Invoke; #clear DPkg::Pre-Install-Pkgs;
APT::Sandbox::User "root"; APT::Install-Recommends "RECOMMENDS"; APT::Get::AutomaticRemove "false";
APT::Update::Error-Mode "any"; Acquire::Languages "none"; Acquire::Retries "3"; Binary::apt-get::APT::Keep-Downloaded-Packages "true";
"#;

/// A package that apt would fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needed {
    pub(crate) file: String,
    pub(crate) size: u64,
}

/// apt for one operating system, with a directory of its own.
pub(crate) struct Apt {
    pub(crate) os: String,
    work: PathBuf,
    names: BTreeSet<String>,
}

impl Apt {
    /// Brings the lists of what there is.
    pub(crate) async fn begin(
        cx: &Context,
        parts: &Parts,
        os: &str,
        packages: &Packages,
        recommends: bool,
    ) -> Result<Self, Failure> {
        let work = parts.work(&format!("apt/{os}"))?;
        let failed = |error: std::io::Error| Failure::refused(format!("cannot write {}: {error}", work.display()));
        for directory in ["lists/partial", "cache", "archives/partial", "nothing/partial", "empty"] {
            fs::create_dir_all(work.join(directory)).map_err(failed)?;
        }
        let sources = match packages.sources.is_empty() {
            true => usual(suite(os)?),
            false => packages.sources.iter().cloned().collect(),
        };
        let architecture = distribution::architecture(std::env::consts::ARCH)
            .ok_or_else(|| Failure::refused("apt has no name for the processor of this machine"))?;
        let place = work.display().to_string();
        if place.contains(['"', '\n']) {
            return Err(Failure::refused(format!("apt cannot work in {place}")));
        }
        let settings = SETTINGS
            .replace("WORK", &place)
            .replace("ARCH", architecture)
            .replace("RECOMMENDS", if recommends { "true" } else { "false" });
        for (name, text) in
            [("apt.conf", settings), ("sources.list", sources.join("\n") + "\n"), ("status", String::new())]
        {
            fs::write(work.join(name), text).map_err(failed)?;
        }
        let apt = Self { os: os.to_owned(), work, names: packages.names.clone() };
        program::run(cx, apt.program(&["update"])).await.map_err(|failure| apt.explained(failure))?;
        Ok(apt)
    }

    /// What it takes, the chosen ones among it.
    pub(crate) async fn needed(&self, cx: &Context) -> Result<Vec<Needed>, Failure> {
        // What was fetched already would not be listed.
        let archives = format!("Dir::Cache::archives={}", self.work.join("nothing").display());
        let words = ["-o", archives.as_str(), "--print-uris", "install"];
        let said = program::run(cx, self.install(&words)).await.map_err(|failure| self.explained(failure))?;
        parse(&String::from_utf8_lossy(&said))
            .map_err(|why| Failure::refused(format!("packages of {}: {why}", self.os)))
    }

    /// Fetches what is not there yet; apt compares all of it with its lists.
    pub(crate) async fn gather(&self, cx: &Context, held: &Held, gathered: &mut Gathered) -> Result<(), Failure> {
        let needed = self.needed(cx).await?;
        program::run(cx, self.install(&["--download-only", "install"]))
            .await
            .map_err(|failure| self.explained(failure))?;
        for Needed { file, .. } in needed {
            let path = self.work.join("archives").join(&file);
            let control = program::run(cx, Program::new("dpkg-deb", "dpkg").arg("--field").arg(&path)).await?;
            let member = member_of(format!("packages/{}/{file}", self.os), &path).await?;
            let control = String::from_utf8_lossy(&control).trim_end().to_owned();
            gathered.list.packages.push(Package { member: member.name.clone(), control });
            gathered.add(member, Content::File(path), held);
        }
        Ok(())
    }

    fn install(&self, words: &[&str]) -> Program {
        self.program(&["--yes", "--no-remove"]).args(words).args(&self.names)
    }

    fn program(&self, words: &[&str]) -> Program {
        Program::new("apt-get", "apt").arg("-c").arg(self.work.join("apt.conf")).arg("-qq").args(words)
    }

    fn explained(&self, failure: Failure) -> Failure {
        Failure { message: format!("packages of {}: {}", self.os, failure.message), ..failure }
    }
}

/// Lines `'URL' FILE SIZE HASH`.
fn parse(said: &str) -> Result<Vec<Needed>, String> {
    let line = |line: &str| {
        let (_, rest) = line.strip_prefix('\'')?.split_once("' ")?;
        let mut words = rest.split(' ');
        let (file, size) = (words.next()?, words.next()?.parse().ok()?);
        (is_word(file) && file.ends_with(".deb")).then(|| Needed { file: file.to_owned(), size })
    };
    let lines = said.lines().filter(|text| text.starts_with('\''));
    lines.map(|text| line(text).ok_or_else(|| format!("apt says '{text}', which is not understood"))).collect()
}

/// Where an operating system's packages are after an import.
pub(crate) fn directory(home: &Path, os: &str) -> PathBuf {
    home.join("packages").join(os)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_would_fetch() {
        let said = "Reading\n'http://m/pool/a_1%3a2_amd64.deb' a_1%3a2_amd64.deb 12 SHA256:00\n'copy:/x y/b_1_all.deb' b_1_all.deb 3 \n";
        let needed = parse(said).expect("these are lines of apt");
        assert_eq!(needed[0], Needed { file: "a_1%3a2_amd64.deb".into(), size: 12 });
        assert_eq!(needed[1].file, "b_1_all.deb");
        for bad in ["'x", "'http://m/a' ../a.deb 12 ", "'http://m/a' a.deb many ", "'http://m/a' a 1 "] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
