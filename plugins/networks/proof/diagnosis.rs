//! Which links are broken, and the likely cause of each.

use std::collections::BTreeMap;

use super::alone::Alone;
use super::faults::{Fault, Scope, all};
use super::probe::{Answers, Passed};
use super::{Link, Plan, Station};

/// What came of everything that was asked.
#[derive(Debug, Clone)]
pub struct Judged {
    /// As they stand in the plan.
    pub links: Vec<Verdict>,
    /// What is wrong, also where it has broken nothing yet.
    pub faults: Vec<Fault>,
    /// Stations whose programs have not come to an end.
    pub unasked: Vec<String>,
}

/// What came of one link.
#[derive(Debug, Clone)]
pub struct Verdict {
    pub link: Link,
    pub passed: Passed,
    /// Why it is broken and what may mend it; None of one that works or was not asked.
    pub cause: Option<Cause>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    pub says: String,
    pub mend: String,
}

/// Judges what all hosts have answered.
pub fn judge(plan: &Plan, answers: &BTreeMap<String, Answers>) -> Judged {
    let mut faults = all(plan, answers);
    let passed: Vec<Passed> = plan.links.iter().map(|link| passed(plan, answers, *link)).collect();
    let broken_hosts: Vec<(&str, &str)> = plan
        .links
        .iter()
        .zip(&passed)
        .filter(|(_, passed)| is_broken(passed))
        .filter_map(|(link, _)| {
            let (from, to) = (&plan.stations[link.from], &plan.stations[link.to]);
            (from.container.is_none()).then_some((from.host.as_str(), to.host.as_str()))
        })
        .collect();
    let alone = Alone::of(plan, &passed);
    let verdict = |(link, passed): (&Link, Passed)| {
        let cause = is_broken(&passed).then(|| {
            let told = told(plan, &faults, *link, &passed).or_else(|| alone.cause(plan, *link));
            told.unwrap_or_else(|| unexplained(plan, &broken_hosts, *link, &passed))
        });
        Verdict { link: *link, passed, cause }
    };
    let links: Vec<Verdict> = plan.links.iter().zip(passed).map(verdict).collect();
    let mut unasked: Vec<String> = links
        .iter()
        .filter(|verdict| verdict.passed == Passed::Unasked)
        .map(|verdict| plan.stations[verdict.link.from].name.clone())
        .collect();
    unasked.dedup();
    faults.retain(|fault| !fault.suspicion);
    Judged { links, faults, unasked }
}

fn passed(plan: &Plan, answers: &BTreeMap<String, Answers>, link: Link) -> Passed {
    let (from, to) = (&plan.stations[link.from], &plan.stations[link.to]);
    let found = answers.get(&from.host).and_then(|answers| answers.probes.get(&(from.address, to.address)));
    found.cloned().unwrap_or(Passed::Unasked)
}

fn is_broken(passed: &Passed) -> bool {
    matches!(passed, Passed::Small(_) | Passed::Lost(_))
}

/// What the hosts tell that explains it.
fn told(plan: &Plan, faults: &[Fault], link: Link, passed: &Passed) -> Option<Cause> {
    let small = matches!(passed, Passed::Small(_));
    let touching = faults.iter().filter(|fault| touches(&fault.scope, plan, link) && (small || !fault.large_only));
    // A certain fault before a suspicion, and of large packets one that is about them.
    let likely = touching.min_by_key(|fault| (fault.suspicion, small != fault.large_only));
    likely.map(|fault| Cause { says: fault.says.clone(), mend: fault.mend.clone() })
}

fn touches(scope: &Scope, plan: &Plan, link: Link) -> bool {
    let (from, to) = (&plan.stations[link.from], &plan.stations[link.to]);
    let of_containers = from.container.is_some();
    let crosses = from.host != to.host;
    let ends_on = |host: &String| from.host == *host || to.host == *host;
    match scope {
        Scope::Bridge(host) => of_containers && ends_on(host),
        Scope::Outward(host) => of_containers && crosses && ends_on(host),
        Scope::Uplink(host) => crosses && ends_on(host),
        Scope::Between(one, other) => of_containers && crosses && ends_on(one) && ends_on(other),
        Scope::Whole(host) => ends_on(host),
        Scope::Station(place) => link.from == *place || link.to == *place,
    }
}

