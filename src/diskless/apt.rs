//! What apt is told, step by step. The first step is the system itself, each further one some packages of the list in their order, so
//! that the root after a step depends on nothing that stands further down in the list: it is kept, and what is changed there later costs
//! only what follows. A root is always made by the same steps, whether they were kept or not.

use std::path::{Path, PathBuf};

use plugins::hex;
use sha2::{Digest, Sha256};

use super::program::{self, Program};
use super::stages::{Stages, copy};
use super::{Image, place::Place};
use crate::context::Context;
use crate::failure::Failure;

/// When nothing says otherwise it is this time while packages are installed: what writes a date of today into a file would make every
/// image another. 2025-01-01.
const EPOCH: &str = "1735689600";

/// Packages of a step. Each step costs a second or two of its own; of the last one all is done again when one of its packages changes.
const STEP: usize = 4;

/// Where a foreign root's own settings of apt are found when packages were added.
pub(crate) const ITS_OWN: &str = ".xcrane-apt";

/// Part of every key: another way to make roots makes other roots.
const WAY: &str = "1";

/// The packages of an image and where they come from.
#[derive(Debug)]
pub(crate) struct Apt {
    pub(crate) suite: &'static str,
    pub(crate) architecture: &'static str,
    /// In the order of the lists.
    pub(crate) wanted: Vec<String>,
    pub(crate) unwanted: Vec<String>,
    pub(crate) sources: Vec<String>,
}

/// A step whose root is kept.
struct Kept<'a> {
    key: String,
    /// None for the first.
    packages: &'a [String],
}

impl Apt {
    /// For people: what from where.
    pub(crate) fn lines(&self) -> Vec<String> {
        let leave = self.unwanted.iter().map(|name| format!(" {name}-"));
        let include = self.wanted.join(" ") + &leave.collect::<String>();
        [format!("{} {}: {include}", self.suite, self.architecture)]
            .into_iter()
            .chain(self.sources.iter().cloned())
            .collect()
    }

    /// Makes the root at `to`, from what is kept as far as that goes.
    pub(crate) async fn make(&self, cx: &Context, image: &Image, to: &Path) -> Result<(), Failure> {
        let stages = Stages::open()?;
        let kept = self.kept(&self.index(cx).await);
        let rest = self.wanted.chunks_exact(STEP).remainder();
        let (mut before, mut from) = (None, 0);
        for (number, step) in kept.iter().enumerate().rev().filter(|(_, step)| stages.place(&step.key).is_dir()) {
            let place = stages.take(cx, &step.key).await?;
            // Another run may have swept it away meanwhile.
            if place.target().is_dir() {
                (before, from) = (Some(place), number + 1);
                break;
            }
        }
        let steps = kept.len() - from + 1;
        for (number, step) in kept[from..].iter().enumerate() {
            image.tell(&self.told(step.packages), number + 1, steps);
            let place = stages.take(cx, &step.key).await?;
            // Another run may have made it meanwhile.
            if !place.target().is_dir() {
                let base = before.as_ref().map(Place::target);
                program::run(cx, self.mmdebstrap(base, step.packages, place.aside())).await?;
                place.publish()?;
            }
            before = Some(place);
        }
        let base = before.as_ref().map(Place::target).expect("the first step is always kept");
        image.tell(&self.told(rest), steps, steps);
        match rest {
            [] => copy(cx, base, to).await?,
            rest => drop(program::run(cx, self.mmdebstrap(Some(base), rest, to)).await?),
        }
        drop(before);
        // The system, which images share, and the last two steps: what is changed is mostly at the end.
        let last = kept.len().saturating_sub(2).max(1);
        let used: Vec<&str> =
            [&kept[0]].into_iter().chain(&kept[last.min(kept.len())..]).map(|step| step.key.as_str()).collect();
        stages.keep(&image.name, &used)
    }

