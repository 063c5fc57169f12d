//! The hosts that all others miss, or reach by small packets only, while these reach each other: whatever it is, it is on the
//! way to that one host, where no host can look.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnosis::Cause;
use super::faults::outlet;
use super::probe::Passed;
use super::{Link, Plan};
use crate::networks::vxlan;

/// How links from host to host did.
#[derive(Debug, Clone, Copy, Default)]
struct Between {
    passes: bool,
    breaks: bool,
    small: bool,
}

/// The hosts that are alone, by host; true of those that small packets still reach.
#[derive(Debug, Default)]
pub(super) struct Alone {
    /// By the hosts' own links.
    hosts: BTreeMap<String, bool>,
    /// By those of containers.
    containers: BTreeMap<String, bool>,
}

impl Alone {
    pub(super) fn of(plan: &Plan, passed: &[Passed]) -> Self {
        let of = |containers: bool| {
            let links = plan.links.iter().zip(passed);
            alone(plan, links.filter(|(link, _)| plan.stations[link.from].container.is_some() == containers))
        };
        Self { hosts: of(false), containers: of(true) }
    }

    /// Why a link of one of them is broken.
    pub(super) fn cause(&self, plan: &Plan, link: Link) -> Option<Cause> {
        let (from, to) = (&plan.stations[link.from], &plan.stations[link.to]);
        let ends = || [from.host.as_str(), to.host.as_str()].into_iter();
        if from.host == to.host {
            return None;
        }
        let host = |alone: &BTreeMap<String, bool>| {
            ends().find_map(|end| alone.get_key_value(end).map(|(host, small)| (host.clone(), *small)))
        };
        if let Some((host, small)) = host(&self.hosts) {
            return Some(of_host(plan, &host, small));
        }
        host(&self.containers).filter(|_| from.container.is_some()).map(|(host, small)| of_network(plan, &host, small))
    }
}

fn alone<'a>(plan: &Plan, links: impl Iterator<Item = (&'a Link, &'a Passed)>) -> BTreeMap<String, bool> {
    let mut pairs: BTreeMap<BTreeSet<&str>, Between> = BTreeMap::new();
    for (link, passed) in links {
        let (from, to) = (&*plan.stations[link.from].host, &*plan.stations[link.to].host);
        if from == to {
            continue;
        }
        let between = pairs.entry([from, to].into()).or_default();
        match passed {
            Passed::Full => between.passes = true,
            Passed::Small(_) => (between.breaks, between.small) = (true, true),
            Passed::Lost(_) => between.breaks = true,
            Passed::Unasked => (),
        }
    }
    let hosts: BTreeSet<&str> = pairs.keys().flatten().copied().collect();
    let is_alone = |host: &&str| {
        let (own, others): (Vec<_>, Vec<_>) = pairs.iter().partition(|(pair, _)| pair.contains(*host));
        let broken = own.iter().filter(|(_, between)| between.breaks && !between.passes).count();
        broken > 1 && broken == own.len() && others.iter().any(|(_, between)| between.passes)
    };
    let small = |host: &str| pairs.iter().any(|(pair, between)| pair.contains(host) && between.small);
    hosts.iter().filter(|host| is_alone(host)).map(|host| ((*host).to_owned(), small(host))).collect()
}

fn of_host(plan: &Plan, host: &str, small: bool) -> Cause {
    let station = plan.stations.iter().find(|station| station.host == host && station.container.is_none());
    let at = station.map(|station| format!(" ({})", station.address)).unwrap_or_default();
    if small {
        return Cause {
            says: format!(
                "large packets get lost between {host}{at} and every other host: a port or cable there carries less"
            ),
            mend: format!("look at the MTU of the switch port of {host}; chknet --mtu N tries another size"),
        };
    }
    Cause {
        says: format!("{host}{at} reaches no other host, and the others reach each other"),
        mend: format!("look at cable, switch port, routes and packet filter of {host}"),
    }
}

fn of_network(plan: &Plan, host: &str, small: bool) -> Cause {
    let network = &plan.network;
    let (name, packet) = (&network.name, plan.packet);
    let through =
        network.uplink.clone().or_else(|| outlet(network)).map(|port| format!(" through {port}")).unwrap_or_default();
    if small {
        return Cause {
            says: format!(
                "packets of {packet} bytes get lost between {host} and every other host{through}: what {host} is plugged into carries less"
            ),
            mend: format!(
                "look at the MTU of the switch port of {host}, or: chdef -t network {name} mtu=…; chknet --mtu N tries another size"
            ),
        };
    }
    let mend = match network.is_tunnelled() {
        true => format!("look for what drops UDP port {} at {host}", vxlan::port(network)),
        false => format!("look at cable, switch port and VLANs of {host}"),
    };
    Cause {
        says: format!(
            "nothing of {name} passes between {host} and any other host{through}, and the others reach each other"
        ),
        mend,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Samples;
    use super::super::tests::planned;
    use super::*;

    /// `how` became of what goes between these hosts, in both directions; all else passes.
    fn check(broken: &[(&str, &str)], containers: bool, how: &Passed, expected: &[&str]) {
        let plan = planned(&[2, 2, 2], Samples::All);
        let is_broken = |link: &Link| {
            let (from, to) = (&plan.stations[link.from], &plan.stations[link.to]);
            let joins = |(one, other): &(&str, &str)| {
                (from.host == *one && to.host == *other) || (from.host == *other && to.host == *one)
            };
            from.container.is_some() == containers && broken.iter().any(joins)
        };
        let passed: Vec<Passed> =
            plan.links.iter().map(|link| if is_broken(link) { how.clone() } else { Passed::Full }).collect();
        let alone = Alone::of(&plan, &passed);
        let links = plan.links.iter().filter(|link| is_broken(link));
        let causes: BTreeSet<String> =
            links.filter_map(|link| alone.cause(&plan, *link)).map(|cause| cause.says).collect();
        assert_eq!(causes.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_host_that_all_others_miss_is_named() {
        let (small, lost) = (Passed::Small(String::new()), Passed::Lost(String::new()));
        let around = [("h1", "h3"), ("h2", "h3")];
        check(
            &around,
            false,
            &small,
            &["large packets get lost between h3 (10.77.0.3) and every other host: a port or cable there carries less"],
        );
        check(&around, false, &lost, &["h3 (10.77.0.3) reaches no other host, and the others reach each other"]);
        check(
            &around,
            true,
            &small,
            &[
                "packets of 1450 bytes get lost between h3 and every other host through vx7: what h3 is plugged into carries less",
            ],
        );
        check(
            &around,
            true,
            &lost,
            &["nothing of blue passes between h3 and any other host through vx7, and the others reach each other"],
        );
    }

    #[test]
    fn of_two_that_miss_each_other_none_is_alone() {
        let lost = Passed::Lost(String::new());
        check(&[("h1", "h2")], true, &lost, &[]);
        check(&[("h1", "h2"), ("h1", "h3"), ("h2", "h3")], true, &lost, &[]);
    }
}
