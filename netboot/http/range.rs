//! Which part of a file a request wants (RFC 9110 §14): pure.

use std::ops::Range;

/// What to send of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// Bytes from, and up to before.
    Some(Range<u64>),
    /// Nothing that the file has.
    None,
}

impl Part {
    /// What header `Range` asks for. Several ranges at once are answered with the whole file, as is what makes no sense:
    /// a server may do so.
    pub(super) fn of(header: &str, length: u64) -> Self {
        let Some(wanted) = header.strip_prefix("bytes=").filter(|wanted| !wanted.contains(',')) else {
            return Self::Whole;
        };
        let Some((first, last)) = wanted.trim().split_once('-') else { return Self::Whole };
        let (start, end) = match (number(first), number(last)) {
            (Some(first), Some(last)) if last < first => return Self::Whole,
            (Some(first), Some(last)) => (first, last.saturating_add(1)),
            (Some(first), None) if last.is_empty() => (first, length),
            (None, Some(0)) if first.is_empty() => return Self::None,
            (None, Some(last)) if first.is_empty() => (length.saturating_sub(last), length),
            _ => return Self::Whole,
        };
        if start >= length { Self::None } else { Self::Some(start..end.min(length)) }
    }
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_of_a_hundred_bytes() {
        let check = |header: &str, expected: Part| assert_eq!(Part::of(header, 100), expected, "{header}");
        check("bytes=0-9", Part::Some(0..10));
        check("bytes=90-", Part::Some(90..100));
        check("bytes=90-1000", Part::Some(90..100));
        check("bytes=-10", Part::Some(90..100));
        check("bytes=-1000", Part::Some(0..100));
        check("bytes=0-18446744073709551615", Part::Some(0..100));
        check("bytes=100-", Part::None);
        check("bytes=-0", Part::None);
        for header in [
            "bytes=5-2",
            "bytes=-",
            "bytes=a-b",
            "bytes=+1-2",
            "lines=0-1",
            "bytes=0-1,3-4",
            "bytes=99999999999999999999-",
        ] {
            check(header, Part::Whole);
        }
        assert_eq!(Part::of("bytes=0-", 0), Part::None);
    }

    proptest! {
        #[test]
        fn a_part_is_within_the_file(header in "bytes=[0-9]{0,21}-[0-9]{0,21}", length: u64) {
            if let Part::Some(range) = Part::of(&header, length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }

        #[test]
        fn no_header_panics(header in ".{0,40}") {
            Part::of(&header, 7);
        }
    }
}
