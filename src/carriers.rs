//! Servers that carry running containers, which must not lose their power by a slip of the finger.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

use futures_util::StreamExt;
use plugins::{Backends, PowerAction, PowerState};
use tables::Node;

use crate::context::Context;
use crate::docker_host;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::status::Statuses;
use crate::ui::Format;

/// Hosts looked at together; each costs a login.
const AT_ONCE: usize = 64;

/// What runs on each server, or why nobody knows.
type Running = BTreeMap<String, Result<Vec<String>, Failure>>;

/// What has come of stopping containers.
pub(crate) struct Drained {
    /// The servers on which nothing runs any more.
    pub(crate) nodes: Vec<Node>,
    /// The containers that were stopped.
    pub(crate) stopped: Vec<String>,
    pub(crate) outcome: Outcome,
}

impl Context {
    /// Refuses nodes on which containers run, and hosts that are on and do not tell.
    pub(crate) async fn refuse_carriers(&self, format: Format, nodes: &[Node]) -> Result<(), Failure> {
        let refusals = RefCell::new(self.running_on(nodes).await?);
        self.check(format, nodes, |node| match refusals.borrow_mut().remove(node.name()) {
            Some(Ok(running)) if !running.is_empty() => Err(carries(&running)),
            Some(Err(failure)) => Err(failure),
            Some(Ok(_)) | None => Ok(()),
        })
    }

    /// The nodes that are running containers on these servers. Refuses a server on which others run, which nothing here can
    /// stop, and one that is on and does not tell.
    pub(crate) async fn carried_by(&self, format: Format, nodes: &[Node]) -> Result<Vec<Node>, Failure> {
        let running = self.running_on(nodes).await?;
        let names: Vec<&String> = running.values().flatten().flatten().collect();
        let known = self.tables()?.node_names(true)?;
        let names: Vec<String> = names.into_iter().filter(|name| known.contains(name)).cloned().collect();
        let guests = self.tables()?.resolve(&names)?;
        let running = RefCell::new(running);
        self.check(format, nodes, |node| match running.borrow_mut().remove(node.name()) {
            Some(Ok(running)) => all_are_guests(node.name(), running, &guests),
            Some(Err(failure)) => Err(failure),
            None => Ok(()),
        })?;
        Ok(guests)
    }

    /// Stops the containers, and leaves out the servers on which some run still, which it names.
    pub(crate) async fn drain(&self, manner: Manner, nodes: Vec<Node>, guests: Vec<Node>) -> Result<Drained, Failure> {
        let backends = self.backends()?;
        let (statuses, stopped) = (Statuses::default(), RefCell::new(Vec::new()));
        let stop = async |guest: Node| {
            let powered = backends.power(&guest)?.apply(&guest, PowerAction::Off).await?;
            statuses.add(&guest, PowerAction::Off, &powered);
            stopped.borrow_mut().push(guest.name().to_owned());
            Ok(Answer { warnings: powered.warning.into_iter().collect(), ..Answer::line(powered.word) })
        };
        let outcome = Outcome::from(self.each(guests, manner, stop).await);
        self.record(statuses)?;
        let stopped = stopped.into_inner();
        if outcome == Outcome::Interrupted {
            let left: Vec<String> = nodes.iter().map(|node| node.name().to_owned()).collect();
            self.ui.note(&format!("Not done: {}", tables::noderange::fold(&left)));
            return Ok(Drained { nodes: Vec::new(), stopped, outcome });
        }
        let mut running = self.running_on(&nodes).await?;
        let mut drained = Drained { nodes: Vec::new(), stopped, outcome };
        for node in nodes {
            match still_carries(running.remove(node.name())) {
                None => drained.nodes.push(node),
                Some(failure) => {
                    drained.outcome = drained.outcome.and(Outcome::SomeFailed);
                    let body = Body::Error(format!("left alone: {}", failure.message));
                    self.ui.reply(manner.format, Reply { node: Some(node.name().to_owned()), body });
                }
            }
        }
        self.ui.finish_folding();
        Ok(drained)
    }

