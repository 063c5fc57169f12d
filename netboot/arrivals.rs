//! Machines that are in their firmware at this moment: DHCP hears of them, and HTTP asks before it takes a request for a boot.
//!
//! A node that is up may have users, and each of them can ask for its script. What only its firmware, its kernel or somebody who
//! owns its wire can send is a packet of DHCP without an address of its own, from a port below 1024.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::mac::Mac;

/// How long after its packet firmware fetches its script; iPXE does so within seconds, or after it has waited for a router.
const WITHIN: Duration = Duration::from_secs(60);

/// Nodes' machines that were heard of; strangers are none, so that a flood of them takes no memory.
#[derive(Debug, Default)]
pub struct Arrivals {
    machines: Mutex<HashMap<Mac, Instant>>,
    is_fed: AtomicBool,
}

impl Arrivals {
    /// From now on it is told of every machine that boots, and statuses are written.
    pub fn feed(&self) {
        self.is_fed.store(true, Ordering::Relaxed);
    }

    /// Whether one that it was not told of does not boot: not so beside a DHCP server of the site's own.
    pub(crate) fn is_fed(&self) -> bool {
        self.is_fed.load(Ordering::Relaxed)
    }

    /// The machine of a node is in its firmware, or in the maintenance system.
    pub(crate) fn saw(&self, mac: Mac) {
        self.seen().insert(mac, Instant::now());
    }

    /// Whether it was there just now, which whoever asks next is told, too.
    pub(crate) fn has(&self, mac: Mac) -> bool {
        self.seen().get(&mac).is_some_and(|since| since.elapsed() <= WITHIN)
    }

    /// Whether it was there just now. One packet stands for one boot: whoever asks next is told no.
    pub(crate) fn take(&self, mac: Mac) -> bool {
        self.seen().remove(&mac).is_some_and(|since| since.elapsed() <= WITHIN)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Mac, Instant>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_stands_for_one_boot_and_not_for_long() {
        let (arrivals, mac) = (Arrivals::default(), Mac([2; 6]));
        assert!(!arrivals.has(mac) && !arrivals.take(mac));
        arrivals.saw(mac);
        assert!(arrivals.has(mac) && arrivals.take(mac) && !arrivals.has(mac) && !arrivals.take(mac));
        arrivals.saw(mac);
        let long_ago = Instant::now().checked_sub(WITHIN + Duration::from_secs(1));
        *arrivals.seen().get_mut(&mac).unwrap() = long_ago.expect("this machine has run for a minute");
        assert!(!arrivals.has(mac) && !arrivals.take(mac));
    }
}
