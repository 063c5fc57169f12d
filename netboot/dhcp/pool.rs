//! Which unknown machine has which address of a dynamic range: offered, leased, or refused by the machine itself.
//!
//! A machine is its hardware address: it asks under three identities in one boot. It has one address at a time, and gets
//! the same one again as long as nobody else needed it.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use tables::Lease;

use super::subnet::Subnet;
use crate::mac::Mac;

/// How long an offered address waits for the machine to take it, and how long nobody gets one that is in use by somebody
/// else; in seconds.
const OFFER: u64 = 60;
const DECLINED: u64 = 3_600;

/// The addresses that are or were given to somebody.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    held: HashMap<Ipv4Addr, Held>,
    of: HashMap<Mac, Ipv4Addr>,
    /// Where the next search for a free address begins, by the first address of a range.
    next: HashMap<Ipv4Addr, Ipv4Addr>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    /// None holds it for nobody.
    by: Option<Mac>,
    /// In seconds since 1970 began.
    until: u64,
}

impl Pool {
    /// With the leases that were written down.
    pub(crate) fn new(leases: &[Lease]) -> Self {
        let mut pool = Self::default();
        let mut leases: Vec<&Lease> = leases.iter().collect();
        // Of several that somebody has written for one machine, the last counts.
        leases.sort_by_key(|lease| lease.until);
        for lease in leases {
            if let Ok(mac) = lease.mac.parse() {
                pool.hold(lease.ip, Some(mac), lease.until);
            }
        }
        pool
    }

    /// The address for a machine: the one it has or had, else the one it wants, else one that is free, else one whose
    /// lease has ended. `may` has the last word on each.
    pub(crate) fn choose(
        &mut self,
        mac: Mac,
        wanted: Option<Ipv4Addr>,
        subnet: &Subnet,
        now: u64,
        may: impl Fn(Ipv4Addr) -> bool,
    ) -> Option<Ipv4Addr> {
        let may = |address: Ipv4Addr| subnet.is_dynamic(address) && may(address);
        let own = self.of.get(&mac).copied().filter(|address| may(*address));
        let wanted = wanted.filter(|address| may(*address) && self.is_free(*address, now));
        own.or(wanted)
            .or_else(|| self.search(subnet, |pool, address| may(address) && !pool.held.contains_key(&address)))
            .or_else(|| self.search(subnet, |pool, address| may(address) && pool.is_free(address, now)))
    }

    /// Keeps an address for the machine that it was offered to.
    pub(crate) fn offer(&mut self, mac: Mac, address: Ipv4Addr, now: u64) {
        let until = self.held.get(&address).filter(|held| held.by == Some(mac)).map_or(0, |held| held.until);
        self.hold(address, Some(mac), until.max(now + OFFER));
    }

    /// The address is the machine's until then.
    pub(crate) fn lease(&mut self, mac: Mac, address: Ipv4Addr, until: u64) {
        self.hold(address, Some(mac), until);
    }

    /// A lease is an offer again: it could not be written down.
    pub(crate) fn withdraw(&mut self, mac: Mac, address: Ipv4Addr, now: u64) {
        self.hold(address, Some(mac), now + OFFER);
    }

    /// The machine does without its address; false if it had not this one.
    pub(crate) fn release(&mut self, mac: Mac, address: Ipv4Addr) -> bool {
        let is_own = self.of.get(&mac) == Some(&address);
        if is_own {
            self.of.remove(&mac);
            self.held.remove(&address);
        }
        is_own
    }

    /// The machine has found that another uses the address; false if it had not this one.
    pub(crate) fn decline(&mut self, mac: Mac, address: Ipv4Addr, now: u64) -> bool {
        let is_own = self.release(mac, address);
        if is_own {
            self.hold(address, None, now + DECLINED);
        }
        is_own
    }

    fn is_free(&self, address: Ipv4Addr, now: u64) -> bool {
        self.held.get(&address).is_none_or(|held| held.until <= now)
    }

    fn hold(&mut self, address: Ipv4Addr, by: Option<Mac>, until: u64) {
        if let Some(before) = self.held.insert(address, Held { by, until })
            && before.by != by
            && let Some(mac) = before.by
        {
            self.of.remove(&mac);
        }
        if let Some(mac) = by
            && let Some(other) = self.of.insert(mac, address).filter(|other| *other != address)
        {
            self.held.remove(&other);
        }
    }

    /// The first address that is good, from where the last search ended, so that a full range is not gone through for
    /// each of a thousand machines.
    fn search(&mut self, subnet: &Subnet, good: impl Fn(&Self, Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        let found = subnet.dynamic.iter().find_map(|(first, last)| {
            let (first, last) = (u32::from(*first), u32::from(*last));
            let start = self.next.get(&first.into()).map_or(first, |next| u32::from(*next).clamp(first, last));
            let mut all = (start..=last).chain(first..start).map(Ipv4Addr::from);
            let found = all.find(|address| good(self, *address))?;
            Some((first, if u32::from(found) == last { first } else { u32::from(found) + 1 }, found))
        });
        let (range, next, found) = found?;
        self.next.insert(range.into(), next.into());
        Some(found)
    }
}