    /// What runs on those nodes that are hosts of containers, whether any of these is a node or none.
    async fn running_on(&self, nodes: &[Node]) -> Result<Running, Failure> {
        let (_, hosts) = self.tables()?.guests_and_hosts()?;
        let hosts: HashSet<String> = hosts.into_iter().collect();
        let backends = self.backends()?;
        let looks = nodes
            .iter()
            .filter(|node| hosts.contains(node.name()))
            .map(async |node| (node.name().to_owned(), running(backends, node).await));
        Ok(futures_util::stream::iter(looks).buffer_unordered(AT_ONCE).collect().await)
    }
}

async fn running(backends: &Backends, host: &Node) -> Result<Vec<String>, Failure> {
    match docker_host::carried(backends, host).await {
        Ok(carried) => Ok(carried.into_iter().filter(|guest| guest.running).map(|guest| guest.name).collect()),
        Err(failure) => {
            // Nothing runs without power; for a host that hangs somebody has to say that this is meant.
            let state = backends.power(host)?.state(host).await;
            match state.is_ok_and(|reading| reading.state == PowerState::Off) {
                true => Ok(Vec::new()),
                false => Err(failure.hint("--force does it without asking the host which containers run there")),
            }
        }
    }
}

/// Refuses a server on which something runs that is no node of it.
fn all_are_guests(host: &str, mut running: Vec<String>, guests: &[Node]) -> Result<(), Failure> {
    let is_guest = |name: &String| guests.iter().any(|guest| guest.name() == name && guest.get("vmhost") == Some(host));
    running.retain(|name| !is_guest(name));
    if running.is_empty() { Ok(()) } else { Err(strangers(&running)) }
}

/// Why a server that was to be drained must not lose its power.
fn still_carries(running: Option<Result<Vec<String>, Failure>>) -> Option<Failure> {
    match running? {
        Ok(names) if names.is_empty() => None,
        Ok(names) => Some(carries(&names)),
        Err(failure) => Some(failure),
    }
}

fn carries(running: &[String]) -> Failure {
    let names = tables::noderange::fold(running);
    let hint = format!("stop them with: rpower {names} off (--drain does so too); or use --force");
    Failure::refused(format!("containers run on it: {names}")).hint(hint)
}

fn strangers(running: &[String]) -> Failure {
    let names = tables::noderange::fold(running);
    Failure::refused(format!("containers run on it that are no nodes of it: {names}"))
        .hint("--drain stops nodes only: stop the others on the host, or use --force")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn only_nodes_of_the_host_itself_are_stopped() {
        let guest = |name: &str, host: &str| Node::new(name, Default::default(), None).with(&[("vmhost", host)]);
        let guests = [guest("c1", "h1"), guest("c2", "h2"), Node::new("c3", Default::default(), None)];
        let check = |running: &[&str], expected: Option<&str>| {
            let refused = all_are_guests("h1", names(running), &guests).err().map(|failure| failure.message);
            let expected = expected.map(|left| format!("containers run on it that are no nodes of it: {left}"));
            assert_eq!(refused, expected, "{running:?}");
        };
        check(&[], None);
        check(&["c1"], None);
        // A node of another host that runs here all the same, and one of no host.
        check(&["c1", "c2"], Some("c2"));
        check(&["alien"], Some("alien"));
        check(&["c1", "c3"], Some("c3"));
    }

    #[test]
    fn a_host_that_still_carries_or_does_not_tell_keeps_its_power() {
        let check = |running: Option<Result<Vec<String>, Failure>>, expected: Option<&str>| {
            assert_eq!(still_carries(running).map(|failure| failure.message).as_deref(), expected);
        };
        check(None, None);
        check(Some(Ok(Vec::new())), None);
        check(Some(Ok(names(&["c1", "c2"]))), Some("containers run on it: c[1-2]"));
        check(Some(Err(Failure::refused("no answer"))), Some("no answer"));
    }
}
