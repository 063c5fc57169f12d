//! A Docker host: what an admin says of it in table dockerhost, turned into things that must be true of it.
//!
//! Everything here is pure. Some of what must be true depends on what the host is (its routes, what stands in its
//! daemon.json already), so the way is [`questions`] → observe → [`wanted`] → observe → plan.
//!
//! Of daemon.json only those keys are ours that stand in our record on the host; what an admin has put there by hand
//! beside them stays, also when the host is unmade.

mod audit;
mod config;
mod daemon;
mod files;
mod pools;
mod record;
mod unmake;

use crate::setup::{Fact, File, FileState, Follow, Observed, Step, Thing, Unit};
use crate::{Error, HostState, Result};

pub use audit::{Finding, SHOW_UNIT, Shutdown, findings};
pub use config::{Config, Listen, Trust};
pub use pools::Pool;
pub use unmake::{Unmaking, data_root, forgets_data, nothing_in, unwanted};

use record::Record;

/// The engine's unit; a restart of it is what containers feel.
pub const SERVICE: &str = "docker.service";
/// The unit that listens for it: a restart of this one restarts both.
pub const SOCKET: &str = "docker.socket";

/// The fact that containers go on while the engine restarts, made so without one.
pub const KEEPS_CONTAINERS: &str = "the engine keeps its containers over a restart";

/// The settings of the engine.
pub const DAEMON: &str = "/etc/docker/daemon.json";
const ROUTES: &str = "/proc/net/route";
const ENGINE_IS_THERE: &str = "an engine is installed";

/// What must be known of a host before it can be said what must be true of it.
pub fn questions(config: &Config) -> Vec<Thing> {
    let asked = |path: &str| Thing::NoFile(path.into());
    let mut questions = vec![
        asked(DAEMON),
        asked(record::PATH),
        asked(ROUTES),
        asked(files::SOCKET_DROP_IN),
        asked(&format!("{}/swarm/docker-state.json", config.data_root())),
        Thing::Unit(unit(SERVICE, &[], Follow::Restart)),
        fact(ENGINE_IS_THERE, &["sh", "-c", "command -v dockerd"], &[]),
    ];
    questions.extend(config.trust.iter().map(|trust| asked(&files::trusted_path(trust))));
    questions
}

/// What must be true of the host, from what is said of it and from the answers to [`questions`].
pub fn wanted(config: &Config, observed: &Observed) -> Result<Vec<Thing>> {
    let record = Record::read(text(observed, record::PATH).unwrap_or_default());
    let ours = daemon::settings(config, &record, observed)?;
    let merged = daemon::merge(text(observed, DAEMON), &record.daemon, &ours)?;
    let packages = config.packages(observed.family);
    let certificates = files::certificates(config);
    let service = files::service_drop_in(config);
    let socket = config.listen.as_ref().map(files::socket_drop_in);
    let trusted = files::trusted(config)?;
    let listens = socket.iter().any(|file| text(observed, &file.path) != file.text.shown());
    let theirs = put_there_before(&trusted, &record, observed);
    let mut all: Vec<File> = vec![daemon_json(&merged.text, observed)];
    all.extend(certificates.iter().cloned().chain([service]).chain(socket.clone()).chain(trusted));

    let new = Record {
        daemon: ours,
        files: all
            .iter()
            .map(|file| file.path.clone())
            .filter(|path| path != DAEMON && !theirs.contains(path))
            .collect(),
        packages: record.packages_with(if is_there(observed) { &[] } else { &packages }),
        found: match text(observed, record::PATH) {
            Some(_) => record.found,
            None => !matches!(observed.files.get(DAEMON), None | Some(FileState::Absent)),
        },
    };
    let mut things: Vec<Thing> = record.files_without(&new).into_iter().map(files::absent).collect();
    things.push(Thing::File(File::public(record::PATH, new.text())));
    things.extend(all.into_iter().map(Thing::File));
    if !is_by_hand(config, &record, observed) {
        things.push(Thing::Packages(packages));
    }
    if merged.live_restore {
        things.push(told_to_keep());
    }
    things.extend(units(&merged, &certificates, socket.is_some(), listens, &record));
    Ok(things)
}

/// The engine follows its settings and certificates. Where its socket changes too, both follow at once.
fn units(merged: &daemon::Merged, certificates: &[File], socket: bool, listens: bool, record: &Record) -> Vec<Thing> {
    let how = if merged.reload_is_enough { Follow::Reload } else { Follow::Restart };
    let paths: Vec<&str> = certificates.iter().map(|file| file.path.as_str()).collect();
    let dropped = record.files.iter().any(|path| path == files::SOCKET_DROP_IN) && !socket;
    let mut units = Vec::new();
    if listens || dropped {
        let all = [&[files::SOCKET_DROP_IN, DAEMON][..], &paths].concat();
        units.push(Thing::Unit(unit(SOCKET, &all, Follow::Restart)));
        units.push(Thing::Unit(unit(SERVICE, &[], Follow::Restart)));
        return units;
    }
    if socket {
        units.push(Thing::Unit(unit(SOCKET, &[], Follow::Restart)));
    }
    units.push(Thing::Unit(unit(SERVICE, &[DAEMON], how)));
    units.push(Thing::Unit(unit(SERVICE, &paths, Follow::Restart)));
    units
}

