//! Backend `redfish`: a node is a server with a BMC that speaks Redfish (DSP0266) over HTTPS.
//!
//! Reading order: `document` (what BMCs write), `quirks` (in what they differ) and `reading` (what they measure), all pure; then `trust` (whom we speak
//! to), `line` (one connection), `session` (logging in, asking, leaving), `machine`; then one file a capability.

mod accounts;
mod beacon;
mod boot;
mod console;
mod controller;
mod discovery;
mod document;
mod eventlog;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod interface;
mod inventory;
mod line;
mod machine;
mod media;
#[cfg(test)]
mod odd;
mod power;
mod quirks;
mod reading;
mod sensors;
mod session;
mod trust;

use std::sync::Arc;

use tables::Node;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use self::machine::Machine;
use self::session::{Limits, Session, Target};
use self::trust::Trust;
use crate::bmc::place::Place;
use crate::ipmi::Ipmi;
use crate::registry::Account;
use crate::{
    Backend, Beacon, Boot, Console, Controller, Discovery, EventLog, Inventory, Media, Power, Result, Sensors, Settings,
};

const NAME: &str = "redfish";
const PORT: u16 = 443;
/// Each node takes a connection, and some work to encrypt it.
const AT_ONCE: usize = 1024;
/// Strangers that are asked at once who they are.
const INTRODUCTIONS: usize = 256;

/// BMCs; a session is opened for each thing that is asked, and closed in the background.
pub(crate) struct Redfish {
    limits: Limits,
    account: Option<Account>,
    trust: Arc<Trust>,
    /// For those who are only asked who they are, or are told who we are whoever they are.
    strangers: Arc<Trust>,
    introductions: Semaphore,
    endings: TaskTracker,
    /// For consoles: a BMC has that of its machine through others than Redfish.
    ipmi: Ipmi,
    settings: Settings,
}

impl Redfish {
    pub(crate) fn new(settings: &Settings, endings: &TaskTracker) -> Self {
        Self {
            limits: Limits { connect: settings.connect_limit, request: settings.request_limit },
            account: settings.redfish.account.clone(),
            trust: Trust::new(&settings.redfish).into(),
            strangers: Trust::blind().into(),
            introductions: Semaphore::new(INTRODUCTIONS),
            endings: endings.clone(),
            ipmi: Ipmi::new(settings, endings),
            settings: settings.clone(),
        }
    }

    /// What the definition of a node says of its BMC.
    fn place<'a>(&self, node: &'a Node) -> Result<Place<'a>> {
        Place::of(node, self.account.as_ref(), PORT, "redfish or ipmi")
    }

    /// The machine of `node`, through a session with its BMC.
    async fn machine(&self, node: &Node) -> Result<Machine> {
        let session = self.open(&self.target(node).await?).await?;
        Machine::find(session, node.name()).await
    }

    async fn target(&self, node: &Node) -> Result<Target> {
        let place = self.place(node)?;
        let (name, host, address) = (place.name(), place.host.to_owned(), place.address(self.limits.connect).await?);
        Ok(Target { name, host, address, user: place.user, password: place.password })
    }

    async fn open(&self, target: &Target) -> Result<Session> {
        Session::open(target.clone(), &self.trust, self.limits, &self.endings).await
    }
}

/// Whether the definition says all that is needed to ask a BMC.
fn check(redfish: &Redfish, node: &Node) -> Result<()> {
    redfish.place(node).map(drop)
}

impl Backend for Redfish {
    fn name(&self) -> &'static str {
        NAME
    }

    fn beside_fanout(&self) -> usize {
        AT_ONCE
    }

    fn power(&self) -> Option<&dyn Power> {
        Some(self)
    }

    fn boot(&self) -> Option<&dyn Boot> {
        Some(self)
    }

    fn media(&self) -> Option<&dyn Media> {
        Some(self)
    }

    fn inventory(&self) -> Option<&dyn Inventory> {
        Some(self)
    }

    fn sensors(&self) -> Option<&dyn Sensors> {
        Some(self)
    }

    fn event_log(&self) -> Option<&dyn EventLog> {
        Some(self)
    }

    fn console(&self) -> Option<&dyn Console> {
        Some(self)
    }

    fn beacon(&self) -> Option<&dyn Beacon> {
        Some(self)
    }

    fn controller(&self) -> Option<&dyn Controller> {
        Some(self)
    }

    fn discovery(&self) -> Option<&dyn Discovery> {
        Some(self)
    }
}
