//! BMCs by the thousand in one thread, for scale and for faults: IPMI 2.0 as its specification has it, written for this alone.
//!
//! They listen on port 623 of every address of 10.78.0.0/16 in a network namespace. What they are asked is done to a [`Machine`], which a test can look at.

mod machine;
mod packets;
mod sessions;
mod settings;
mod wire;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use self::machine::Machine;
use self::sessions::Sessions;
pub use self::settings::Network;
use crate::simulation::Simulation;

/// What is wrong with a BMC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Never says anything.
    Dead,
    /// Says everything so much later.
    Slow(Duration),
    /// Hears only every n-th packet.
    Deaf(u32),
    /// Opens sessions, and says nothing to what follows.
    HalfOpen,
    /// Has no free session for so many requests.
    Full(u32),
    /// Is busy for so many commands.
    Busy(u32),
    /// Cannot do suite 17: says so.
    OnlySuite3,
    /// Does not even answer to suite 17.
    SilentOnSuite17,
    /// Answers with bytes that mean nothing.
    Garbage,
    /// Sends each answer twice.
    Twice,
    /// Says yes to new settings and keeps none.
    Forgetful,
    /// Ends all its sessions when it is told a password, which it keeps or not.
    EndsSessions { keeps: bool },
    /// Does what it is told with the power, and its answer to that is lost.
    Unheard,
}

/// The BMCs of one network namespace; without a fault each is well. They are gone when this is dropped.
#[derive(Debug)]
pub struct Bmcs {
    all: Arc<Mutex<HashMap<Ipv4Addr, Bmc>>>,
    wire: Option<Simulation>,
}

/// One of them.
#[derive(Debug)]
struct Bmc {
    machine: Machine,
    fault: Option<Fault>,
    heard: u32,
    sessions: Sessions,
}

fn lock(all: &Mutex<HashMap<Ipv4Addr, Bmc>>) -> MutexGuard<'_, HashMap<Ipv4Addr, Bmc>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The BMC at an address.
fn of(all: &mut HashMap<Ipv4Addr, Bmc>, address: Ipv4Addr) -> &mut Bmc {
    all.entry(address).or_insert_with(|| Bmc {
        machine: Machine::at(address),
        fault: None,
        heard: 0,
        sessions: Sessions::default(),
    })
}

/// Moves a BMC that was told to be elsewhere; nobody is where it was.
fn move_on(all: &mut HashMap<Ipv4Addr, Bmc>, from: Ipv4Addr) {
    let network = &of(all, from).machine.network;
    let to = network.address;
    if to == from || network.in_progress {
        return;
    }
    if let Some(bmc) = all.remove(&from) {
        all.insert(to, bmc);
        of(all, from).fault = Some(Fault::Dead);
    }
}

impl Bmcs {
    /// Starts them in the network namespace of a process, where all addresses of 10.78.0.0/16 have been made local.
    pub(crate) fn start(keeper: u32) -> crate::Result<Self> {
        let all = Arc::default();
        let wire = wire::start(keeper, Arc::clone(&all))?;
        Ok(Self { all, wire: Some(wire) })
    }

    /// Makes something wrong with one, or mends it.
    pub fn fault(&self, address: Ipv4Addr, fault: Option<Fault>) {
        of(&mut lock(&self.all), address).fault = fault;
    }

    /// The machine behind one, as it is now.
    pub fn machine(&self, address: Ipv4Addr) -> Machine {
        of(&mut lock(&self.all), address).machine.clone()
    }

    /// Does something to the machine behind one.
    pub fn change(&self, address: Ipv4Addr, change: impl FnOnce(&mut Machine)) {
        change(&mut of(&mut lock(&self.all), address).machine);
    }

    /// Sessions that are open now, over all of them.
    pub fn sessions(&self) -> usize {
        lock(&self.all).values().map(|bmc| bmc.sessions.count()).sum()
    }
}

impl Drop for Bmcs {
    fn drop(&mut self) {
        drop(self.wire.take());
    }
}

impl Bmc {
    /// The answers to a packet, and how late they are.
    fn hear(&mut self, packet: &[u8]) -> (Vec<Vec<u8>>, Duration) {
        self.heard += 1;
        let prompt = Duration::ZERO;
        match self.fault {
            Some(Fault::Dead) => return (vec![], prompt),
            Some(Fault::Deaf(n)) if !self.heard.is_multiple_of(n) => return (vec![], prompt),
            Some(Fault::Garbage) => {
                return (vec![packet.iter().rev().copied().collect(), vec![6, 0, 0xff, 7, 6]], prompt);
            }
            _ => (),
        }
        let Some(answer) = self.sessions.answer(packet, &mut self.fault, &mut self.machine) else {
            return (vec![], prompt);
        };
        match self.fault {
            Some(Fault::Slow(late)) => (vec![answer], late),
            Some(Fault::Twice) => (vec![answer.clone(), answer], prompt),
            _ => (vec![answer], prompt),
        }
    }
}