    fn told(&self, packages: &[String]) -> String {
        if packages.is_empty() { format!("{} {}", self.suite, self.architecture) } else { packages.join(" ") }
    }

    /// The steps whose roots are kept; `index` is what the places of packages have now.
    fn kept(&self, index: &str) -> Vec<Kept<'_>> {
        let mut key = digest(
            [WAY, self.suite, self.architecture, &epoch(), index]
                .into_iter()
                .chain(self.sources.iter().map(String::as_str)),
        );
        let mut steps = vec![Kept { key: key.clone(), packages: &[] }];
        for packages in self.wanted.chunks_exact(STEP) {
            let words =
                packages.iter().chain(["-".to_owned()].iter()).chain(&self.unwanted).cloned().collect::<Vec<_>>();
            key = digest([key.as_str()].into_iter().chain(words.iter().map(String::as_str)));
            steps.push(Kept { key: key.clone(), packages });
        }
        steps
    }

    /// INITRD=No: an initial RAM disk by the distribution would take longer than all the rest, and nobody would boot by it.
    fn mmdebstrap(&self, base: Option<&Path>, packages: &[String], to: &Path) -> Program {
        let leave = self.unwanted.iter().map(|name| format!("{name}-"));
        let include =
            packages.iter().cloned().chain(leave.filter(|_| !packages.is_empty())).collect::<Vec<_>>().join(",");
        let mut program = Program::new("mmdebstrap", "mmdebstrap")
            .args(["--quiet", "--format=directory", "--dpkgopt=force-unsafe-io"])
            .arg(format!("--architectures={}", self.architecture));
        program = match base {
            None => program.arg("--variant=minbase"),
            Some(base) => program
                .args(["--variant=custom", "--setup-hook=cp -a --reflink=auto \"$XCRANE_BASE/.\" \"$1\""])
                .env("XCRANE_BASE", base),
        };
        if !include.is_empty() {
            program = program.arg(format!("--include={include}"));
        }
        program
            .args([self.suite.as_ref(), to.as_os_str()])
            .args(&self.sources)
            .env("SOURCE_DATE_EPOCH", epoch())
            .env("INITRD", "No")
    }

    /// Puts packages into a root that others have made. Its own settings of apt are kept from apt meanwhile, as
    /// [`ITS_OWN`]: they name mirrors of others, and programs to run.
    pub(crate) fn add(&self, base: &Path, to: &Path) -> Program {
        let swap = "set -e; mv \"$1/etc/apt\" \"$1/.xcrane-ours\"; cp -a --reflink=auto \"$XCRANE_BASE/.\" \"$1\"; \
                    if [ -e \"$1/etc/apt\" ]; then mv \"$1/etc/apt\" \"$1/.xcrane-apt\"; fi; mv \"$1/.xcrane-ours\" \"$1/etc/apt\"";
        Program::new("mmdebstrap", "mmdebstrap")
            .args(["--quiet", "--format=directory", "--dpkgopt=force-unsafe-io", "--variant=custom"])
            .args([format!("--architectures={}", self.architecture), format!("--include={}", self.wanted.join(","))])
            .arg(format!("--setup-hook={swap}"))
            .args([self.suite.as_ref(), to.as_os_str()])
            .args(&self.sources)
            .env("XCRANE_BASE", base)
            .env("SOURCE_DATE_EPOCH", epoch())
            .env("INITRD", "No")
    }

    /// What the places of packages have now, as one word. Where that cannot be found out nothing that is kept counts.
    async fn index(&self, cx: &Context) -> String {
        let mut words = Vec::new();
        let own = usual(self.suite);
        let sources = if self.sources.is_empty() { own.as_slice() } else { self.sources.as_slice() };
        for place in sources.iter().map(|line| indices(line)) {
            let mut found = None;
            for url in place {
                found = read(cx, &url).await;
                if found.is_some() {
                    break;
                }
            }
            match found {
                Some(word) => words.push(word),
                None => return format!("unknown at {}", jiff::Timestamp::now()),
            }
        }
        digest(words.iter().map(String::as_str))
    }
}

