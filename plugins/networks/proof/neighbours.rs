//! The kernel's table of neighbours. All networks of a host share it, those within containers too, and it is small: when it
//! is full, whoever would be new in it is not reached, whichever container asks.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;

/// Hosts whose tables, which are of one size, are smaller than what has to be in them at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crowded {
    /// Their names, folded.
    pub hosts: String,
    /// How many a table holds.
    pub limit: u32,
    /// How many the probes would put into the fullest. Each stays for half a minute at least, whatever else is in need of it.
    pub needed: usize,
    /// What makes the tables large enough.
    pub mend: String,
}

/// The hosts that cannot be asked all of a plan at once: their tables would overflow, and then not only probes are lost but
/// also what the containers have to do.
pub fn crowded(plan: &Plan) -> Vec<Crowded> {
    let mut by_limit: BTreeMap<u32, (Vec<String>, usize)> = BTreeMap::new();
    for (host, needed) in needed(plan) {
        let table = plan.surveys.get(host).and_then(|survey| survey.neighbours.as_ref());
        if let Some(table) = table.filter(|table| needed >= table.limit as usize) {
            let (hosts, most) = by_limit.entry(table.limit).or_default();
            hosts.push(host.to_owned());
            *most = needed.max(*most);
        }
    }
    let crowded = by_limit.into_iter().map(|(limit, (hosts, needed))| {
        let hosts = tables::noderange::fold(&hosts);
        Crowded { mend: mend(&hosts, limit, needed), hosts, limit, needed }
    });
    crowded.collect()
}

/// How many neighbours the stations of each host get: whom they ask, and who asks them.
fn needed(plan: &Plan) -> BTreeMap<&str, usize> {
    let mut met: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for link in &plan.links {
        met.entry(link.from).or_default().insert(link.to);
        met.entry(link.to).or_default().insert(link.from);
    }
    let mut needed = BTreeMap::new();
    for (station, others) in met {
        *needed.entry(plan.stations[station].host.as_str()).or_default() += others.len();
    }
    needed
}

/// A limit that leaves as much room again.
pub(super) fn mend(host: &str, limit: u32, needed: usize) -> String {
    let least = (limit as usize).max(needed) * 2;
    let setting = format!("net.ipv4.neigh.default.gc_thresh3={}", least.next_power_of_two());
    format!("xdsh {host} sysctl -w {setting}, and the same in /etc/sysctl.d")
}

/// What its stations would need if all of them talked to all.
pub(super) fn needed_by_all(plan: &Plan, host: &str) -> usize {
    let of_containers = plan.stations.iter().filter(|station| station.container.is_some());
    let (all, own) =
        of_containers.fold((0, 0), |(all, own), station| (all + 1, own + usize::from(station.host == host)));
    own * (all.max(1) - 1)
}

#[cfg(test)]
mod tests {
    use super::super::Samples;
    use super::super::tests::planned;
    use super::*;
    use crate::networks::survey::Neighbours;

    fn holding(limit: u32, samples: Samples) -> Plan {
        let mut plan = planned(&[4, 4, 4], samples);
        let neighbours = Some(Neighbours { limit, entries: 2, overflows: 7 });
        plan.surveys.values_mut().for_each(|survey| survey.neighbours.clone_from(&neighbours));
        plan
    }

    #[test]
    fn hosts_are_not_asked_for_more_than_their_tables_hold() {
        // Each host has two others as neighbours, and each of its four containers eleven.
        assert_eq!(crowded(&holding(47, Samples::All)), []);
        let all = crowded(&holding(46, Samples::All));
        assert_eq!((all.len(), all[0].hosts.as_str(), all[0].limit, all[0].needed), (1, "h[1-3]", 46, 46));
        assert_eq!(
            all[0].mend,
            "xdsh h[1-3] sysctl -w net.ipv4.neigh.default.gc_thresh3=128, and the same in /etc/sysctl.d"
        );
        assert_eq!(crowded(&holding(46, Samples::Some(1))), []);
        assert_eq!(crowded(&planned(&[4, 4, 4], Samples::All)), [], "of hosts that do not tell");
        assert_eq!(needed_by_all(&holding(1, Samples::Some(1)), "h1"), 44);
    }
}
