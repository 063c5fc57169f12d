//! Why modules cannot be put in an order: what nobody has, and circles of those that wait for each other. Pure.

use std::collections::{BTreeSet, VecDeque};

use super::order::{Part, Waiting};

/// Why there is no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unsatisfied {
    /// A module requires what neither is installed nor was chosen.
    Missing { module: String, requirement: String, candidates: Vec<String> },
    /// Modules that require each other; the first is also the last.
    Cycle(Vec<String>),
}

/// What those lack that wait: requirements that nobody meets of those who are `there`, else the circles they stand in.
pub(super) fn blame(waiting: &[Waiting<'_>], there: &[Part<'_>], known: &[Part<'_>]) -> Vec<Unsatisfied> {
    let missing = missing(waiting, there, known);
    match missing.is_empty() {
        true => cycles(waiting).into_iter().map(Unsatisfied::Cycle).collect(),
        false => missing,
    }
}

/// Requirements that nobody meets of those who are there.
pub(super) fn missing(waiting: &[Waiting<'_>], there: &[Part<'_>], known: &[Part<'_>]) -> Vec<Unsatisfied> {
    let mut missing = Vec::new();
    for Waiting { part, open } in waiting {
        let absent = open.iter().filter(|selector| !there.iter().any(|other| other.serves(part.name, selector)));
        missing.extend(absent.map(|selector| Unsatisfied::Missing {
            module: part.name.to_owned(),
            requirement: selector.to_string(),
            candidates:
                known.iter().filter(|other| other.serves(part.name, selector)).map(|it| it.name.to_owned()).collect(),
        }));
    }
    missing
}

/// The circles of those that wait for each other, each once.
pub(super) fn cycles(waiting: &[Waiting<'_>]) -> Vec<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut circles: Vec<Vec<String>> = waiting.iter().filter_map(|start| circle(start, waiting)).collect();
    circles.retain(|circle| seen.insert(circle.iter().cloned().collect::<BTreeSet<_>>()));
    circles
}

/// The shortest way from one that waits back to itself.
fn circle<'a>(start: &Waiting<'a>, waiting: &[Waiting<'a>]) -> Option<Vec<String>> {
    let mut ways = VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let last = *way.last().expect("each way has a beginning");
        for next in waiting.iter().filter(|other| last.waits_for(other)) {
            if next.part.name == start.part.name {
                return Some(way.iter().chain([&start]).map(|one| one.part.name.to_owned()).collect());
            }
            if seen.insert(next.part.name) {
                ways.push_back(way.iter().copied().chain([next]).collect());
            }
        }
    }
    None
}
