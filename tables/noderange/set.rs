//! Sets of names as sorted vectors: a union is one merge of sorted stretches, the rest are single passes.

use std::cmp::Ordering;

use super::Name;

/// The names in plain string order, each once.
pub fn sorted(mut names: Vec<Name>) -> Vec<Name> {
    // The stable sort finds stretches that are sorted already, which joined sets are made of.
    names.sort();
    names.dedup();
    names
}

/// The names that are not excluded; both sorted.
pub fn without(mut names: Vec<Name>, excluded: &[Name]) -> Vec<Name> {
    let mut rest = excluded;
    names.retain(|name| !found(name, &mut rest));
    names
}

/// The names that are in both; both sorted.
pub fn intersection(mut names: Vec<Name>, others: &[Name]) -> Vec<Name> {
    let mut rest = others;
    names.retain(|name| found(name, &mut rest));
    names
}

/// Whether `name` is at the front of `rest`, once what is smaller was dropped from there.
fn found(name: &Name, rest: &mut &[Name]) -> bool {
    while let Some((first, behind)) = rest.split_first() {
        match first.cmp(name) {
            Ordering::Less => *rest = behind,
            Ordering::Equal => return true,
            Ordering::Greater => return false,
        }
    }
    false
}
