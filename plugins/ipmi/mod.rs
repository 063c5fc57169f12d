//! Backend `ipmi`: a node is a server with a BMC that speaks IPMI 2.0 over the network.
//!
//! Reading order, all pure: `reader`, `cipher`, `packet` (RMCP+), `plain` (outside of sessions), `message` (IPMI),
//! `completion`, `handshake` (RAKP), `window`, `sol` (serial over LAN); then `wire` (a few sockets for all), `target`
//! (attributes → whom), `login`, `session`; then what is asked: `chassis`, `identity`, `makers`, `fru`, `sel`, `reading`, `sdr`,
//! `lan`, `account`; then one file a capability.

mod account;
mod beacon;
mod boot;
mod chassis;
mod cipher;
mod completion;
mod console;
mod controller;
mod discovery;
mod eventlog;
mod fru;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod handshake;
mod identity;
mod inventory;
mod lan;
mod login;
mod makers;
mod message;
mod packet;
mod plain;
mod power;
mod reader;
mod reading;
mod sdr;
mod sel;
mod sensors;
mod session;
mod sol;
mod target;
mod window;
mod wire;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tables::Node;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use self::session::Session;
use self::target::Definition;
pub(crate) use self::target::{PORT, Target};
use self::wire::Wire;
use crate::bmc::pauses;
use crate::registry::Account;
use crate::{
    Backend, Beacon, Boot, Console, Controller, Discovery, EventLog, Inventory, Power, Result, Sensors, Settings,
};

const NAME: &str = "ipmi";

/// BMCs; a session is opened for each thing that is asked, and closed in the background.
pub(crate) struct Ipmi {
    wire: Wire,
    /// For finding a BMC and logging in, and again for each command.
    limit: Duration,
    account: Option<Account>,
    endings: TaskTracker,
    orphans: Orphans,
}

/// Sessions of ours that were cut off with a console, by where the BMC is, and since when. It keeps the console for them
/// until it has forgotten them; what has their number later is somebody else's.
#[derive(Debug, Clone, Default)]
struct Orphans(Arc<Mutex<HashMap<SocketAddr, (u32, Instant)>>>);

/// After this a BMC has forgotten a silent session, by the specification.
const FORGOTTEN: Duration = Duration::from_secs(60);

impl Orphans {
    fn add(&self, bmc: SocketAddr, session: Option<u32>, now: Instant) {
        if let Some(session) = session {
            self.all().insert(bmc, (session, now));
        }
    }

    fn has(&self, bmc: SocketAddr, session: Option<u32>, now: Instant) -> bool {
        let all = self.all();
        let known = all.get(&bmc).filter(|(_, since)| now.duration_since(*since) < FORGOTTEN);
        session.is_some() && known.map(|(known, _)| *known) == session
    }

    /// The console is somebody's again.
    fn remove(&self, bmc: SocketAddr) {
        self.all().remove(&bmc);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<SocketAddr, (u32, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ipmi {
    pub(crate) fn new(settings: &Settings, endings: &TaskTracker) -> Self {
        let (limit, account) = (settings.connect_limit, settings.bmc_account.clone());
        Self { wire: Wire::default(), limit, account, endings: endings.clone(), orphans: Orphans::default() }
    }

    /// A session with the BMC of `node`.
    async fn session(&self, node: &Node) -> Result<Session> {
        self.open(&self.target(node).await?).await
    }

    async fn target(&self, node: &Node) -> Result<Target> {
        Definition::of(node, self.account.as_ref())?.target(self.limit).await
    }

    async fn open(&self, target: &Target) -> Result<Session> {
        Session::open(&self.wire, target, self.limit, &self.endings).await
    }
}

/// Whether the definition says all that is needed to ask a BMC.
fn check(ipmi: &Ipmi, node: &Node) -> Result<()> {
    Definition::of(node, ipmi.account.as_ref()).map(drop)
}

impl Backend for Ipmi {
    fn name(&self) -> &'static str {
        NAME
    }

    fn beside_fanout(&self) -> usize {
        usize::MAX
    }

    fn power(&self) -> Option<&dyn Power> {
        Some(self)
    }

    fn boot(&self) -> Option<&dyn Boot> {
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
