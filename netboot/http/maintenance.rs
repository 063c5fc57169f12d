//! What the maintenance system asks for: who it is, what to do now, and what comes then. An answer is lines of a word and what belongs
//! to it.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{StatusCode, Uri};
use tables::Node;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;

use super::token::Purpose;
use super::{ARRIVING, Answer, Ends, Server, chain, neighbour, status, text, unavailable, waiting};
use crate::discovery::{Director, LONGEST, Report, Trouble, Verdict, is_between, step_id};
use crate::events::{Kind, subject};
use crate::limit::Limit;
use crate::mac::Mac;
use crate::script::State;

/// Reports that are decided on at once; more wait, and those that wait too long are asked to come again.
const AT_ONCE: usize = 64;
const WAITING: Duration = Duration::from_secs(10);
/// So many reports of one machine are heard at once, and one more after so long.
const REPORTS: u32 = 20;
const EACH: Duration = Duration::from_millis(200);
/// After how many seconds a machine that is nobody's says again what it is.
const AGAIN: u32 = 10;

/// Who decides, and how much is asked of him.
pub(super) struct Discovery {
    director: Arc<dyn Director>,
    places: Semaphore,
    limit: Mutex<Limit<Mac>>,
    since: Instant,
}

impl Discovery {
    pub(super) fn new(director: Arc<dyn Director>) -> Self {
        Self {
            director,
            places: Semaphore::new(AT_ONCE),
            limit: Mutex::new(Limit::new(REPORTS, EACH)),
            since: Instant::now(),
        }
    }

    /// Forgets who has reported.
    #[cfg(any(test, fuzzing))]
    pub(super) fn forget(&self) {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = Limit::new(REPORTS, EACH);
    }

    fn allows(&self, mac: Mac) -> bool {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner).allows(mac, self.since.elapsed())
    }
}

/// What stands behind the `?` of an address.
#[derive(Debug, Default)]
pub(super) struct Query {
    token: String,
    id: String,
}

impl Query {
    pub(super) fn of(uri: &Uri) -> Self {
        let mut query = Self::default();
        for (word, value) in uri.query().unwrap_or_default().split('&').filter_map(|part| part.split_once('=')) {
            match word {
                "token" => value.clone_into(&mut query.token),
                "id" => value.clone_into(&mut query.id),
                _ => (),
            }
        }
        query
    }
}

impl Server {
    /// A machine says what it is. It is heard only at the address that it has by the kernel's word or by that of DHCP: nobody
    /// reports another machine. One that has become a node by then says so by its token.
    pub(super) async fn discover(self: Arc<Self>, mac: Mac, query: Query, ends: Ends, body: Incoming) -> Answer {
        let Some(discovery) = &self.discovery else { return status(StatusCode::NOT_FOUND) };
        if !discovery.allows(mac) {
            return status(StatusCode::TOO_MANY_REQUESTS);
        }
        let body = match timeout(ARRIVING, Limited::new(body, LONGEST).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => return status(StatusCode::PAYLOAD_TOO_LARGE),
            Err(_) => return status(StatusCode::REQUEST_TIMEOUT),
        };
        let report = match Report::read(mac, &body) {
            Ok(report) => report,
            Err(unfit) => {
                let event = || ends.event(Kind::Denied, subject::REPORT).detail(format_args!("as {mac}: {unfit}"));
                self.events.tell(event);
                return status(StatusCode::BAD_REQUEST);
            }
        };
        let Ok(Ok(_place)) = timeout(WAITING, discovery.places.acquire()).await else {
            return status(StatusCode::SERVICE_UNAVAILABLE);
        };
        let server = self.clone();
        waiting(move || server.reported(mac, &query, ends, report)).await
    }

    fn reported(&self, mac: Mac, query: &Query, ends: Ends, report: Report) -> Answer {
        let Some(discovery) = &self.discovery else { return status(StatusCode::NOT_FOUND) };
        let client = ends.client.ip();
        if !neighbour::is_beside(mac, client) && !self.site.is_leased(mac, client).unwrap_or(false) {
            let event =
                || ends.event(Kind::Denied, subject::REPORT).detail(format_args!("as {mac}, which is elsewhere"));
            self.events.tell(event);
            return status(StatusCode::FORBIDDEN);
        }
        let known = match self.site.node_of(mac) {
            Ok(known) => known,
            Err(error) => return unavailable(&error),
        };
        // It goes on with the token that it has.
        if let Ok(node) = self.proven(mac, &query.token, Purpose::Status, &ends) {
            let event = || ends.event(Kind::Reported, subject::NODE).of(mac).node(Some(node.name()));
            self.events.tell(event);
            return match discovery.director.reported(report) {
                Ok(_) => text(Ok(format!("node {}\n", node.name()))),
                Err(trouble) => unavailable(&*trouble),
            };
        }
        // What is up reports nothing; its users may.
        let arrives = self.arrivals.take(mac);
        if let Some(node) = known.filter(|node| self.may_be_up(node) && !arrives) {
            let name = node.name();
            let event = || ends.event(Kind::Denied, subject::REPORT).of(mac).node(Some(name));
            self.events.tell(|| event().detail("it is up already"));
            return text(Ok(format!(
                "why {name} is up, by its status; rpower {name} boot says otherwise\nwait {AGAIN}\n"
            )));
        }
        let event = |subject| ends.event(Kind::Reported, subject).of(mac);
        let verdict = discovery.director.reported(report);
        // It says so again until it hears what it is, and may have become a node by then.
        match &verdict {
            Ok(Verdict::Node(_)) => self.arrivals.saw(mac),
            Ok(Verdict::Nobody(_)) => self.arrivals.saw_stranger(mac),
            Err(_) => {}
        }
        match verdict {
            Ok(Verdict::Node(name)) => {
                let node = self.site.node_of(mac).ok().flatten();
                let is_other = node.is_none_or(|node| node.name() != name);
                let token = self.tokens.give(&name, is_other, client, SystemTime::now());
                self.events.tell(|| event(subject::NODE).node(Some(&name)));
                text(Ok(format!("node {name}\ntoken {token}\n")))
            }
            Ok(Verdict::Nobody(why)) => {
                self.events.tell(|| event(subject::NOBODY).detail(&why));
                text(Ok(format!("why {why}\nwait {AGAIN}\n")))
            }
            Err(trouble) => unavailable(&*trouble),
        }
    }