/// Nothing that the hosts tell is wrong; what remains is where they cannot look.
fn unexplained(plan: &Plan, broken_hosts: &[(&str, &str)], link: Link, passed: &Passed) -> Cause {
    let (from, to) = (&plan.stations[link.from], &plan.stations[link.to]);
    let between = broken_hosts.iter().any(|&pair| pair == (&*from.host, &*to.host) || pair == (&*to.host, &*from.host));
    // In one order, so that both directions have one cause.
    let (one, other) = if from.host <= to.host { (&from.host, &to.host) } else { (&to.host, &from.host) };
    match (passed, from.container.is_some()) {
        (_, true) if between && from.host != to.host => Cause {
            says: format!("the hosts {one} and {other} do not reach each other"),
            mend: "mend that first".into(),
        },
        (Passed::Small(said), false) => Cause {
            says: format!(
                "something between {} and {} carries less than {} bytes{}",
                from.host,
                to.host,
                link.packet,
                quoted(said)
            ),
            mend: "look at the switches' MTU; chknet --mtu N tries another one".into(),
        },
        (_, false) => Cause {
            says: format!("{} does not reach {} from {}", at(from), at(to), from.address),
            mend: "look at cable, switch, routes and packet filters between them".into(),
        },
        (Passed::Small(said), true) => Cause {
            says: format!(
                "something between {} and {} carries less than {} bytes{}",
                from.name,
                to.name,
                link.packet,
                quoted(said)
            ),
            mend: "chknet --mtu N tries another size".into(),
        },
        (_, true) => Cause {
            says: format!("nothing that {one} and {other} tell of themselves"),
            mend: "look at routes and packet filters within the containers, and for UDP port 4789 between the hosts"
                .into(),
        },
    }
}

fn at(station: &Station) -> String {
    format!("{} ({})", station.host, station.address)
}

