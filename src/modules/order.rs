//! Which modules come before which, and which are lacking: pure, over labels and selectors.
//!
//! A module is *satisfied* when each of its strong requirements is met by another that is installed or satisfied itself.
//! That is a least fixed point: it exists, is found in as many rounds as the longest chain has links, and leaves out
//! exactly what lacks something or stands in a circle. The round in which a module came in is its place in the order.

use std::collections::{BTreeMap, BTreeSet};

use super::lacking::{Unsatisfied, blame, cycles, missing};
use super::selector::{Labels, Selector};

/// A module as the order needs to know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) name: &'a str,
    pub(crate) labels: &'a Labels,
    pub(crate) strong: &'a [Selector],
}

impl Part<'_> {
    /// Whether this is another module than `name`, and meets what that one requires: nobody stands on himself.
    pub(crate) fn serves(&self, name: &str, selector: &Selector) -> bool {
        self.name != name && selector.matches(self.labels)
    }
}

/// The chosen modules in an order in which each comes after what it requires. What is installed and not chosen needs
/// nothing any more, and is what it was when it was applied; `known` are all that there are, and give the candidates for what is lacking.
pub(crate) fn order<'a>(
    known: &[Part<'a>],
    installed: &[Part<'a>],
    chosen: &BTreeSet<&str>,
) -> Result<Vec<&'a str>, Vec<Unsatisfied>> {
    let (bases, parts) = (of(installed, |name| !chosen.contains(name)), named(known, chosen));
    let rounds = Rounds::of(&parts, &bases);
    match rounds.waiting.is_empty() {
        true => Ok(rounds.order()),
        false => Err(blame(&rounds.waiting, &[bases, parts].concat(), known)),
    }
}

/// The chosen modules, and those of the known ones that they lack: of several candidates the one that has least below it.
pub(crate) fn completed<'a>(
    known: &[Part<'a>],
    installed: &[Part<'a>],
    chosen: &BTreeSet<&'a str>,
) -> Result<BTreeSet<&'a str>, Vec<Unsatisfied>> {
    let bases = of(installed, |name| !chosen.contains(name));
    let best = Rounds::of(known, &bases);
    let hopeless: Vec<_> = best.below(chosen);
    if !hopeless.is_empty() {
        return Err(blame(&hopeless, known, known));
    }
    let mut all = chosen.clone();
    loop {
        let parts = named(known, &all);
        let rounds = Rounds::of(&parts, &bases);
        let lacks = |waiting: &&Waiting<'_>| waiting.open.iter().any(|selector| !waiting.is_met(selector, &parts));
        let least =
            |one: &&Waiting<'_>, other: &&Waiting<'_>| best.place(one.part.name).cmp(&best.place(other.part.name));
        // Whoever lacks something comes first: what others wait for may be done with that. Where nobody does they wait for
        // each other, and the one with the least below it can do without.
        let first = rounds.waiting.iter().filter(lacks).min_by(least).or(rounds.waiting.iter().min_by(least));
        let Some(first) = first else { return Ok(all) };
        let lacking = first.open.iter().filter(|selector| !first.is_met(selector, &parts));
        let mut wanted: Vec<&Selector> = lacking.copied().collect();
        if wanted.is_empty() {
            wanted.clone_from(&first.open);
        }
        for selector in wanted {
            let candidates = known.iter().filter(|part| part.serves(first.part.name, selector));
            let candidate = candidates.min_by_key(|part| best.place(part.name));
            all.insert(candidate.expect("what can be satisfied has a candidate for each requirement").name);
        }
    }
}

/// How modules stand to each other, also where something is lacking.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Picture<'a> {
    /// Those that can be applied, in their order.
    pub(crate) order: Vec<&'a str>,
    /// Those that cannot.
    pub(crate) stuck: Vec<&'a str>,
    /// Why.
    pub(crate) why: Vec<Unsatisfied>,
}

/// The chosen modules and all that they lack or wait for.
pub(crate) fn picture<'a>(known: &[Part<'a>], installed: &[Part<'a>], chosen: &BTreeSet<&'a str>) -> Picture<'a> {
    let bases = of(installed, |name| !chosen.contains(name));
    let hopeless = Rounds::of(known, &bases).below(chosen);
    let stuck: Vec<&str> = hopeless.iter().map(|waiting| waiting.part.name).collect();
    let possible = chosen.iter().copied().filter(|name| !stuck.contains(name)).collect();
    let whole = completed(known, installed, &possible).and_then(|whole| order(known, installed, &whole));
    let mut why = missing(&hopeless, known, known);
    why.extend(cycles(&hopeless).into_iter().map(Unsatisfied::Cycle));
    Picture { order: whole.expect("what is not hopeless can be applied"), stuck, why }
}

