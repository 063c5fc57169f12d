//! An image registry on a node: the CNCF distribution server, set up and asked.
//!
//! What must be true of its node is pure data, as for a Docker host: [`questions`] → observe → [`wanted`] → observe → plan.
//! What the server is asked goes over its own protocol, as any client of it would do.
//!
//! The distribution's package brings a service of its own that lets in everybody without TLS. Where the package is ours,
//! that one is kept from starting.

mod certificate;
mod client;
mod config;
mod content;
mod files;
mod nearest;
mod save;
mod server;
mod state;
mod transfer;
mod upstream;

use serde_json::json;

use crate::setup::{Fact, Family, File, FileState, Follow, Observed, PackageState, Thing, Unit};
use crate::{Error, Result};

pub use client::Client;
pub use config::{Account, Config, Login, PORT, STORAGE, Summary};
pub use content::{Layer, Manifest, repositories};
pub use nearest::{Mirror, Near};
pub use state::{State, collect, state};
pub use transfer::Original;
pub use upstream::Upstream;

/// The server's package, which also brings the user that it runs as.
const PACKAGE: &str = "docker-registry";
const PROGRAM: &str = "/usr/bin/docker-registry";
const USER: &str = "docker-registry";

/// Says on the node that the package is there because of us.
const RECORD: &str = "/etc/xcrane/registry.json";
/// Keeps the package's own service from starting.
const DROP_IN: &str = "/etc/systemd/system/docker-registry.service.d/xcrane.conf";

/// Whether the unit `$1`, or the container that it runs, is who listens on port `$2`.
const LISTENS: &str = r#"who=$(ss -Hltnp "sport = :$2")
case $who in *"pid=$(systemctl show -p MainPID --value "$1"),"*) return ;; esac
contained=${1#*@}
contained=$(timeout 20 docker inspect -f '{{.State.Pid}}' "xcrane-registry-${contained%.service}" 2>/dev/null) || return
case $who in *"pid=$contained,"*) return ;; *) return 1 ;; esac"#;
/// Waits for that; a server that cannot start says why in its log.
const AWAIT: &str = r#"for turn in $(seq 150); do listens "$1" "$2" && exit; sleep 0.2; done
journalctl -b -u "$1" "_SYSTEMD_UNIT=$1" -n 1 -o cat --no-pager | cut -c-500 >&2
exit 1"#;
const IS_FREE: &str = r#"! ss -Hltn "sport = :$2" | grep -q . || listens "$1" "$2""#;
/// A directory that holds something else must not become the server's.
const IS_OURS: &str = r#"[ ! -e "$1" ] || [ -d "$1/docker" ] || [ -z "$(ls -A "$1")" ]"#;
const IS_LEFT: &str = r#"[ ! -e "$1/docker" ]"#;
/// Only what a registry writes goes; whatever else is there stays, and so does the directory then.
const FORGET: &str = r#"rm -rf "$1/docker" "$1/scheduler-state.json"
[ ! -d "$1" ] || rmdir "$1"
rmdir -p "${1%/*}" 2>/dev/null || :"#;
/// The package leaves its user behind, and its user's home.
const FORGET_USER: &str = r#"rmdir /var/lib/docker-registry 2>/dev/null
PATH=$PATH:/usr/sbin:/sbin
! getent passwd "$1" >/dev/null || userdel "$1"
! getent group "$1" >/dev/null || groupdel "$1""#;

/// The registry behind a mirror may come later.
const UPSTREAM_ANSWERS: &str = r#"timeout 5 bash -c "</dev/tcp/$1/$2" 2>/dev/null"#;

/// What must be known of the node before it can be said what must be true of it.
pub fn questions(config: &Config) -> Vec<Thing> {
    let former = config.former_data().map(|data| shell(&is_left(&data), IS_LEFT, "", &[&data]));
    let server = match &config.image {
        Some(image) => server::questions(image),
        None => vec![Thing::Packages(vec![PACKAGE.into()])],
    };
    let things = [
        Thing::NoFile(RECORD.into()),
        shell(&port_is_free(config), &with_listens(IS_FREE), "", &[&files::service(config), &config.port.to_string()]),
        shell(&storage_is_ours(config), IS_OURS, "", &[&config.data()]),
    ];
    let upstream = config.upstream.as_ref().map(|upstream| {
        let (host, port) = upstream.socket().unwrap_or_default();
        shell(&upstream_answers(upstream), UPSTREAM_ANSWERS, "", &[host, port])
    });
    things.into_iter().chain(server).chain(former).chain(upstream).collect()
}

fn upstream_answers(upstream: &Upstream) -> String {
    format!("{} answers", upstream.url)
}

/// What whoever makes it should know, from the answers to [`questions`].
pub fn notes(config: &Config, observed: &Observed) -> Vec<String> {
    let silent = |upstream: &&Upstream| observed.facts.get(&upstream_answers(upstream)) == Some(&false);
    let told = config.upstream.as_ref().filter(silent).map(|upstream| {
        format!("{} does not answer this node; until it does nothing but what is kept can be had", upstream.url)
    });
    told.into_iter().collect()
}

fn is_left(data: &str) -> String {
    format!("no images are in {data}")
}

fn port_is_free(config: &Config) -> String {
    format!("port {} is free", config.port)
}

fn storage_is_ours(config: &Config) -> String {
    format!("{} is free", config.data())
}