/// An engine that is told to keep its containers keeps them from its next reload on, so that comes before a restart.
fn told_to_keep() -> Thing {
    let check = r#"command -v docker >/dev/null && systemctl -q is-active docker.service || exit 0
[ "$(docker info -f '{{.LiveRestoreEnabled}}')" = true ]"#;
    let make = format!(
        r#"kept() {{ {check}
}}
systemctl reload docker.service
for turn in $(seq 100); do (kept) && exit; sleep 0.1; done
journalctl -b -u docker.service _SYSTEMD_UNIT=docker.service -n 1 -o cat --no-pager | sed 's/^time="[^"]*" level=[a-z]* msg=//' | cut -c-500 >&2
exit 1"#
    );
    fact(KEEPS_CONTAINERS, &["sh", "-c", check], &["sh", "-c", &make])
}

/// Whether containers run on over a restart of the engine: the one that ends must have been told to leave them, and the
/// one that begins to take them up.
pub fn keeps_containers(state: &HostState, steps: &[Step]) -> bool {
    let told = steps.iter().any(|step| matches!(step, Step::Make { what, .. } if what == KEEPS_CONTAINERS));
    let begins = steps.iter().find_map(|step| match step {
        Step::Write { path, after, .. } if path == DAEMON => Some(daemon::is_live_restore(after.reveal())),
        Step::Delete { path, .. } if path == DAEMON => Some(false),
        _ => None,
    });
    (state.live_restore || told) && begins.unwrap_or(state.live_restore)
}

fn is_there(observed: &Observed) -> bool {
    observed.facts.get(ENGINE_IS_THERE) == Some(&true)
}

/// An engine that came from elsewhere needs no package, unless the site names one.
fn is_by_hand(config: &Config, record: &Record, observed: &Observed) -> bool {
    config.packages.is_empty() && record.packages.is_empty() && is_there(observed)
}

/// Where the engine's data is and where it would look for it with these things, if that is not the same.
pub fn moves_data(wanted: &[Thing], observed: &Observed) -> Option<(String, String)> {
    let is = data_root(observed);
    let daemon = wanted.iter().find_map(|thing| match thing {
        Thing::File(file) if file.path == DAEMON => Some(daemon::data_root(file.text.reveal())),
        _ => None,
    });
    daemon.filter(|root| *root != is).map(|root| (is, root))
}

/// Refuses to let an engine look elsewhere for its data than where it is; `what` is there.
pub fn refuse_to_move(what: &str, from: &str, to: &str) -> Error {
    wrong("dockerdataroot", format!("{what} in {from}; move that directory to {to} first"))
}

fn text<'a>(observed: &'a Observed, path: &str) -> Option<&'a str> {
    match observed.files.get(path)? {
        FileState::Text { text, .. } => Some(text),
        FileState::Absent | FileState::Secret { .. } | FileState::Other => None,
    }
}

/// Files that say the same already were put there by somebody else, and are not ours to take away.
fn put_there_before(files: &[File], record: &Record, observed: &Observed) -> Vec<String> {
    let says_so = |file: &&File| text(observed, &file.path) == file.text.shown();
    let paths = files.iter().filter(says_so).map(|file| file.path.clone());
    paths.filter(|path| !record.files.contains(path)).collect()
}

/// daemon.json with another text; who may read it is for the admin to say.
fn daemon_json(new: &str, observed: &Observed) -> File {
    let file = File::public(DAEMON, new);
    match observed.files.get(DAEMON) {
        Some(FileState::Text { mode, .. }) => File { mode: *mode, ..file },
        Some(FileState::Absent | FileState::Secret { .. } | FileState::Other) | None => file,
    }
}

fn unit(name: &str, follows: &[&str], follow_by: Follow) -> Unit {
    let follows = follows.iter().map(|path| (*path).to_owned()).collect();
    Unit { name: name.into(), enabled: true, active: true, follows, follow_by }
}

fn fact(what: &str, check: &[&str], make: &[&str]) -> Thing {
    let words = |argv: &[&str]| argv.iter().map(|word| (*word).to_owned()).collect();
    Thing::Fact(Fact { what: what.into(), check: words(check), make: words(make) })
}

fn wrong(attribute: &str, why: impl Into<String>) -> Error {
    Error::Definition { attribute: attribute.into(), why: why.into() }
}

#[cfg(test)]
mod tests;
