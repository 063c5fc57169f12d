//! BMCs by the hundred that speak Redfish, for scale and for faults: as its specification has it, written for this alone.
//!
//! They listen on port 443 of every address of 10.78.0.0/16 in a network namespace, all with one certificate. What they are
//! asked is done to a [`RedfishMachine`], which a test can look at.

pub(crate) mod certificate;
mod controller;
mod drive;
mod http;
mod machine;
mod service;
mod wire;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::certificate::Identity;
pub use self::controller::{RedfishController, RedfishUser};
pub use self::drive::{DriveManner, RedfishDrive};
use self::http::Asked;
pub use self::machine::RedfishMachine;
use self::service::{Saying, Service};
use crate::simulation::Simulation;

/// What is wrong with a BMC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedfishFault {
    /// Takes connections, and never says anything.
    Mute,
    /// Says everything so much later.
    Slow(Duration),
    /// Lets people in and out, and says nothing to what they ask between.
    Stuck,
    /// Breaks the connection instead of its next so many answers.
    Drops(u32),
    /// Does what it is told to do to the power, and breaks the connection instead of saying so.
    Forgets,
    /// Does what it is told to do to the power, says so, and breaks all connections from then on.
    Leaves,
    /// Lets in nobody, and says back what it was told.
    Echoes,
    /// Sends everybody who is logged in to another one.
    Redirects(Ipv4Addr),
    /// Ends the connection behind each answer.
    Closes,
    /// Has no free session for so many requests.
    Full(u32),
    /// Is busy for so many requests, and wants to be asked again after so many seconds.
    Busy(u32, Option<u64>),
    /// Knows no sessions, only accounts.
    NoSessions,
    /// Tells of sessions, and has none.
    LyingSessions,
    /// Changes nothing for those who do not say which version they have seen.
    Insists,
    /// Takes changes of itself, and does not keep them.
    Forgetful,
    /// Takes no password, and says back what it was told.
    Picky,
    /// Is not there: connections end before anything is said.
    Absent,
    /// Answers with what is no JSON.
    Garbage,
    /// Answers with JSON that is nested without end.
    Deep,
    /// Answers without end.
    Endless,
}

/// The BMCs of one network namespace; without a fault each is well. They are gone when this is dropped.
#[derive(Debug)]
pub struct RedfishBmcs {
    all: Arc<Mutex<Bmcs>>,
    wire: Option<Simulation>,
}

/// All of them.
#[derive(Debug)]
struct Bmcs {
    identity: Identity,
    each: HashMap<Ipv4Addr, Service>,
}

impl Bmcs {
    /// What the one at an address says. It may be elsewhere from then on.
    fn hear(&mut self, address: Ipv4Addr, asked: &Asked) -> Saying {
        let service = self.each.entry(address).or_default();
        service.machine.controller.address.get_or_insert(address);
        let saying = service.hear(asked);
        if let Some(to) = service.machine.controller.address.filter(|to| *to != address) {
            let moved = self.each.remove(&address).unwrap_or_default();
            self.each.insert(to, moved);
            self.each.entry(address).or_default().fault = Some(RedfishFault::Absent);
        }
        saying
    }
}

fn lock(all: &Mutex<Bmcs>) -> MutexGuard<'_, Bmcs> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RedfishBmcs {
    /// Starts them in the network namespace of a process, where all addresses of 10.78.0.0/16 have been made local.
    pub(crate) fn start(keeper: u32) -> crate::Result<Self> {
        let all = Arc::new(Mutex::new(Bmcs { identity: Identity::new()?, each: HashMap::new() }));
        let wire = wire::start(keeper, Arc::clone(&all))?;
        Ok(Self { all, wire: Some(wire) })
    }

    fn with<T>(&self, address: Ipv4Addr, look: impl FnOnce(&mut Service) -> T) -> T {
        look(lock(&self.all).each.entry(address).or_default())
    }

    /// Makes something wrong with one, or mends it.
    pub fn fault(&self, address: Ipv4Addr, fault: Option<RedfishFault>) {
        self.with(address, |bmc| bmc.fault = fault);
    }

    /// The machine behind one, as it is now.
    pub fn machine(&self, address: Ipv4Addr) -> RedfishMachine {
        self.with(address, |bmc| bmc.machine.clone())
    }

    /// Does something to the machine behind one.
    pub fn change(&self, address: Ipv4Addr, change: impl FnOnce(&mut RedfishMachine)) {
        self.with(address, |bmc| change(&mut bmc.machine));
    }

    /// Sessions that are open now, over all of them.
    pub fn sessions(&self) -> usize {
        lock(&self.all).each.values().map(Service::sessions).sum()
    }

    /// Their certificate in PEM; it is good for 10.78.0.1 to 10.78.0.9.
    pub fn certificate(&self) -> String {
        lock(&self.all).identity.certificate.clone()
    }

    /// Gives them another certificate.
    pub fn renew_certificate(&self) {
        let identity = crate::error::ok(Identity::new());
        lock(&self.all).identity = identity;
    }
}

impl Drop for RedfishBmcs {
    fn drop(&mut self) {
        drop(self.wire.take());
    }
}