fn of<'a>(known: &[Part<'a>], is_meant: impl Fn(&str) -> bool) -> Vec<Part<'a>> {
    known.iter().filter(|part| is_meant(part.name)).copied().collect()
}

fn named<'a>(known: &[Part<'a>], names: &BTreeSet<&str>) -> Vec<Part<'a>> {
    of(known, |name| names.contains(name))
}

/// The fixed point.
#[derive(Debug)]
struct Rounds<'a> {
    satisfied: BTreeMap<&'a str, usize>,
    waiting: Vec<Waiting<'a>>,
}

/// A module that is not satisfied, and which of its requirements nobody meets who is.
#[derive(Debug, Clone)]
pub(super) struct Waiting<'a> {
    pub(super) part: Part<'a>,
    pub(super) open: Vec<&'a Selector>,
}

impl<'a> Rounds<'a> {
    /// The satisfied ones of `parts`, given that all of `bases` are.
    fn of(parts: &[Part<'a>], bases: &[Part<'a>]) -> Self {
        let waits = |part: &Part<'a>| Waiting { part: *part, open: part.strong.iter().collect() };
        let mut waiting: Vec<Waiting<'a>> = parts.iter().map(waits).collect();
        let mut satisfied = BTreeMap::new();
        let mut newest = bases.to_vec();
        for round in 0.. {
            for Waiting { part, open } in &mut waiting {
                open.retain(|selector| !newest.iter().any(|new| new.serves(part.name, selector)));
            }
            let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|waiting| waiting.open.is_empty());
            waiting = rest;
            newest = ready.into_iter().map(|ready| ready.part).collect();
            if newest.is_empty() {
                break;
            }
            satisfied.extend(newest.iter().map(|part| (part.name, round)));
        }
        Self { satisfied, waiting }
    }

    /// Where a module stands in the order; those that never can come last.
    fn place<'b>(&self, name: &'b str) -> (usize, &'b str) {
        (self.satisfied.get(name).copied().unwrap_or(usize::MAX), name)
    }

    fn order(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.satisfied.keys().copied().collect();
        names.sort_by_key(|name| self.place(name));
        names
    }

    /// Those of the named ones that wait, and all that they wait for.
    fn below(&self, names: &BTreeSet<&str>) -> Vec<Waiting<'a>> {
        let (mut reached, mut rest): (Vec<_>, Vec<_>) =
            self.waiting.iter().cloned().partition(|waiting| names.contains(waiting.part.name));
        let mut seen = 0;
        while seen < reached.len() {
            let (further, others) = rest.into_iter().partition(|other| reached[seen].waits_for(other));
            let further: Vec<_> = further;
            reached.extend(further);
            rest = others;
            seen += 1;
        }
        reached
    }
}

