//! "Did you mean": the known name nearest to a mistyped one.

use std::cmp::Reverse;

/// The known name that a slip or two turn into `wrong`; None when nothing is near enough to be meant.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong: Vec<char> = wrong.to_lowercase().chars().collect();
    let limit = (wrong.len() / 3).clamp(1, 3);
    let near = known.into_iter().filter_map(|name| {
        let letters: Vec<char> = name.to_lowercase().chars().collect();
        let distance =
            if letters.len().abs_diff(wrong.len()) > limit { usize::MAX } else { distance(&wrong, &letters) };
        (distance <= limit && distance < wrong.len().max(letters.len())).then_some((distance, letters, name))
    });
    let alike = |letters: &[char]| Reverse(letters.iter().zip(&wrong).take_while(|(a, b)| a == b).count());
    near.min_by_key(|(distance, letters, name)| (*distance, alike(letters), *name)).map(|(_, _, name)| name)
}

/// How many letters must be added, dropped, replaced or swapped with their neighbour.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for row in 1..=from.len() {
        let mut line = vec![row];
        for column in 1..=to.len() {
            let replaced = above[column - 1] + usize::from(from[row - 1] != to[column - 1]);
            let mut best = replaced.min(above[column] + 1).min(line[column - 1] + 1);
            if row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1] {
                best = best.min(before[column - 2] + 1);
            }
            line.push(best);
        }
        before = std::mem::replace(&mut above, line);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(wrong: &str, known: &[&str], expected: Option<&str>) {
        assert_eq!(nearest(wrong, known.iter().copied()), expected, "{wrong}");
    }

    #[test]
    fn finds_what_was_meant() {
        let attributes = ["vmhost", "vmcpus", "vmmemory", "groups", "mgt", "ip", "mac"];
        check("vmhots", &attributes, Some("vmhost"));
        check("vmhosts", &attributes, Some("vmhost"));
        check("VMHOST", &attributes, Some("vmhost"));
        check("group", &attributes, Some("groups"));
        check("mtg", &attributes, Some("mgt"));
        check("vmmem", &attributes, None);
        check("colour", &attributes, None);
        check("x", &attributes, None);
        check("", &attributes, None);
        check("n1", &[], None);
    }

    #[test]
    fn of_equally_near_names_takes_the_one_that_begins_alike() {
        check("node13", &["aode13", "node12", "node1"], Some("node1"));
        check("cn5", &["an5", "cn4", "cn6"], Some("cn4"));
    }

    fn far(from: &str, to: &str) -> usize {
        distance(&from.chars().collect::<Vec<_>>(), &to.chars().collect::<Vec<_>>())
    }

    #[test]
    fn counts_slips() {
        for (from, to, expected) in [("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3)] {
            assert_eq!(far(from, to), expected, "{from} {to}");
        }
    }

    proptest! {
        #[test]
        fn distance_is_symmetric_and_bounded(a in "[a-c]{0,8}", b in "[a-c]{0,8}") {
            prop_assert_eq!(far(&a, &b), far(&b, &a));
            prop_assert!(far(&a, &b) <= a.len().max(b.len()));
            prop_assert!(far(&a, &b) >= a.len().abs_diff(b.len()));
            prop_assert_eq!(far(&a, &b) == 0, a == b);
        }
    }
}
