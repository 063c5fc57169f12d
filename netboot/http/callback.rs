//! A node says how far it has come.

use std::time::SystemTime;

use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use tables::Node;
use tokio::time::timeout;

use super::token::Purpose;
use super::{ARRIVING, Answer, Ends, Server, empty, provision, status, unavailable};
use crate::events::Kind;
use crate::mac::Mac;
use crate::script::State;

/// What a node may say of itself (`nodelist.status`, in xCAT's words).
const STATUSES: &[&str] = &[
    "discovering",
    "discovered",
    "configuring",
    "configured",
    "standingby",
    "shell",
    "bmcready",
    "installing",
    "installed",
    "netbooting",
    "booting",
    "postbooting",
    "booted",
    "failed",
];
const LONGEST_STATUS: usize = 256;

impl Server {
    /// A node says how far it has come.
    pub(super) fn told(&self, mac: Mac, token: Option<String>, word: &str, ends: &Ends) -> Answer {
        let Some(token) = token else { return self.denied(ends, mac, StatusCode::UNAUTHORIZED) };
        let Some(word) = STATUSES.iter().copied().find(|known| *known == word) else {
            return status(StatusCode::BAD_REQUEST);
        };
        // What says it again because the answer was lost says nothing new.
        let purpose = if word == "booted" { Purpose::Booted } else { Purpose::Status };
        let node = match self.proven(mac, &token, purpose, ends) {
            Ok(node) => node,
            Err(unproven) => return self.denied(ends, mac, unproven),
        };
        let name = node.name();
        match self.is_of_an_earlier_boot(&node, &token) {
            Ok(false) => {}
            Ok(true) => return self.denied(ends, mac, StatusCode::FORBIDDEN),
            Err(error) => return unavailable(&error),
        }
        // Who has not booted since has not done the step that is set now, and who says it again has done no other one.
        let came_up = word == "booted"
            && node.get("status") != Some("booted")
            && self.tokens.accepts(name, &token, Purpose::Status, SystemTime::now());
        if word == "installed"
            && provision::is_installed(&node)
            && let Err(error) = self.site.installed(name)
        {
            return unavailable(&error);
        }
        if let Err(error) = self.site.record(name, word) {
            return unavailable(&error);
        }
        self.events.tell(|| ends.event(Kind::Status, word).of(mac).node(Some(name)));
        // Of one that has failed to do all that was to be done the same holds: somebody may be on it. In the maintenance system
        // nobody is, and it asks what comes then.
        if word == "booted" || word == "failed" && !State::of(&node).is_maintenance() {
            self.tokens.is_up(name);
            self.arrivals.take(mac);
        }
        if came_up {
            self.came_up(name, mac, ends);
        }
        empty(StatusCode::NO_CONTENT)
    }

    /// Whether a token is of a boot before the one that a node is switched on for. With the script of that its status goes on, unless
    /// it could not be written then.
    fn is_of_an_earlier_boot(&self, node: &Node, token: &str) -> tables::Result<bool> {
        let begins = node.get("status") == Some("powering-on") && self.site.keeps_statuses()?;
        Ok(begins && !self.tokens.was_unheard(node.name(), token))
    }
}

/// The word in the body of a request.
pub(super) async fn said(body: Incoming) -> Result<String, StatusCode> {
    let arriving = timeout(ARRIVING, Limited::new(body, LONGEST_STATUS).collect()).await;
    let body = arriving.map_err(|_| StatusCode::REQUEST_TIMEOUT)?.map_err(|_| StatusCode::BAD_REQUEST)?;
    let bytes = body.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).trim().trim_start_matches("status=").to_owned())
}
