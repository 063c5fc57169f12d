//! Packages of a node's image, by what sets up hosts: nothing is installed that is there.

use netboot::image::packages::Packages;
use plugins::setup::{self, Step, Thing};
use plugins::{Event, Host, Progress};
use tables::Node;

use crate::context::Context;
use crate::docker_host;
use crate::failure::Failure;
use crate::progress::Bars;

/// The node, and what it lacks or has too much.
pub(super) async fn look(cx: &Context, node: &Node, packages: &Packages) -> Result<(Host, Vec<Step>), Failure> {
    let host = cx.backends()?.host(node).await?;
    let mut things = Vec::new();
    if !packages.wanted.is_empty() {
        things.push(Thing::Packages(packages.wanted.clone()));
    }
    if !packages.unwanted.is_empty() {
        things.push(Thing::NoPackages(packages.unwanted.clone()));
    }
    let steps = docker_host::steps(&host, &things).await?;
    Ok((host, steps))
}

/// Installs and removes; returns what was done.
pub(super) async fn install(cx: &Context, node: &Node, packages: &Packages) -> Result<Vec<String>, Failure> {
    let (host, steps) = look(cx, node, packages).await?;
    let (bars, name) = (Bars::new(cx.ui.clone()), node.name().to_owned());
    let progress = Progress::new(move |event: Event| bars.show(event.of(&name)));
    setup::carry_out(&host, &steps, &progress).await?;
    Ok(steps.iter().map(Step::title).collect())
}
