//! Which node a machine is: pure.

use netboot::discovery::Report;
use netboot::mac::Mac;

use super::index::{Index, Known};

/// What a machine is found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Node {
        name: String,
        /// By what, as table discoverydata has it.
        method: &'static str,
    },
    /// It says that it is a node that it cannot be, or several.
    Conflict(String),
    /// It has not said yet which port of a switch it is plugged into, which may tell.
    Later,
    Nobody,
}

/// By its MAC address, and else by all that it says: what points to two nodes is a conflict, and so is what points to a node that
/// is known to be another machine. `order` are the nodes that machines become which nothing else points to.
pub(super) fn find(report: &Report, index: &Index, order: &[String]) -> Found {
    let Some(mac) = report.mac else { return Found::Nobody };
    if let Some(name) = index.macs.get(&mac) {
        return match index.nodes.get(name) {
            Some(known) if known.is_guest => Found::Conflict(format!("its MAC address is that of {name}, a container")),
            _ => Found::Node { name: name.clone(), method: "mac" },
        };
    }
    // What it hears may point elsewhere than all the rest.
    if report.listening && !index.ports.is_empty() {
        return Found::Later;
    }
    let bmc = report.bmc.map(|bmc| bmc.to_string()).unwrap_or_default();
    let port = report.switch_port.as_ref().and_then(|port| index.ports.get(port));
    let clues = [
        ("serial", "serial number", index.serials.get(&report.serial)),
        ("uuid", "UUID", index.uuids.get(&report.uuid)),
        ("bmc", "BMC", index.bmcs.get(&bmc)),
        ("switch", "switch port", port),
    ];
    let mut found: Option<(&str, &'static str, &str)> = None;
    for (method, word, names) in clues {
        match (names.map(Vec::as_slice), found) {
            (None | Some([]), _) => (),
            (Some([name]), None) => found = Some((name, method, word)),
            (Some([name]), Some((other, _, _))) if name == other => (),
            (Some([name]), Some((other, _, first))) => {
                return Found::Conflict(format!("its {first} is that of {other}, and its {word} that of {name}"));
            }
            (Some(names), _) => return Found::Conflict(format!("its {word} is that of several: {}", names.join(", "))),
        }
    }
    if let Some((name, method, word)) = found {
        return match index.nodes.get(name).and_then(|known| other_machine(known, mac, report)) {
            Some(why) => Found::Conflict(format!("its {word} is that of {name}, which has {why}")),
            None => Found::Node { name: name.to_owned(), method },
        };
    }
    let is_free = |name: &&String| match index.nodes.get(*name) {
        Some(known) => !known.is_guest && known.macs.is_empty() && other_machine(known, mac, report).is_none(),
        None => true,
    };
    match order.iter().find(is_free) {
        Some(name) => Found::Node { name: name.clone(), method: "sequential" },
        None => Found::Nobody,
    }
}

/// What a node is known to have that this machine has otherwise.
pub(super) fn other_machine(known: &Known, mac: Mac, report: &Report) -> Option<String> {
    let differs = |own: &str, its: &str| !own.is_empty() && own != its;
    match known.macs.first() {
        Some(own) if !known.macs.contains(&mac) => Some(format!("another MAC address, {own}")),
        _ if differs(&known.serial, &report.serial) => Some(format!("another serial number, {}", known.serial)),
        _ if differs(&known.uuid, &report.uuid) => Some(format!("another UUID, {}", known.uuid)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mac(last: u8) -> Mac {
        Mac([2, 0, 0, 0, 0, last])
    }

    fn index(nodes: &[(&str, Known)]) -> Index {
        let mut index = Index::default();
        for (name, known) in nodes {
            index.add(name, known.clone());
        }
        index
    }

    fn known(macs: &[u8], serial: &str, uuid: &str) -> Known {
        let macs = macs.iter().map(|last| mac(*last)).collect();
        Known { macs, serial: serial.into(), uuid: uuid.into(), ..Known::default() }
    }

    fn report(last: u8, serial: &str, uuid: &str) -> Report {
        Report { mac: Some(mac(last)), serial: serial.into(), uuid: uuid.into(), ..Report::default() }
    }

    fn node(name: &str, method: &'static str) -> Found {
        Found::Node { name: name.into(), method }
    }

    #[test]
    fn a_machine_is_what_points_to_it() {
        let mut nodes = index(&[
            ("n1", known(&[1], "A", "")),
            ("n2", known(&[], "B", "")),
            ("n3", known(&[], "", "u3")),
            ("n4", known(&[], "", "")),
            ("c1", Known { is_guest: true, ..known(&[9], "C", "") }),
        ]);
        nodes.bmcs.insert("10.0.0.4".into(), vec!["n4".into()]);
        nodes.ports.insert(("sw1".into(), "7".into()), vec!["n4".into()]);
        let check = |report: &Report, expected: Found| assert_eq!(find(report, &nodes, &[]), expected, "{report:?}");
        check(&report(1, "whatever", ""), node("n1", "mac"));
        check(&report(2, "B", "u"), node("n2", "serial"));
        check(&report(2, "B", "u"), node("n2", "serial"));
        check(&report(3, "x", "u3"), node("n3", "uuid"));
        check(&report(3, "", ""), Found::Nobody);
        check(&report(3, "C", ""), Found::Nobody);
        check(&Report { bmc: Some("10.0.0.4".parse().unwrap()), ..report(4, "", "") }, node("n4", "bmc"));
        check(&Report { switch_port: Some(("sw1".into(), "7".into())), ..report(4, "", "") }, node("n4", "switch"));
    }

    #[test]
    fn what_cannot_be_is_a_conflict() {
        let nodes = index(&[
            ("n1", known(&[1], "A", "")),
            ("n2", known(&[], "B", "u2")),
            ("n3", known(&[], "B", "")),
            ("n4", known(&[], "D", "u4")),
            ("n5", known(&[], "E", "")),
            ("c1", Known { is_guest: true, ..known(&[9], "", "") }),
        ]);
        let check = |report: &Report, why: &str| {
            assert_eq!(find(report, &nodes, &["n9".into()]), Found::Conflict(why.into()), "{report:?}");
        };
        check(&report(2, "A", ""), "its serial number is that of n1, which has another MAC address, 02:00:00:00:00:01");
        check(&report(2, "B", ""), "its serial number is that of several: n2, n3");
        check(&report(2, "E", "u4"), "its serial number is that of n5, and its UUID that of n4");
        check(&report(2, "D", "u9"), "its serial number is that of n4, which has another UUID, u4");
        check(&report(2, "X", "u4"), "its UUID is that of n4, which has another serial number, D");
        check(&report(9, "", ""), "its MAC address is that of c1, a container");
    }

    #[test]
    fn who_may_hear_of_its_port_yet_is_waited_for_where_ports_tell_anything() {
        let mut nodes = index(&[("n1", known(&[1], "A", "")), ("n2", known(&[], "B", "")), ("n3", known(&[], "", ""))]);
        let listening = |last: u8, serial: &str| Report { listening: true, ..report(last, serial, "") };
        let order = ["n4".to_owned()];
        assert_eq!(find(&listening(2, "B"), &nodes, &order), node("n2", "serial"));
        assert_eq!(find(&listening(2, ""), &nodes, &order), node("n4", "sequential"));
        nodes.ports.insert(("sw1".into(), "7".into()), vec!["n3".into()]);
        assert_eq!(find(&listening(1, "A"), &nodes, &order), node("n1", "mac"));
        assert_eq!(find(&listening(2, "B"), &nodes, &order), Found::Later);
        assert_eq!(find(&listening(2, ""), &nodes, &order), Found::Later);
        let heard = Report { switch_port: Some(("sw1".into(), "7".into())), ..report(2, "", "") };
        assert_eq!(find(&heard, &nodes, &order), node("n3", "switch"));
        assert_eq!(find(&report(2, "", ""), &nodes, &order), node("n4", "sequential"), "it has heard nothing");
    }

    #[test]
    fn the_order_takes_the_first_that_is_nobodys() {
        let nodes = index(&[
            ("n1", known(&[1], "", "")),
            ("n2", known(&[], "reserved", "")),
            ("n3", Known { is_guest: true, ..Known::default() }),
            ("n4", known(&[], "", "")),
        ]);
        let order = ["n1", "n2", "n3", "n4", "n5"].map(str::to_owned);
        assert_eq!(find(&report(5, "S", ""), &nodes, &order), node("n4", "sequential"));
        assert_eq!(find(&report(5, "S", ""), &nodes, &order[4..]), node("n5", "sequential"));
        assert_eq!(find(&report(5, "S", ""), &nodes, &order[..3]), Found::Nobody);
    }

    proptest! {
        /// Whatever machines say and in whatever order they come: no node gets two, and none that was known gets another.
        #[test]
        fn no_node_is_two_machines(
            nodes in prop::collection::vec((prop::option::of(0..12_u8), "[AB]?[0-3]?", "u[0-3]|"), 1..8),
            reports in prop::collection::vec((0..12_u8, "[AB]?[0-3]?", "u[0-3]|"), 1..20),
            last in 0..12_usize,
        ) {
            let mut index = Index::default();
            for (number, (mac, serial, uuid)) in nodes.iter().enumerate() {
                let macs: Vec<u8> = mac.iter().copied().collect();
                index.add(&format!("n{number}"), known(&macs, serial, uuid));
            }
            let order: Vec<String> = (0..last).map(|number| format!("n{number}")).collect();
            for (last, serial, uuid) in &reports {
                let report = report(*last, serial, uuid);
                let Found::Node { name, method } = find(&report, &index, &order) else { continue };
                let before = index.nodes.get(&name).cloned().unwrap_or_default();
                prop_assert!(before.macs.is_empty() || before.macs.contains(&mac(*last)), "{name} {method}");
                index.add(&name, super::super::record::merged(&before, &report));
                prop_assert!(index.nodes[&name].macs.contains(&mac(*last)));
                prop_assert_eq!(find(&report, &index, &order), node(&name, "mac"), "it says it again");
            }
        }
    }
}