fn quoted(said: &str) -> String {
    // What matters of it is the size that a router has told.
    match said.split_once("mtu") {
        Some((_, rest)) => {
            let size: String =
                rest.chars().skip_while(|letter| !letter.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
            format!(" (told: {size})")
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Samples;
    use super::super::tests::planned;
    use super::*;
    use crate::networks::survey::{Device, Entry, Neighbours, Survey};

    /// Three hosts with a container each, of which everything is as it should be.
    fn healthy() -> (Plan, BTreeMap<String, Answers>) {
        let mut plan = planned(&[1, 1, 1], Samples::All);
        let mut answers = BTreeMap::new();
        for number in 1..=3_u8 {
            let host = format!("h{number}");
            plan.surveys.insert(host.clone(), survey(number));
            let inner = Device { name: "eth0".into(), mtu: 1450, peer: Some(9), ..Device::default() };
            let devices = [([10, 80, 0, number].into(), Device { mac: format!("02:77:00:00:00:0{number}"), ..inner })];
            answers.insert(host, Answers { devices: devices.into(), ..Answers::default() });
        }
        for link in &plan.links {
            let (from, to) = (&plan.stations[link.from], &plan.stations[link.to]);
            answers.get_mut(&from.host).unwrap().probes.insert((from.address, to.address), Passed::Full);
        }
        (plan, answers)
    }

    fn survey(number: u8) -> Survey {
        let device = |name: &str, mtu: u32| Device { name: name.into(), mtu, up: true, ..Device::default() };
        let port = |device: Device| Device { master: Some("br-blue".into()), ..device };
        let own = format!("10.77.0.{number}/24").parse().unwrap();
        let veth = Device { index: 9, kind: Some("veth".into()), ..device("veth1", 1450) };
        let devices = vec![
            Device { addresses: vec![own], ..device("eth0", 1500) },
            device("br-blue", 1450),
            Device { vni: Some(7), ..port(device("vx7", 1450)) },
            port(veth),
        ];
        let peers = (1..=3_u8).filter(|peer| *peer != number);
        let entry = |peer: u8| Entry {
            mac: "00:00:00:00:00:00".into(),
            device: "vx7".into(),
            dst: Some(format!("10.77.0.{peer}")),
        };
        Survey { devices, entries: peers.map(entry).collect(), ..Survey::default() }
    }

    fn device<'a>(plan: &'a mut Plan, host: &str, name: &str) -> &'a mut Device {
        let survey = plan.surveys.get_mut(host).unwrap();
        survey.devices.iter_mut().find(|device| device.name == name).unwrap()
    }

    fn lose(
        answers: &mut BTreeMap<String, Answers>,
        plan: &Plan,
        how: &Passed,
        lost: impl Fn(&Station, &Station) -> bool,
    ) {
        for link in &plan.links {
            let (from, to) = (&plan.stations[link.from], &plan.stations[link.to]);
            if lost(from, to) {
                answers.get_mut(&from.host).unwrap().probes.insert((from.address, to.address), how.clone());
            }
        }
    }

    /// Loses what `lost` says, and expects that cause of all of it.
    #[track_caller]
    fn check(
        change: impl Fn(&mut Plan, &mut BTreeMap<String, Answers>),
        how: &Passed,
        lost: impl Fn(&Station, &Station) -> bool,
        expected: &str,
    ) {
        let (mut plan, mut answers) = healthy();
        change(&mut plan, &mut answers);
        lose(&mut answers, &plan, how, lost);
        let judged = judge(&plan, &answers);
        let causes: Vec<&Cause> = judged.links.iter().filter_map(|verdict| verdict.cause.as_ref()).collect();
        assert!(!causes.is_empty() && causes.iter().all(|cause| cause.says == expected), "{expected}: {causes:#?}");
    }

    fn one_way(from: &Station, to: &Station) -> bool {
        from.host == "h1" && to.host == "h2" && from.container.is_some()
    }

    fn of_containers(one: &'static str, other: &'static str) -> impl Fn(&Station, &Station) -> bool {
        let is = move |a: &Station, b: &Station| a.host == one && b.host == other && a.container.is_some();
        move |from, to| is(from, to) || is(to, from)
    }

    #[test]
    fn nothing_is_wrong_where_nothing_is() {
        let (plan, answers) = healthy();
        let judged = judge(&plan, &answers);
        assert!(judged.faults.is_empty() && judged.unasked.is_empty(), "{judged:#?}");
        assert!(judged.links.iter().all(|verdict| verdict.cause.is_none()));
        let judged = judge(&plan, &BTreeMap::new());
        assert_eq!(judged.unasked.len(), 6);
    }

    #[test]
    fn lost_packets_have_causes() {
        let lost = Passed::Lost(String::new());
        let between = || of_containers("h1", "h2");
        check(
            |plan, _| drop(plan.surveys.get_mut("h2").unwrap().entries.remove(0)),
            &lost,
            between(),
            "vx7 on h2 has no forwarding entry for h1 (10.77.0.1)",
        );
        check(
            |plan, _| device(plan, "h1", "vx7").master = None,
            &lost,
            between(),
            "vx7 on h1 is not a port of bridge br-blue",
        );
        check(|plan, _| device(plan, "h2", "br-blue").up = false, &lost, between(), "bridge br-blue on h2 is down");
        check(
            |plan, _| device(plan, "h1", "veth1").master = None,
            &lost,
            between(),
            "veth1, the cable of c1 on h1, is not a port of bridge br-blue",
        );
        check(
            |_, answers| answers.get_mut("h2").unwrap().absent.push([10, 80, 0, 2].into()),
            &lost,
            between(),
            "c2 on h2 does not have its address 10.80.0.2",
        );
        check(|_, _| (), &lost, one_way, "nothing that h1 and h2 tell of themselves");
        let astray = |plan: &mut Plan, _: &mut BTreeMap<String, Answers>| {
            let entry = Entry { mac: "02:77:00:00:00:02".into(), device: "vx7".into(), dst: Some("10.77.0.3".into()) };
            plan.surveys.get_mut("h1").unwrap().entries.push(entry);
        };
        check(astray, &lost, between(), "vx7 on h1 still sends what is for c2 to h3; it is on h2");
        let filtered = |plan: &mut Plan, _: &mut BTreeMap<String, Answers>| {
            let survey = plan.surveys.get_mut("h1").unwrap();
            (survey.filters_bridges, survey.rules) = (true, "-P FORWARD DROP".into());
        };
        let why = "and bridge-nf-call-iptables=1 sends what crosses the bridge there";
        check(
            filtered,
            &lost,
            between(),
            &format!("iptables on h1 drops packets of br-blue by '-P FORWARD DROP', {why}"),
        );
    }

    #[test]
    fn a_full_table_of_neighbours_explains_what_nothing_else_does() {
        let lost = Passed::Lost("ping: sendmsg: No buffer space available".into());
        let overflow = |plan: &mut Plan, answers: &mut BTreeMap<String, Answers>| {
            let table = |overflows| Some(Neighbours { limit: 1024, entries: 1000, overflows });
            plan.surveys.get_mut("h2").unwrap().neighbours = table(7);
            answers.get_mut("h2").unwrap().neighbours = table(8);
            plan.surveys.get_mut("h1").unwrap().neighbours = table(7);
            answers.get_mut("h1").unwrap().neighbours = table(7);
        };
        let says =
            "the table of neighbours of h2 overflowed: it holds 1024, and all its networks and containers share it";
        check(overflow, &lost, of_containers("h1", "h2"), says);
        check(overflow, &lost, |from, _| from.host == "h2" && from.container.is_none(), says);
        check(overflow, &lost, of_containers("h1", "h3"), "nothing that h1 and h3 tell of themselves");
        let down = |plan: &mut Plan, answers: &mut BTreeMap<String, Answers>| {
            overflow(plan, answers);
            device(plan, "h2", "br-blue").up = false;
        };
        check(down, &lost, of_containers("h1", "h2"), "bridge br-blue on h2 is down");
    }

    #[test]
    fn a_broken_wire_is_not_blamed_on_the_network() {
        let lost = Passed::Lost(String::new());
        let hosts = |from: &Station, to: &Station| from.container.is_none() && from.host == "h1" && to.host == "h2";
        check(|_, _| (), &lost, hosts, "h1 (10.77.0.1) does not reach h2 (10.77.0.2) from 10.77.0.1");
        let (plan, mut answers) = healthy();
        lose(&mut answers, &plan, &lost, |from, to| from.host == "h1" && to.host == "h2");
        let judged = judge(&plan, &answers);
        let causes: Vec<&str> =
            judged.links.iter().filter_map(|verdict| verdict.cause.as_ref()).map(|cause| &*cause.says).collect();
        assert_eq!(causes[1..], ["the hosts h1 and h2 do not reach each other"]);
    }

    #[test]
    fn small_packets_have_causes() {
        let small = Passed::Small("ping: local error: message too long, mtu=1400".into());
        let between = || of_containers("h1", "h2");
        check(
            |plan, _| device(plan, "h2", "vx7").mtu = 1400,
            &small,
            between(),
            "vx7 on h2 has MTU 1400, and 1450 are needed",
        );
        check(
            |plan, _| device(plan, "h1", "eth0").mtu = 1400,
            &small,
            between(),
            "eth0 on h1 has MTU 1400, and 1500 are needed",
        );
        check(
            |plan, _| device(plan, "h1", "veth1").mtu = 1400,
            &small,
            between(),
            "veth1, the cable of c1 on h1, has MTU 1400, and 1450 are needed",
        );
        check(|_, _| (), &small, one_way, "something between c1 and c2 carries less than 1450 bytes (told: 1400)");
    }

    #[test]
    fn what_breaks_nothing_is_said_all_the_same() {
        let check = |change: fn(&mut Plan, &mut BTreeMap<String, Answers>), expected: &[&str]| {
            let (mut plan, mut answers) = healthy();
            change(&mut plan, &mut answers);
            let judged = judge(&plan, &answers);
            let faults: Vec<&str> = judged.faults.iter().map(|fault| &*fault.says).collect();
            assert_eq!(faults, expected);
        };
        let claimed = |_: &mut Plan, answers: &mut BTreeMap<String, Answers>| {
            let macs = vec!["02:77:00:00:00:01".to_owned(), "aa:bb:cc:00:00:01".to_owned()];
            answers.get_mut("h1").unwrap().claims.insert([10, 80, 0, 1].into(), macs);
            let entry = |device: &str, dst: Option<&str>| Entry {
                mac: "aa:bb:cc:00:00:01".into(),
                device: device.into(),
                dst: dst.map(Into::into),
            };
            answers.get_mut("h2").unwrap().entries = vec![entry("vx7", Some("10.77.0.3"))];
            answers.get_mut("h3").unwrap().entries = vec![entry("eth1", None)];
        };
        check(
            claimed,
            &[
                "10.80.0.1 of c1 is also the address of a machine that is none of ours: aa:bb:cc:00:00:01, seen behind eth1 of h3",
            ],
        );
        check(
            |plan, _| plan.stations[5].address = [10, 80, 0, 1].into(),
            &["c1 on h1 and c3 on h3 have the same address 10.80.0.1"],
        );
        let suspicion = |plan: &mut Plan, _: &mut BTreeMap<String, Answers>| {
            let survey = plan.surveys.get_mut("h1").unwrap();
            (survey.filters_bridges, survey.drops) = (true, vec!["inet fw forward".into()]);
        };
        check(suspicion, &[]);
        let stale = |plan: &mut Plan, _: &mut BTreeMap<String, Answers>| {
            let entry = Entry { mac: "00:00:00:00:00:00".into(), device: "vx7".into(), dst: Some("10.77.0.9".into()) };
            plan.surveys.get_mut("h1").unwrap().entries.push(entry);
        };
        check(
            stale,
            &["vx7 on h1 has a stale forwarding entry: 00:00:00:00:00:00 to 10.77.0.9, where it does not lead"],
        );
    }
}
