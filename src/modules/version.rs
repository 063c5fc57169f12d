//! Versions as modules write them, in the order of Semantic Versioning (semver.org 2.0.0 §11). Modules are not all
//! strict about it: `1`, `v1.2` and `20.10` are versions too, with zeros for the parts that they leave out.

use semver::Version;

/// The version that a word stands for; `None` if it stands for none.
pub(crate) fn parse(word: &str) -> Option<Version> {
    let word = word.strip_prefix('v').unwrap_or(word);
    let end = word.find(['-', '+']).unwrap_or(word.len());
    let (numbers, rest) = word.split_at(end);
    let missing = 3_usize.checked_sub(numbers.split('.').count())?;
    // Leading zeros, as in 20.04, are refused by the grammar; they count for nothing.
    let numbers: Vec<&str> = numbers.split('.').map(bare).chain(std::iter::repeat_n("0", missing)).collect();
    Version::parse(&format!("{}{rest}", numbers.join("."))).ok()
}

fn bare(number: &str) -> &str {
    match number.trim_start_matches('0') {
        "" if !number.is_empty() => "0",
        bare => bare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_left_out_are_zero() {
        let same = |one: &str, other: &str| assert_eq!(parse(one), Version::parse(other).ok(), "{one}");
        same("1", "1.0.0");
        same("v1.2", "1.2.0");
        same("20.04", "20.4.0");
        same("1.2.3-rc.1+build7", "1.2.3-rc.1+build7");
    }

    #[test]
    fn others_are_no_versions() {
        for word in ["", "v", "1.", "1..2", "1.2.3.4", "latest", "1.2-", "99999999999999999999"] {
            assert_eq!(parse(word), None, "{word}");
        }
    }

    #[test]
    fn order_is_that_of_numbers_and_a_candidate_comes_before_its_release() {
        assert!(parse("1.10") > parse("1.9"));
        assert!(parse("2.0.0-rc.1") < parse("2"));
        assert!(parse("2.0.0-rc.2") < parse("2.0.0-rc.10"));
    }
}
