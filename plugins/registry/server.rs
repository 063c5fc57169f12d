//! What the server is on its node: the program of the distribution's package, or a container of an image, where the node has
//! an engine and no such package. Either way it has the same files and the same service.
//!
//! The container sees the node's network, the settings and the images, and has no capabilities; the engine does not start
//! it, the service does, so that nothing of it is left when that has ended.

use super::{Config, PROGRAM, USER, files, shell, with_listens};
use crate::Reference;
use crate::setup::{Fact, Thing};

/// An engine that does not answer is none.
const HAS_ENGINE: &str = "timeout 20 docker version";
const HAS_IMAGE: &str = r#"timeout 20 docker image inspect "$1""#;
const LACKS_IMAGE: &str = r#"timeout 20 docker image inspect "$1" && exit
echo "it is not there; load it with: mkregistry NODE --image FILE" >&2
exit 1"#;
/// Whether the container `$3` is of what the name `$4` means now.
const RUNS: &str = r#"runs() {
now=$(timeout 20 docker inspect -f '{{.Image}}' "$1" 2>/dev/null)
[ -n "$now" ] && [ "$now" = "$(timeout 20 docker image inspect -f '{{.Id}}' "$2")" ]
}
"#;
/// One that was just started needs a moment.
const RUN: &str = r#"for turn in $(seq 25); do runs "$3" "$4" && break; [ -z "$now" ] || break; sleep 0.2; done
runs "$3" "$4" || systemctl restart "$1" || exit
"#;

/// What the server does in its container.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Serve,
    Collect,
}

/// Whose its files are on the node; in a container without capabilities root may do no more than anybody else.
pub(super) fn user(config: &Config) -> &'static str {
    if config.image.is_some() { "root" } else { USER }
}

/// The beginning of a command line, which ends with what the server is told.
pub(super) fn command(config: &Config, work: Work) -> String {
    let Some(image) = &config.image else { return PROGRAM.to_owned() };
    let (directory, data) = (files::directory(config), config.data());
    let network = if work == Work::Serve { "host" } else { "none" };
    let trust = match config.upstream {
        Some(_) => format!(" --env SSL_CERT_FILE={directory}/upstream.pem"),
        None => String::new(),
    };
    format!(
        "/usr/bin/env docker run --rm --name {name} --network {network} --userns host --read-only --cap-drop ALL --log-driver none \
         --security-opt no-new-privileges --security-opt label=disable \
         --volume {directory}:{directory}:ro --volume {data}:{data}{trust} {image}",
        name = container(config, work),
    )
}

/// What the container is called, as [`super::LISTENS`] knows it.
pub(super) fn container(config: &Config, work: Work) -> String {
    match work {
        Work::Serve => format!("xcrane-registry-{}", config.name),
        Work::Collect => format!("xcrane-collect-{}", config.name),
    }
}

/// As whom systemd starts it.
pub(super) fn identity(config: &Config) -> String {
    match config.image {
        Some(_) => "Environment=HOME=/root\n".to_owned(),
        None => format!("User={USER}\nGroup={USER}\n"),
    }
}

/// A container that outlived its service would keep the port.
pub(super) fn swept(config: &Config, when: &str, work: Work) -> String {
    match config.image {
        Some(_) => format!("{when}=-/bin/sh -c 'docker rm -f {} >/dev/null 2>&1'\n", container(config, work)),
        None => String::new(),
    }
}

/// What must be known of the node.
pub(super) fn questions(image: &Reference) -> Vec<Thing> {
    let engine = Fact { what: engine_answers(), check: words(HAS_ENGINE), make: Vec::new() };
    vec![Thing::Fact(engine), has(image)]
}

pub(super) fn engine_answers() -> String {
    "the engine of the node answers".to_owned()
}

pub(super) fn is_there(image: &Reference) -> String {
    format!("the node has image {image}")
}

/// That the image is there, which nothing on the node can make so.
pub(super) fn has(image: &Reference) -> Thing {
    shell(&is_there(image), HAS_IMAGE, LACKS_IMAGE, &[&image.to_string()])
}

/// That the server is of the image as it is now, also after another one has got its name.
pub(super) fn runs(config: &Config, image: &Reference, unit: &str, port: &str, awaited: &str) -> Thing {
    let what = format!("registry {} runs image {image} as it is now", config.name);
    let check = format!("{RUNS}runs \"$3\" \"$4\"");
    let make = with_listens(&format!("{RUNS}{RUN}{awaited}"));
    shell(&what, &check, &make, &[unit, port, &container(config, Work::Serve), &image.to_string()])
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}
