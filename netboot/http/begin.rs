//! Where a boot begins: the script of a machine, and whether somebody else could ask for it.

use std::time::SystemTime;

use tables::Node;
use tracing::warn;

use super::{Answer, Ends, Server, address, chain, has_genesis, neighbour, text, unavailable};
use crate::events::Kind;
use crate::mac::Mac;
use crate::script::{self, Around, State};

impl Server {
    /// The script of a machine. Fetching it is where a boot begins: the node gets a token, and its status follows. Not so
    /// while it is up, for whoever is on it can ask, too; unless DHCP has just heard of its firmware.
    pub(super) fn script(&self, mac: Mac, ends: &Ends, begins: bool) -> Answer {
        let mut node = match self.site.node_of(mac) {
            Ok(node) => node,
            Err(error) => return unavailable(&error),
        };
        if let Some(known) = node.as_ref().filter(|node| begins && neighbour::is_at(node, mac, ends.client.ip()))
            // Users of a node that is to reboot have not done so when they ask.
            && (self.arrivals.has(mac) || !self.may_be_up(known))
            && let Some(further) = self.begun(mac, known, ends)
        {
            node = Some(further);
        }
        let (client, server) = (ends.client.ip(), address(ends.ours));
        let known = node.as_ref().filter(|node| begins && neighbour::is_at(node, mac, client));
        // What was installed has yet to say that it is up, with the token of the installation.
        let known = known.filter(|node| !awaits_first_start(node));
        let arrives = known.is_some() && self.arrivals.take(mac);
        let is_up = known.is_some_and(|node| self.may_be_up(node) && !(arrives && begins_anew(node)));
        let token = known.map(|node| self.tokens.give(node.name(), is_up, client, SystemTime::now()));
        let genesis = has_genesis(&self.home);
        let ours = ends.ours.ip().to_string();
        let digest = node.as_ref().and_then(|node| self.digest(node));
        let digest = digest.as_deref();
        let around = Around { server: &server, address: &ours, digest, mac, token: token.as_deref(), genesis };
        let written = script::write(&self.templates, node.as_ref(), &around);
        let state = node.as_ref().map_or(State::Discover, State::of);
        let event = |kind| ends.event(kind, state.word());
        // Who cannot be the node has no part in what is known of it.
        let own = |kind| event(kind).of(mac).node(node.as_ref().map(Node::name));
        self.events.tell(|| match (&written, known) {
            (Err(error), Some(_)) => own(Kind::NoScript).detail(chain(error)),
            (Err(error), None) => event(Kind::NoScript).detail(format_args!("{mac}: {}", chain(error))),
            (Ok(_), Some(_)) if is_up => own(Kind::Script).detail("it is up already, its files stay shut"),
            (Ok(_), Some(_)) => own(Kind::Script).detail(state.image()),
            (Ok(_), None) if node.is_none() => event(Kind::Script).of(mac).detail("no node has this MAC address"),
            (Ok(_), None) => event(Kind::Script).detail(format_args!("of {mac}, which is not there: without a token")),
        });
        if let (Ok(_), Some(node)) = (&written, known.filter(|_| !is_up))
            && let Err(error) = self.site.record(node.name(), state.status())
        {
            self.tokens.is_unheard(node.name());
            warn!(node = node.name(), %error, "http: status not written");
        }
        text(written)
    }

    /// Whether there may be others on a node who ask in its name. Until it has no power they still are, and it is said to be
    /// switched on before its BMC is asked. That it is on its way, or was never heard of, decides only where this very daemon
    /// would not hear of its firmware.
    pub(super) fn may_be_up(&self, node: &Node) -> bool {
        match node.get("status") {
            None | Some("powering-on") => self.arrivals.is_fed(),
            // The others that boot so are in the maintenance system.
            Some("booting") => matches!(State::of(node), State::Boot | State::Offline),
            Some(status) => has_users(status),
        }
    }
}

/// Whether a node with this status may have users by now, as far as that says: only these words tell that nobody is on it but what
/// says them. Others do not, of whoever they are: `sshd` of a look at it, `unknown` of one that was lost sight of.
fn has_users(status: &str) -> bool {
    const ALONE: [&str; 10] = [
        "netbooting",
        "postbooting",
        "installing",
        "installed",
        "discovering",
        "discovered",
        "configuring",
        "configured",
        "standingby",
        "bmcready",
    ];
    !ALONE.contains(&status)
}

/// Whether a node that was up and is in its firmware now begins a boot that somebody hears the end of: what boots from its disk does
/// not say that it is up again.
fn begins_anew(node: &Node) -> bool {
    node.get("status") != Some("booted") || !matches!(State::of(node), State::Boot | State::Offline)
}

/// Whether a node was installed and has not come up since.
fn awaits_first_start(node: &Node) -> bool {
    node.get("status") == Some("installed") && State::of(node) == State::Boot
}