impl Waiting<'_> {
    /// Whether one of these would do, if it were satisfied.
    fn is_met(&self, selector: &Selector, parts: &[Part<'_>]) -> bool {
        parts.iter().any(|other| other.serves(self.part.name, selector))
    }

    pub(super) fn waits_for(&self, other: &Self) -> bool {
        self.open.iter().any(|selector| other.part.serves(self.part.name, selector))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Modules by name, each with the names that meet its requirements: `[["b", "c"]]` is b or c.
    struct Site(Vec<(String, Labels, Vec<Selector>)>);

    impl Site {
        fn new(modules: &[(&str, &[&[&str]])]) -> Self {
            Self(
                modules
                    .iter()
                    .map(|(name, required)| {
                        let labels = Labels::from([("name".to_owned(), (*name).to_owned())]);
                        let selector = |names: &&[&str]| {
                            Selector::new(vec![format!("name in {}", names.join(",")).parse().unwrap()]).unwrap()
                        };
                        ((*name).to_owned(), labels, required.iter().map(selector).collect())
                    })
                    .collect(),
            )
        }

        fn parts(&self) -> Vec<Part<'_>> {
            self.0.iter().map(|(name, labels, strong)| Part { name, labels, strong }).collect()
        }
    }

    fn set<'a>(names: &[&'a str]) -> BTreeSet<&'a str> {
        names.iter().copied().collect()
    }

    #[test]
    fn what_is_required_comes_first() {
        let site = Site::new(&[("a", &[&["b"]]), ("b", &[&["c"]]), ("c", &[]), ("d", &[])]);
        let parts = site.parts();
        assert_eq!(order(&parts, &named(&parts, &set(&[])), &set(&["a", "b", "c", "d"])), Ok(vec!["c", "d", "b", "a"]));
        assert_eq!(order(&parts, &named(&parts, &set(&["b"])), &set(&["a"])), Ok(vec!["a"]));
        // Applied again, those that are installed keep their order.
        assert_eq!(
            order(&parts, &named(&parts, &set(&["a", "b", "c"])), &set(&["a", "b", "c"])),
            Ok(vec!["c", "b", "a"])
        );
    }

    #[test]
    fn what_is_missing_is_told_with_its_candidates() {
        let site = Site::new(&[("a", &[&["b", "c"], &["z"]]), ("b", &[]), ("c", &[])]);
        let missing = |requirement: &str, candidates: &[&str]| Unsatisfied::Missing {
            module: "a".into(),
            requirement: requirement.into(),
            candidates: candidates.iter().map(|&name| name.to_owned()).collect(),
        };
        let expected = vec![missing("name in b,c", &["b", "c"]), missing("name in z", &[])];
        assert_eq!(order(&site.parts(), &named(&site.parts(), &set(&[])), &set(&["a"])), Err(expected));
        assert_eq!(
            completed(&site.parts(), &named(&site.parts(), &set(&[])), &set(&["a"])),
            Err(vec![missing("name in z", &[])])
        );
    }

    #[test]
    fn a_circle_is_told_without_what_hangs_on_it() {
        let site = Site::new(&[("a", &[&["b"]]), ("b", &[&["c"]]), ("c", &[&["b"], &["d"]]), ("d", &[])]);
        let circle = vec![Unsatisfied::Cycle(vec!["b".into(), "c".into(), "b".into()])];
        assert_eq!(
            order(&site.parts(), &named(&site.parts(), &set(&[])), &set(&["a", "b", "c", "d"])),
            Err(circle.clone())
        );
        assert_eq!(completed(&site.parts(), &named(&site.parts(), &set(&[])), &set(&["a"])), Err(circle));
        let alone = Site::new(&[("a", &[&["a"]])]);
        assert!(matches!(
            &order(&alone.parts(), &named(&alone.parts(), &set(&[])), &set(&["a"])).unwrap_err()[..],
            [Unsatisfied::Missing { .. }]
        ));
    }

    #[test]
    fn what_lacks_something_does_not_hide_the_others() {
        let site = Site::new(&[
            ("a", &[&["b"]]),
            ("b", &[&["a"]]),
            ("c", &[&["d"]]),
            ("d", &[]),
            ("e", &[&["z"]]),
            ("f", &[&["e"], &["g"]]),
            ("g", &[&["f"]]),
        ]);
        let parts = site.parts();
        let drawn = picture(&parts, &[], &set(&["a", "b", "c", "d", "e", "f", "g"]));
        assert_eq!((drawn.order, drawn.stuck), (vec!["d", "c"], vec!["a", "b", "e", "f", "g"]));
        let circle = |names: &[&str]| Unsatisfied::Cycle(names.iter().map(|&name| name.to_owned()).collect());
        let lacking =
            Unsatisfied::Missing { module: "e".into(), requirement: "name in z".into(), candidates: Vec::new() };
        assert_eq!(drawn.why, [lacking, circle(&["a", "b", "a"]), circle(&["f", "g", "f"])]);
        // What is asked for comes with what it requires, and with nothing else.
        assert_eq!(picture(&parts, &[], &set(&["c"])).order, ["d", "c"]);
        assert_eq!(picture(&parts, &[], &set(&["g"])).stuck, ["g", "f", "e"]);
        // What was applied lacks nothing any more for those that stand on it.
        assert_eq!(picture(&parts, &named(&parts, &set(&["b"])), &set(&["a"])).order, ["a"]);
    }

    #[test]
    fn of_several_candidates_the_chosen_then_the_simplest_is_taken() {
        let site = Site::new(&[("a", &[&["b", "c"]]), ("b", &[&["d"]]), ("c", &[]), ("d", &[])]);
        let parts = site.parts();
        assert_eq!(completed(&parts, &named(&parts, &set(&[])), &set(&["a"])), Ok(set(&["a", "c"])));
        assert_eq!(completed(&parts, &named(&parts, &set(&[])), &set(&["a", "b"])), Ok(set(&["a", "b", "d"])));
        assert_eq!(completed(&parts, &named(&parts, &set(&["b"])), &set(&["a"])), Ok(set(&["a"])));
    }

    #[test]
    fn what_is_installed_is_what_it_was_then() {
        let labels = |version: &str| Labels::from([("name".into(), "b".into()), ("version".into(), version.into())]);
        let (old, new, none) = (labels("1.0.0"), labels("2.0.0"), Labels::new());
        let strong = [Selector::new(vec!["name eq b".parse().unwrap(), "version ge 2".parse().unwrap()]).unwrap()];
        let a = Part { name: "a", labels: &none, strong: &strong };
        let b = |labels| Part { name: "b", labels, strong: &[] };
        let known = [a, b(&new)];
        assert!(
            matches!(&order(&known, &[b(&old)], &set(&["a"])).unwrap_err()[..], [Unsatisfied::Missing { candidates, .. }] if *candidates == ["b"])
        );
        assert_eq!(order(&known, &[b(&new)], &set(&["a"])), Ok(vec!["a"]));
        assert_eq!(completed(&known, &[b(&old)], &set(&["a"])), Ok(set(&["a", "b"])));
        assert_eq!(order(&known, &[b(&old)], &set(&["a", "b"])), Ok(vec!["b", "a"]));
    }

    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

    /// Whether the chosen ones can be set up one after the other: tried, in every order.
    fn can_be_done(parts: &[Part<'_>], done: &BTreeSet<&str>, left: &BTreeSet<&str>) -> bool {
        left.is_empty()
            || left.iter().any(|name| {
                let part = parts.iter().find(|part| part.name == *name).unwrap();
                let is_met =
                    |selector: &Selector| parts.iter().any(|it| done.contains(it.name) && it.serves(name, selector));
                let (mut done, mut left) = (done.clone(), left.clone());
                done.insert(name);
                left.remove(name);
                part.strong.iter().all(is_met) && can_be_done(parts, &done, &left)
            })
    }

    fn subset(bits: u8) -> BTreeSet<&'static str> {
        NAMES.iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1).map(|(_, name)| *name).collect()
    }

    proptest! {
        #[test]
        fn an_order_is_found_when_there_is_one(
            required in prop::collection::vec(prop::collection::vec(1_u8..32, 0..3), 5),
            installed in 0_u8..32,
            chosen in 1_u8..32,
        ) {
            let alternatives: Vec<Vec<Vec<&str>>> =
                required.iter().map(|all| all.iter().map(|&bits| subset(bits).into_iter().collect()).collect()).collect();
            let slices: Vec<Vec<&[&str]>> = alternatives.iter().map(|all| all.iter().map(Vec::as_slice).collect()).collect();
            let modules: Vec<(&str, &[&[&str]])> = NAMES.iter().copied().zip(slices.iter().map(Vec::as_slice)).collect();
            let site = Site::new(&modules);
            let parts = site.parts();
            let (installed, chosen) = (subset(installed), subset(chosen));
            let bases: BTreeSet<&str> = installed.difference(&chosen).copied().collect();

            let found = order(&parts, &named(&parts, &installed), &chosen);
            prop_assert_eq!(found.is_ok(), can_be_done(&parts, &bases, &chosen));
            if let Ok(found) = found {
                let mut done = bases.clone();
                for name in &found {
                    prop_assert!(can_be_done(&parts, &done, &set(&[name])), "{} too early in {:?}", name, found);
                    done.insert(name);
                }
                prop_assert_eq!(found.len(), chosen.len());
            }

            let whole = completed(&parts, &named(&parts, &installed), &chosen);
            let possible = (0..32).map(subset).any(|all| all.is_superset(&chosen)
                && can_be_done(&parts, &bases, &all.difference(&bases).copied().collect()));
            prop_assert_eq!(whole.is_ok(), possible);
            if let Ok(whole) = whole {
                prop_assert!(whole.is_superset(&chosen));
                prop_assert!(order(&parts, &named(&parts, &installed), &whole).is_ok());
            }
        }
    }
}
