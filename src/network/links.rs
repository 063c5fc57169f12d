//! What chknet shows: who reaches whom, in as few lines as equal rows allow, then each broken link with its cause.

use std::collections::{BTreeMap, BTreeSet};

use plugins::networks::proof::{Cause, Judged, Passed, Plan, Verdict};
use serde_json::{Value, json};

use crate::reply::Answer;

/// How the links between two hosts have done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    all: usize,
    full: usize,
    small: usize,
    unasked: usize,
}

impl Count {
    fn add(&mut self, passed: &Passed) {
        self.all += 1;
        match passed {
            Passed::Full => self.full += 1,
            Passed::Small(_) => self.small += 1,
            Passed::Unasked => self.unasked += 1,
            Passed::Lost(_) => (),
        }
    }

    fn merge(self, other: Self) -> Self {
        Self {
            all: self.all + other.all,
            full: self.full + other.full,
            small: self.small + other.small,
            unasked: self.unasked + other.unasked,
        }
    }

    /// What makes two rows equal: how it went, not how often it was tried.
    fn kind(self) -> &'static str {
        match self {
            Self { all, full, .. } if all == full => "pass",
            Self { all, unasked, .. } if all == unasked => "unasked",
            Self { full: 0, small: 0, .. } => "lost",
            Self { full: 0, .. } => "small",
            Self { .. } => "some",
        }
    }

    fn words(self) -> String {
        let lost = self.all - self.full - self.small - self.unasked;
        let parts = [(lost, "lost"), (self.small, "pass only small packets"), (self.unasked, "not asked")];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}")).collect();
        format!("{} of {} pass{}", self.full, self.all, parts.concat())
    }
}

/// Everything about one network, as lines for people.
pub(crate) fn lines(plan: &Plan, judged: &Judged) -> Vec<String> {
    let mut lines = vec![head(plan)];
    for (what, of_containers) in [("hosts", false), ("containers", true)] {
        let links = judged.links.iter().filter(|verdict| is_of_containers(plan, verdict) == of_containers);
        lines.extend(matrix(plan, links).into_iter().map(|row| format!("{what} {row}")));
    }
    let (broken, causes) = broken(plan, judged);
    lines.extend(broken);
    for fault in judged.faults.iter().filter(|fault| !causes.contains(fault.says.as_str())) {
        lines.push(format!("wrong: {}", fault.says));
        lines.push(format!("  mend: {}", fault.mend));
    }
    lines
}

fn head(plan: &Plan) -> String {
    let containers = plan.stations.iter().filter(|station| station.container.is_some()).count();
    let hosts = plan.stations.len() - containers;
    format!("{hosts} hosts, {containers} containers, packets of {} bytes", plan.packet)
}

fn is_of_containers(plan: &Plan, verdict: &Verdict) -> bool {
    plan.stations[verdict.link.from].container.is_some()
}

/// The hosts that a row reaches, by how that went.
type Sorts<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Rows of hosts; equal ones are one, as are equal places of a row.
fn matrix<'a>(plan: &Plan, links: impl Iterator<Item = &'a Verdict>) -> Vec<String> {
    let mut table: BTreeMap<&str, BTreeMap<&str, Count>> = BTreeMap::new();
    for verdict in links {
        let host = |place: usize| plan.stations[place].host.as_str();
        let row = table.entry(host(verdict.link.from)).or_default();
        row.entry(host(verdict.link.to)).or_default().add(&verdict.passed);
    }
    let mut folded: BTreeMap<Sorts<'_>, (Vec<&str>, BTreeMap<&str, Count>)> = BTreeMap::new();
    for (from, row) in &table {
        let mut sorts = Sorts::new();
        let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
        for (to, count) in row {
            sorts.entry(count.kind()).or_default().insert(to);
            counts.entry(count.kind()).and_modify(|known| *known = known.merge(*count)).or_insert(*count);
        }
        // A host is not asked by itself, which must not make every row another one.
        if let Some(good) = sorts.get_mut("pass").filter(|_| !row.contains_key(from)) {
            good.insert(from);
        }
        let (froms, sums) = folded.entry(sorts).or_default();
        froms.push(from);
        for (kind, count) in counts {
            sums.entry(kind).and_modify(|known| *known = known.merge(count)).or_insert(count);
        }
    }
    let mut rows: Vec<_> = folded.iter().collect();
    rows.sort_by_key(|(_, (froms, _))| froms);
    let rows = rows.into_iter().flat_map(|(sorts, (froms, sums))| {
        sorts.iter().map(move |(kind, tos)| format!("{} -> {}: {}", fold(froms), fold(tos), sums[kind].words()))
    });
    rows.collect()
}

/// Broken links by cause; also the causes' words, which need not be said again.
fn broken<'a>(plan: &'a Plan, judged: &'a Judged) -> (Vec<String>, BTreeSet<&'a str>) {
    let mut by_cause: BTreeMap<&Cause, Vec<&Verdict>> = BTreeMap::new();
    for verdict in &judged.links {
        if let Some(cause) = &verdict.cause {
            by_cause.entry(cause).or_default().push(verdict);
        }
    }
    let mut lines = Vec::new();
    for (cause, verdicts) in &by_cause {
        lines.extend(named(plan, verdicts));
        lines.push(format!("  cause: {}", cause.says));
        lines.push(format!("  mend: {}", cause.mend));
    }
    (lines, by_cause.into_keys().map(|cause| cause.says.as_str()).collect())
}

