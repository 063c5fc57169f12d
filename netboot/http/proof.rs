//! Whether who asks is the node in whose name he does: he has its token, and calls from where the node is.

use std::net::IpAddr;
use std::time::SystemTime;

use hyper::StatusCode;
use tables::{Node, nics};
use tracing::warn;

use super::token::Purpose;
use super::{Answer, Ends, Server, chain, neighbour, status};
use crate::events::{Kind, subject};
use crate::mac::Mac;
use crate::script::State;

/// Who asks has not proved to be the node.
#[derive(Debug)]
pub(super) struct Unproven {
    code: StatusCode,
    /// What the log says beside that.
    why: &'static str,
}

impl From<StatusCode> for Unproven {
    fn from(code: StatusCode) -> Self {
        Self { code, why: "" }
    }
}

impl Server {
    /// The node that has the address and the token.
    pub(super) fn proven(&self, mac: Mac, token: &str, purpose: Purpose, ends: &Ends) -> Result<Node, Unproven> {
        let node = self.site.node_of(mac).map_err(|error| {
            warn!(%mac, error = %chain(&error), "http: cannot answer");
            StatusCode::SERVICE_UNAVAILABLE
        })?;
        // The table also tells a daemon that has started since.
        let node = node.filter(|node| match purpose {
            Purpose::Booted => true,
            Purpose::Step => !is_up(node) || switches_itself_off(node),
            Purpose::Status | Purpose::Files => !is_up(node),
        });
        let node = node.filter(|node| self.tokens.accepts(node.name(), token, purpose, SystemTime::now()));
        // Whether there is such a node is nobody's business.
        let node = node.ok_or(StatusCode::FORBIDDEN)?;
        match self.is_of(&node, ends.client.ip()) {
            true => Ok(node),
            false => Err(Unproven {
                code: StatusCode::FORBIDDEN,
                why: ", with its token, from an address that is not its own",
            }),
        }
    }

    /// Whether an address is the node's: by the tables, by the lease of one of its cards, because its token was given to it
    /// there, or because the kernel has one of its cards for a neighbour there. Behind a router all but the last counts.
    fn is_of(&self, node: &Node, client: IpAddr) -> bool {
        let is_client = |text: &str| text.parse::<IpAddr>().is_ok_and(|address| address == client);
        let own = node.get("ip").is_some_and(is_client)
            || nics::ports(node).any(|port| port.places.iter().any(|place| is_client(place.address)));
        let macs = || nics::macs(node.get("mac").unwrap_or_default()).filter_map(|(mac, _)| mac.parse::<Mac>().ok());
        own || self.tokens.was_given_to(node.name(), client)
            || neighbour::neighbour_at(client).is_some_and(|there| macs().any(|mac| mac == there))
            || macs().any(|mac| self.site.is_leased(mac, client).unwrap_or(false))
    }

    /// Who asks did not prove to be the node; what is told stands to the account of whoever has that address.
    pub(super) fn denied(&self, ends: &Ends, mac: Mac, unproven: impl Into<Unproven>) -> Answer {
        let Unproven { code, why } = unproven.into();
        if code != StatusCode::SERVICE_UNAVAILABLE {
            let event = || ends.event(Kind::Denied, subject::TOKEN).detail(format_args!("as {mac}: {code}{why}"));
            self.events.tell(event);
        }
        status(code)
    }
}

/// Whether a node has come up, by what is known of it last.
fn is_up(node: &Node) -> bool {
    matches!(node.get("status"), Some("booted" | "failed" | "sshd" | "powering-off"))
}

/// Whether it is switched off by the maintenance system, on which there are no users.
fn switches_itself_off(node: &Node) -> bool {
    node.get("status") == Some(State::Shutdown.status()) && State::of(node) == State::Shutdown
}