/// What must be true of the node, from what is said of the registry and from the answers to [`questions`].
pub fn wanted(config: &Config, observed: &Observed) -> Result<Vec<Thing>> {
    check(config, observed)?;
    let mut things = match &config.image {
        Some(image) => vec![server::has(image)],
        None => packages(observed),
    };
    let all = files::all(config)?;
    let follows = all.iter().map(|file| file.path.clone()).filter(|path| !path.ends_with(&files::collection(config)));
    let follows = follows.filter(|path| !path.ends_with("readonly.yml")).collect();
    let kept: Vec<&String> = all.iter().map(|file| &file.path).collect();
    let stale = files::paths(config).into_iter().filter(|path| !kept.contains(&path)).map(files::absent);
    things.extend(stale.collect::<Vec<_>>());
    things.extend(all.into_iter().map(Thing::File));
    let (name, port) = (files::service(config), config.port.to_string());
    things.push(Thing::Unit(unit(&name, true, follows)));
    things.push(answers(config, &name, &port));
    things.extend(config.image.iter().map(|image| server::runs(config, image, &name, &port, AWAIT)));
    Ok(things)
}

/// The server's package, and that its own service stays off if it is there because of us.
fn packages(observed: &Observed) -> Vec<Thing> {
    let mut things = Vec::new();
    if is_package_ours(observed) {
        let text = format!("{:#}\n", json!({ "packages": [PACKAGE] }));
        things.push(public(RECORD, &text));
        let condition = format!("# Written by mkregistry of xcrane.\n[Unit]\nConditionPathExists=!{RECORD}\n");
        things.push(public(DROP_IN, &condition));
    }
    things.push(Thing::Packages(vec![PACKAGE.into()]));
    things
}

fn answers(config: &Config, unit: &str, port: &str) -> Thing {
    let what = format!("registry {} listens on port {port}", config.name);
    shell(&what, &with_listens(r#"listens "$1" "$2""#), &with_listens(AWAIT), &[unit, port])
}

/// What stands in the way is told before anything is touched.
fn check(config: &Config, observed: &Observed) -> Result<()> {
    let no = |why: String| Err(Error::Refused { what: format!("cannot make registry {}", config.name), why });
    let is_false = |fact: &String| observed.facts.get(fact) == Some(&false);
    let installed = matches!(observed.packages.get(PACKAGE), Some(PackageState::Installed(_)));
    match &config.image {
        Some(_) if is_false(&server::engine_answers()) => {
            return no(
                "an image needs an engine, and 'docker version' fails on its node; make it a host with: mkhost".into()
            );
        }
        Some(image) if is_false(&server::is_there(image)) && !config.brings_image => {
            return no(format!("its node has no image {image}; bring it from a file with: mkregistry --image FILE"));
        }
        None if observed.family == Some(Family::Dnf) && !installed => {
            return no(format!(
                "its distribution has no package of the registry server ({PACKAGE}, as Debian calls it); give the server's \
                 image with --image FILE, or choose a node of the Debian family, whatever its clients are"
            ));
        }
        Some(_) | None => (),
    }
    if is_false(&port_is_free(config)) {
        return no(format!("another program listens on port {}", config.port));
    }
    if is_false(&storage_is_ours(config)) {
        return no(format!("{} holds something that is not of a registry", config.data()));
    }
    if let Some(former) = config.former_data().filter(|former| is_false(&is_left(former))) {
        let (data, service) = (config.data(), files::service(config));
        return no(format!(
            "its images are in {former}; move them first, on its node: systemctl stop {service} && mkdir -p {} && mv {former} {data}",
            config.storage
        ));
    }
    Ok(())
}

/// Whether the package came, or will come, because of us.
fn is_package_ours(observed: &Observed) -> bool {
    let recorded = matches!(observed.files.get(RECORD), Some(FileState::Text { .. }));
    recorded || !matches!(observed.packages.get(PACKAGE), Some(PackageState::Installed(_)))
}

/// What must be true when the registry has gone; with `purge` its images go as well. `observed` answers [`questions`].
pub fn unwanted(config: &Config, purge: bool, observed: &Observed) -> Vec<Thing> {
    let data = config.data();
    let mut things = vec![Thing::Unit(unit(&files::service(config), false, Vec::new()))];
    things.extend(files::paths(config).into_iter().map(files::absent));
    if purge {
        let what = format!("the images in {data} are gone");
        things.push(shell(&what, r#"[ ! -e "$1" ]"#, FORGET, &[&data]));
    }
    let recorded = matches!(observed.files.get(RECORD), Some(FileState::Text { .. }));
    if recorded && !config.has_neighbours {
        things.push(Thing::NoPackages(vec![PACKAGE.into()]));
        if purge {
            let gone = r#"! getent passwd "$1" >/dev/null && ! getent group "$1" >/dev/null"#;
            things.push(shell(&format!("user {USER} is gone"), gone, FORGET_USER, &[USER]));
        }
        // Last, because without the record a run that was killed could not be completed.
        things.extend([DROP_IN, RECORD].map(|path| Thing::NoFile(path.into())));
    }
    things
}

fn public(path: &str, text: &str) -> Thing {
    Thing::File(File::public(path, text))
}

fn unit(name: &str, wanted: bool, follows: Vec<String>) -> Unit {
    Unit { name: name.into(), enabled: wanted, active: wanted, follows, follow_by: Follow::Restart }
}

fn with_listens(script: &str) -> String {
    format!("PATH=$PATH:/usr/sbin:/sbin\nlistens() {{\n{LISTENS}\n}}\n{script}")
}

fn shell(what: &str, check: &str, make: &str, arguments: &[&str]) -> Thing {
    Thing::Fact(Fact::shell(what, check, make, arguments))
}

#[cfg(test)]
mod tests;