/// The names of broken links: sources that miss the same targets are one line.
fn named(plan: &Plan, verdicts: &[&Verdict]) -> Vec<String> {
    let name = |place: usize| plan.stations[place].name.as_str();
    let mut rows: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for verdict in verdicts {
        let how = if matches!(verdict.passed, Passed::Small(_)) { "passes only small packets" } else { "lost" };
        rows.entry((how, name(verdict.link.from))).or_default().insert(name(verdict.link.to));
    }
    let mut folded: BTreeMap<(&str, BTreeSet<&str>), Vec<&str>> = BTreeMap::new();
    for ((how, from), tos) in rows {
        folded.entry((how, tos)).or_default().push(from);
    }
    let mut rows: Vec<_> = folded.into_iter().collect();
    rows.sort_by(|(_, one), (_, other)| one.cmp(other));
    rows.into_iter().map(|((how, tos), froms)| format!("broken: {} -> {}: {how}", fold(&froms), fold(&tos))).collect()
}

fn fold<'a>(names: impl IntoIterator<Item = &'a &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| (*name).to_owned()).collect();
    tables::noderange::fold(&names)
}

/// One answer a link, and one for everything else that is wrong.
pub(crate) fn objects(plan: &Plan, judged: &Judged) -> Vec<(String, Answer)> {
    let answer = |data: Value| Answer { data: Some(data), ..Answer::default() };
    let network = &plan.network.name;
    let links = judged.links.iter().map(|verdict| {
        let (from, to) = (&plan.stations[verdict.link.from], &plan.stations[verdict.link.to]);
        let (result, said) = match &verdict.passed {
            Passed::Full => ("pass", None),
            Passed::Small(said) => ("small", Some(said)),
            Passed::Lost(said) => ("lost", Some(said)),
            Passed::Unasked => ("unasked", None),
        };
        let cause = verdict.cause.as_ref();
        let data = json!({
            "network": network, "from": from.name, "to": to.name, "fromhost": from.host, "tohost": to.host,
            "bytes": verdict.link.packet, "result": result, "said": said,
            "cause": cause.map(|cause| &cause.says), "mend": cause.map(|cause| &cause.mend),
        });
        (from.name.clone(), answer(data))
    });
    let faults = judged
        .faults
        .iter()
        .map(|fault| (network.clone(), answer(json!({ "network": network, "wrong": fault.says, "mend": fault.mend }))));
    links.chain(faults).collect()
}

#[cfg(test)]
mod tests {
    use plugins::networks::proof::{Link, Samples, Station};

    use super::super::tests::network;
    use super::*;

    /// Hosts h1 to h4, and every pair of them; `lost` are such as `12`, from h1 to h2.
    fn judged(lost: &[&str]) -> (Plan, Judged) {
        let network = network(4);
        let surveys = network.members.iter().map(|member| (member.host.clone(), Default::default())).collect();
        let plan = plugins::networks::proof::plan(network, surveys, &BTreeMap::new(), (Samples::All, None));
        let number = |station: &Station| station.name[1..].to_owned();
        let verdict = |link: &Link| {
            let pair = number(&plan.stations[link.from]) + &number(&plan.stations[link.to]);
            let broken = lost.contains(&pair.as_str());
            let cause = broken.then(|| Cause { says: "a cause".into(), mend: "a way".into() });
            let passed = if broken { Passed::Lost(String::new()) } else { Passed::Full };
            Verdict { link: *link, passed, cause }
        };
        let links = plan.links.iter().map(verdict).collect();
        (plan, Judged { links, faults: Vec::new(), unasked: Vec::new() })
    }

    #[test]
    fn equal_rows_are_one() {
        let check = |lost: &[&str], expected: &[&str]| {
            let (plan, judged) = judged(lost);
            assert_eq!(lines(&plan, &judged)[1..], *expected);
        };
        check(&[], &["hosts h[1-4] -> h[1-4]: 12 of 12 pass"]);
        check(
            &["12", "21"],
            &[
                "hosts h1 -> h2: 0 of 1 pass, 1 lost",
                "hosts h1 -> h[1,3-4]: 2 of 2 pass",
                "hosts h2 -> h1: 0 of 1 pass, 1 lost",
                "hosts h2 -> h[2-4]: 2 of 2 pass",
                "hosts h[3-4] -> h[1-4]: 6 of 6 pass",
                "broken: h1 -> h2: lost",
                "broken: h2 -> h1: lost",
                "  cause: a cause",
                "  mend: a way",
            ],
        );
        check(
            &["41", "42", "43", "14", "24", "34"],
            &[
                "hosts h[1-3] -> h4: 0 of 3 pass, 3 lost",
                "hosts h[1-3] -> h[1-3]: 6 of 6 pass",
                "hosts h4 -> h[1-3]: 0 of 3 pass, 3 lost",
                "broken: h[1-3] -> h4: lost",
                "broken: h4 -> h[1-3]: lost",
                "  cause: a cause",
                "  mend: a way",
            ],
        );
    }

    #[test]
    fn a_link_is_an_object() {
        let (plan, judged) = judged(&["12"]);
        let objects = objects(&plan, &judged);
        assert_eq!(objects.len(), 12);
        let data = objects[0].1.data.as_ref().unwrap();
        assert_eq!(
            (&data["from"], &data["to"], &data["result"], &data["bytes"]),
            (&json!("h1"), &json!("h2"), &json!("lost"), &json!(1500))
        );
        assert_eq!((&data["cause"], &objects[1].1.data.as_ref().unwrap()["cause"]), (&json!("a cause"), &Value::Null));
    }
}