    /// What a node in the maintenance system is to do now.
    pub(super) fn step(&self, mac: Mac, query: &Query, ends: &Ends) -> Answer {
        match self.proven(mac, &query.token, Purpose::Step, ends) {
            Ok(node) if is_between(&node) => self.go_on(mac, &node, &step_id(&node), ends),
            Ok(node) => told(&node),
            Err(unproven) => self.denied(ends, mac, unproven),
        }
    }

    /// A node has done a step; it is told the next one.
    pub(super) fn done(&self, mac: Mac, query: &Query, ends: &Ends) -> Answer {
        match self.proven(mac, &query.token, Purpose::Step, ends) {
            Ok(node) => self.go_on(mac, &node, &query.id, ends),
            Err(unproven) => self.denied(ends, mac, unproven),
        }
    }

    fn go_on(&self, mac: Mac, node: &Node, id: &str, ends: &Ends) -> Answer {
        match self.advance(mac, node, id, ends) {
            Ok(node) => told(&node),
            Err(trouble) => {
                self.failed(mac, node.name(), &*trouble, ends);
                told(node)
            }
        }
    }

    /// A step that cannot be begun stops the chain there; who looks for the node finds that it has failed.
    fn failed(&self, mac: Mac, name: &str, why: &(dyn Error + 'static), ends: &Ends) {
        let event = || ends.event(Kind::Status, "failed").of(mac).node(Some(name));
        self.events.tell(|| event().detail(format_args!("its next step cannot be begun: {}", chain(why))));
        if let Err(error) = self.site.record(name, "failed") {
            warn!(node = name, %error, "http: status not written");
        }
    }

    /// Goes to the step after the one with that id; the node as it is then.
    fn advance(&self, mac: Mac, node: &Node, id: &str, ends: &Ends) -> Result<Node, Trouble> {
        let Some(discovery) = &self.discovery else { return Ok(node.clone()) };
        let before = State::of(node);
        discovery.director.done(node.name(), id)?;
        let node = self.site.node_of(mac)?.unwrap_or_else(|| node.clone());
        let state = State::of(&node);
        if state != before {
            let ended = state == State::Standby && node.get("currchain").is_none();
            let has_run = matches!(before, State::Runcmd(_) | State::Runimage(_));
            let now = match before {
                _ if ended && has_run => "configured",
                // It is off in a moment, and begins what comes next when somebody switches it on.
                State::Shutdown => before.status(),
                _ => state.status(),
            };
            let event = || ends.event(Kind::Status, now).of(mac).node(Some(node.name()));
            self.events.tell(|| event().detail(format_args!("{before} is done, next is {state}")));
            self.site.record(node.name(), now)?;
        }
        Ok(node)
    }

    /// A node that begins to boot has rebooted; what it is then if it was to do that, or was between two steps.
    pub(super) fn begun(&self, mac: Mac, node: &Node, ends: &Ends) -> Option<Node> {
        if State::of(node) != State::Reboot && !is_between(node) {
            return None;
        }
        match self.advance(mac, node, &step_id(node), ends) {
            Ok(node) => Some(node),
            Err(trouble) => {
                self.failed(mac, node.name(), &*trouble, ends);
                None
            }
        }
    }

    /// A node that is up by its image has done that step, if others follow.
    pub(super) fn came_up(&self, name: &str, mac: Mac, ends: &Ends) {
        let node = self.site.node_of(mac).ok().flatten();
        let node = node.filter(|node| node.name() == name && node.get("currchain").is_some());
        let Some((discovery, node)) = self.discovery.as_ref().zip(node) else { return };
        if matches!(State::of(&node), State::Image { .. })
            && let Err(trouble) = discovery.director.done(name, &step_id(&node))
        {
            self.failed(mac, name, &*trouble, ends);
        }
    }
}

fn told(node: &Node) -> Answer {
    let (word, what) = match State::of(node) {
        State::Runcmd(command) => ("runcmd", command),
        State::Runimage(address) => ("runimage", address),
        State::Shell => ("shell", String::new()),
        State::Standby | State::Discover => ("standby", String::new()),
        State::Shutdown => ("shutdown", String::new()),
        // What the maintenance system cannot do begins with the firmware.
        State::Image { .. } | State::Boot | State::Offline | State::Reboot => ("reboot", String::new()),
    };
    let what: String = what.split(char::is_control).collect::<Vec<_>>().join(" ");
    text(Ok(format!("id {}\ndo {word}\nwhat {what}\n", step_id(node))))
}
