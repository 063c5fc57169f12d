//! Lists of packages as xCAT has them: a name a line or several by comma, `#` for comments, `#INCLUDE:FILE#`, `-NAME` for what not to install.

use std::path::{Path, PathBuf};

/// What lists of packages ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packages {
    /// In order, each once.
    pub wanted: Vec<String>,
    pub unwanted: Vec<String>,
}

/// What an engine needs on a machine that was given no more than a list, and only recommends: the kernel refuses its containers without
/// the parser of their profile, and networks of several hosts are made by the rest.
const BESIDE_ENGINE: &[&str] =
    &["apparmor", "ca-certificates", "dbus", "iproute2", "iputils-arping", "iputils-ping", "procps"];

const ENGINES: &[&str] = &["docker.io", "docker-ce", "moby-engine"];

/// How deep one list may include another.
const DEPTH: usize = 16;

impl Packages {
    /// Adds what a list asks for; `read` gets the text of a file, which `#INCLUDE:` names relative to the list.
    pub fn add(&mut self, path: &Path, read: &impl Fn(&Path) -> Result<String, String>) -> Result<(), String> {
        self.add_nested(path, read, DEPTH)
    }

    /// Adds what packages of the list do not do without, unless the list says that it is not wanted.
    pub fn complete(&mut self) {
        let has_engine = self.wanted.iter().any(|name| ENGINES.contains(&plain(name)));
        let beside: &[&str] = if has_engine { BESIDE_ENGINE } else { &[] };
        for name in beside {
            let is_named = |listed: &String| plain(listed) == *name;
            if !self.wanted.iter().any(is_named) && !self.unwanted.iter().any(is_named) {
                self.wanted.push((*name).to_owned());
            }
        }
    }

    fn add_nested(
        &mut self,
        path: &Path,
        read: &impl Fn(&Path) -> Result<String, String>,
        depth: usize,
    ) -> Result<(), String> {
        let text = read(path)?;
        for (number, line) in text.lines().enumerate() {
            let refused = |why: &str| Err(format!("{}:{}: {why}", path.display(), number + 1));
            let line = line.trim();
            if let Some(included) = line.strip_prefix("#INCLUDE:") {
                let Some(file) = included.strip_suffix('#') else { return refused("#INCLUDE: has no # at its end") };
                if depth == 0 {
                    return refused("lists include each other without end");
                }
                self.add_nested(&beside(path, file.trim()), read, depth - 1)?;
                continue;
            }
            for name in
                line.split('#').next().unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty())
            {
                if let Err(why) = self.add_one(name) {
                    return refused(&why);
                }
            }
        }
        Ok(())
    }

    fn add_one(&mut self, word: &str) -> Result<(), String> {
        let (list, name) = match word.strip_prefix('-') {
            Some(name) => (&mut self.unwanted, name),
            None => (&mut self.wanted, word),
        };
        let may_be = |letter: char| letter.is_ascii_alphanumeric() || "+-.:~=_".contains(letter);
        if !name.starts_with(|letter: char| letter.is_ascii_alphanumeric()) || !name.chars().all(may_be) {
            return Err(format!("'{word}' is no name of a package"));
        }
        if !list.iter().any(|known| known == name) {
            list.push(name.to_owned());
        }
        Ok(())
    }
}

/// Without architecture and version.
fn plain(name: &str) -> &str {
    name.split([':', '=']).next().unwrap_or(name)
}

fn beside(list: &Path, file: &str) -> PathBuf {
    list.parent().unwrap_or(Path::new("/")).join(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> Result<String, String> {
        Ok(match path.to_str().unwrap() {
            "/lists/compute" => "# of ours\nsystemd-sysv, udev # both\n\n#INCLUDE:base#\n-nano\nudev\n",
            "/lists/base" => "linux-image-amd64\ng++:amd64=1.0~rc1-1\n",
            "/lists/circle" => "#INCLUDE:circle#",
            "/lists/open" => "a\n#INCLUDE:base",
            "/lists/bad" => "a\nb c\n",
            other => return Err(format!("cannot read {other}")),
        }
        .to_owned())
    }

    fn packages(path: &str) -> Result<Packages, String> {
        let mut packages = Packages::default();
        packages.add(Path::new(path), &read).map(|()| packages)
    }

    #[test]
    fn lists_include_lists() {
        let found = packages("/lists/compute").unwrap();
        assert_eq!(found.wanted, ["systemd-sysv", "udev", "linux-image-amd64", "g++:amd64=1.0~rc1-1"]);
        assert_eq!(found.unwanted, ["nano"]);
    }

    #[test]
    fn an_engine_gets_what_it_needs() {
        let check = |wanted: &[&str], unwanted: &[&str], expected: &[&str]| {
            let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let mut packages = Packages { wanted: list(wanted), unwanted: list(unwanted) };
            packages.complete();
            assert_eq!(packages.wanted, expected);
        };
        check(&["udev"], &[], &["udev"]);
        check(
            &["docker.io=20.10*", "dbus:amd64"],
            &["procps"],
            &[
                "docker.io=20.10*",
                "dbus:amd64",
                "apparmor",
                "ca-certificates",
                "iproute2",
                "iputils-arping",
                "iputils-ping",
            ],
        );
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_line() {
        let check = |path: &str, expected: &str| assert_eq!(packages(path).unwrap_err(), expected);
        check("/lists/circle", "/lists/circle:1: lists include each other without end");
        check("/lists/open", "/lists/open:2: #INCLUDE: has no # at its end");
        check("/lists/bad", "/lists/bad:2: 'b c' is no name of a package");
        check("/lists/none", "cannot read /lists/none");
    }
}
