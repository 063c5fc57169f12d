//! What holds for every range and every set of names.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::names::Builder;
use super::{Index, Names, Options, Unknown, expand, fold};

/// Names with many numbers in few shapes, so that they often fold.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "n[0-2]?[0-9]{1,2}",
        4 => "r[0-3]n0?[0-4]",
        2 => "r[0-2]-c[0-2]-ib[01]",
        2 => "a[0-9]{1,3}\\.x[01]\\.com",
        2 => "[ab0-2]{1,3}([-._][ab0-2]{1,2}){0,3}",
        2 => "[0-9]{0,2}n[0-9]{0,3}(-ib)?[0-9]{0,3}",
        1 => "x(9{1,3}|10{1,3}|[0-9]{16,20})",
    ]
}

fn names() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set(name(), 0..60)
}

fn index(names: &BTreeSet<String>) -> Index {
    Index::new(names.iter().collect())
}

/// The names a range stands for; an empty text stands for none.
fn expanded(range: &str, index: &Index, unknown: Unknown) -> BTreeSet<String> {
    if range.is_empty() {
        return BTreeSet::new();
    }
    let found = expand(range, index, &Options { unknown, ..Options::default() }).unwrap();
    written(&found.names)
}

/// The names of a set, which must come in order and once.
fn written(names: &Names) -> BTreeSet<String> {
    let written = names.to_vec();
    assert!(written.is_sorted_by(|a, b| a < b), "{written:?}");
    written.into_iter().collect()
}

/// A range over the nodes n0 to n9 as text, and the set it must stand for.
#[derive(Debug, Clone)]
struct Model {
    text: String,
    nodes: BTreeSet<u8>,
}

fn run() -> impl Strategy<Value = Model> {
    (0..10_u8, 0..10_u8, 0..4).prop_map(|(a, b, form)| {
        let (from, to) = (a.min(b), a.max(b));
        let text = match form {
            0 => format!("n{from}-n{to}"),
            1 => format!("n[{from}-{to}]"),
            2 => format!("/n[{from}-{to}]"),
            _ => format!("n{from}+{}", to - from),
        };
        Model { text, nodes: (from..=to).collect() }
    })
}

fn model() -> impl Strategy<Value = Model> {
    run().prop_recursive(4, 24, 5, |inner| {
        let item = (prop::bool::weighted(0.3), prop::collection::vec(inner, 1..3));
        prop::collection::vec(item, 1..4).prop_map(|items| {
            let (mut included, mut excluded) = (BTreeSet::new(), BTreeSet::new());
            let mut texts = Vec::new();
            for (exclude, atoms) in items {
                let nodes = atoms.iter().map(|atom| atom.nodes.clone()).reduce(|a, b| &a & &b).unwrap();
                let text = atoms.iter().map(|atom| atom.text.as_str()).collect::<Vec<_>>().join("@");
                texts.push(if exclude { format!("-{text}") } else { text });
                let side = if exclude { &mut excluded } else { &mut included };
                side.extend(nodes);
            }
            Model { text: format!("({})", texts.join(",")), nodes: &included - &excluded }
        })
    })
}

/// Any text, and texts that come near to ranges.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![".*", "[nr0-9a\\[\\](),@^/+:=~!{}\\\\. -]{0,40}", "(n?[0-9]{1,22}[-:+,\\[\\]]){1,6}"]
}

/// A name with a run of numbers in it: text and digits on either side, the run's ends, its width.
fn run_in_name() -> impl Strategy<Value = (String, std::ops::RangeInclusive<u64>, usize, String)> {
    let side = "[0-9]{0,3}[a-]{0,1}[0-9]{0,2}";
    let ends = prop_oneof![0..200_u64, 99_990..100_010_u64, Just(99_999_999_999_999_990), Just(u64::MAX - 9)];
    (side, ends, 0..9_u64, 1..4_usize, side)
        .prop_map(|(before, from, more, width, after)| (before, from..=from + more, width, after))
}

proptest! {
    #[test]
    fn names_are_sets(a in names(), b in names()) {
        let (ours, others): (Names, Names) = (a.iter().collect(), b.iter().rev().chain(&b).collect());
        prop_assert_eq!((ours.len(), ours.is_empty()), (a.len(), a.is_empty()));
        prop_assert_eq!(&written(&ours), &a);
        prop_assert_eq!(written(&ours.intersection(&others)), &a & &b);
        prop_assert_eq!(written(&ours.without(&others)), &a - &b);
        prop_assert_eq!(ours == others, a == b);
        prop_assert!(a.union(&b).all(|name| ours.contains(name) == a.contains(name)));
        prop_assert_eq!(ours.counted().collect::<BTreeSet<_>>(), a.clone());
        prop_assert_eq!(ours.joined(" "), a.into_iter().collect::<Vec<_>>().join(" "));
    }

    #[test]
    fn runs_are_their_names((before, numbers, width, after) in run_in_name()) {
        let names: BTreeSet<_> = numbers.clone().map(|number| format!("{before}{number:0width$}{after}")).collect();
        let mut run = Builder::default();
        run.add_run(&before, numbers, width, &after);
        let run = run.finish();
        prop_assert_eq!(&run, &names.iter().collect::<Names>());
        prop_assert_eq!(written(&run), names);
    }

    #[test]
    fn folded_names_expand_to_themselves(names in names(), others in names()) {
        let all = &names | &others;
        prop_assert_eq!(expanded(&fold(&names), &index(&all), Unknown::Refuse), names);
    }

    #[test]
    fn folded_names_expand_where_they_do_not_exist_yet(names in names()) {
        let is_name = |name: &String| name.contains(|c: char| !c.is_ascii_digit());
        let names: BTreeSet<_> = names.into_iter().filter(is_name).collect();
        prop_assert_eq!(expanded(&fold(&names), &Index::default(), Unknown::Accept), names);
    }

    #[test]
    fn folding_does_not_depend_on_order(names in prop::collection::vec(name(), 0..40)) {
        let sorted: BTreeSet<_> = names.iter().collect();
        prop_assert_eq!(fold(&names), fold(sorted));
    }

    #[test]
    fn ranges_follow_the_laws_of_sets(model in model()) {
        let nodes = (0..10).map(|i| format!("n{i}")).collect();
        let expected: BTreeSet<_> = model.nodes.iter().map(|i| format!("n{i}")).collect();
        prop_assert_eq!(expanded(&model.text, &index(&nodes), Unknown::Refuse), expected);
    }

    #[test]
    fn nothing_panics(range in text()) {
        let index = index(&["n1", "n2", "r1n1"].map(String::from).into());
        for unknown in [Unknown::Refuse, Unknown::Report, Unknown::Accept] {
            match expand(&range, &index, &Options { unknown, ..Options::default() }) {
                Ok(found) => prop_assert_eq!(written(&found.names).len(), found.names.len()),
                Err(error) => {
                    prop_assert!(error.at <= error.range.len());
                    prop_assert!(error.diagram().lines().count() == 2 && !error.to_string().contains('\n'));
                }
            }
        }
        fold(range.split(','));
    }
}