/// The lines that mmdebstrap takes where it is told none.
pub(crate) fn usual(suite: &str) -> Vec<String> {
    let (mirror, security) = match suite {
        "focal" | "jammy" | "noble" => ("http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu"),
        _ => ("http://deb.debian.org/debian", "http://security.debian.org/debian-security"),
    };
    [(mirror, ""), (mirror, "-updates"), (security, "-security")]
        .map(|(mirror, end)| format!("deb {mirror} {suite}{end} main"))
        .into()
}

/// Where a line of apt's has the list of all that it has, the best first.
fn indices(line: &str) -> Vec<String> {
    let plain = match (line.find('['), line.find(']')) {
        (Some(open), Some(close)) if open < close => format!("{}{}", &line[..open], &line[close + 1..]),
        _ => line.to_owned(),
    };
    let mut words = plain.split_whitespace().skip(1);
    let (url, suite) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let url = url.trim_end_matches('/');
    match suite.strip_suffix('/') {
        Some(below) => ["Packages", "Packages.gz", "Packages.xz"].map(|name| format!("{url}/{below}/{name}")).into(),
        None => ["InRelease", "Release"].map(|name| format!("{url}/dists/{suite}/{name}")).into(),
    }
}

/// The digest of what is there.
async fn read(cx: &Context, url: &str) -> Option<String> {
    let local = ["copy:", "file:"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let content = match local {
        Some(path) => std::fs::read(PathBuf::from(path)).ok()?,
        None => {
            let file = Stages::open().ok()?.scratch();
            let words = ["download-file".as_ref(), url.as_ref(), file.as_os_str()];
            let fetched = program::run(cx, Program::new("/usr/lib/apt/apt-helper", "apt").args(words)).await;
            let content = fetched.ok().and_then(|_| std::fs::read(&file).ok());
            std::fs::remove_file(&file).ok(); // it may not be there
            content?
        }
    };
    Some(hex(&Sha256::digest(content)))
}

fn digest<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for word in words {
        hasher.update(word);
        hasher.update([0]);
    }
    hex(&hasher.finalize())[..32].to_owned()
}

fn epoch() -> String {
    std::env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| EPOCH.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(packages: &str, unwanted: &[&str], index: &str) -> Vec<String> {
        let apt = Apt {
            suite: "bookworm",
            architecture: "amd64",
            wanted: packages.split_whitespace().map(str::to_owned).collect(),
            unwanted: unwanted.iter().map(|name| (*name).to_owned()).collect(),
            sources: vec!["deb http://m/d bookworm main".into()],
        };
        apt.kept(index).into_iter().map(|step| step.key).collect()
    }

    #[test]
    fn what_stands_further_down_changes_nothing_above() {
        let one = keys("a b c d e f", &[], "1");
        assert_eq!(one.len(), 2);
        assert_eq!(keys("a b c d e f g", &[], "1"), one);
        assert_eq!(keys("a b c d e f g h", &[], "1")[..2], one);
        let other = keys("a b x d e f", &[], "1");
        assert!(other[0] == one[0] && other[1] != one[1]);
        assert_ne!(keys("a b c d", &["e"], "1")[1], one[1]);
        assert_ne!(keys("a b c d", &[], "2")[0], one[0]);
        assert_eq!(keys("a", &["b"], "1"), one[..1]);
    }

    #[test]
    fn lists_of_packages_have_their_places() {
        let check = |line: &str, expected: &str| assert_eq!(indices(line)[0], expected);
        check("deb http://m/debian/ bookworm main", "http://m/debian/dists/bookworm/InRelease");
        check("deb [trusted=yes arch=amd64] copy:/srv/p ./", "copy:/srv/p/./Packages");
        check("deb [signed-by=/k] https://m/d sid main contrib", "https://m/d/dists/sid/InRelease");
    }
}
