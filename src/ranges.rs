//! Ranges of IPv4 addresses as people write them: `10.0.0.1-254,10.1.0.0/24`, also `10.0-3.0.1-254` and
//! `10.0.0.9-10.0.1.20`.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::failure::Failure;

/// More than any site has of one kind, and few enough to hold them in memory.
const MOST: usize = 1 << 20;

/// The addresses of ranges that are separated by commas or blanks, in order, each once. The first and the last address of a
/// network in CIDR form are nobody's and left out.
pub(crate) fn addresses(text: &str) -> Result<Vec<Ipv4Addr>, Failure> {
    let mut all = BTreeSet::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        let wrong = || {
            Failure::usage(format!("'{word}' is no range of IPv4 addresses"))
                .hint("it takes 10.0.0.1-254, 10.0.0.9-10.0.1.20 or 10.1.0.0/24, several by comma")
        };
        let range = parse(word).ok_or_else(wrong)?;
        if range.len() > MOST - all.len() {
            return Err(Failure::usage(format!("'{text}' has more than {MOST} addresses")));
        }
        range.each(|address| {
            all.insert(address);
        });
    }
    match all.is_empty() {
        true => Err(Failure::usage("there is no address in the range")),
        false => Ok(all.into_iter().collect()),
    }
}

/// A range that is written in one word.
enum Range {
    /// From one address to another.
    Span(u32, u32),
    /// Any combination of these parts.
    Parts([(u8, u8); 4]),
}

impl Range {
    fn len(&self) -> usize {
        match self {
            Self::Span(first, last) => usize::try_from(last - first).map_or(usize::MAX, |count| count + 1),
            Self::Parts(parts) => parts.iter().map(|(first, last)| usize::from(last - first) + 1).product(),
        }
    }

    fn each(&self, mut take: impl FnMut(Ipv4Addr)) {
        match *self {
            Self::Span(first, last) => (first..=last).for_each(|number| take(number.into())),
            Self::Parts([a, b, c, d]) => {
                for a in a.0..=a.1 {
                    for b in b.0..=b.1 {
                        for c in c.0..=c.1 {
                            (d.0..=d.1).for_each(|d| take(Ipv4Addr::new(a, b, c, d)));
                        }
                    }
                }
            }
        }
    }
}

fn parse(word: &str) -> Option<Range> {
    if let Some((address, prefix)) = word.split_once('/') {
        let (address, prefix) = (u32::from(address.parse::<Ipv4Addr>().ok()?), prefix.parse::<u8>().ok()?);
        let rest = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
        let (first, last) = (address & !rest, address | rest);
        return match prefix {
            0..=30 => Some(Range::Span(first + 1, last - 1)),
            31 | 32 => Some(Range::Span(first, last)),
            _ => None,
        };
    }
    if let Some((first, last)) = word.split_once('-')
        && let (Ok(first), Ok(last)) = (first.parse::<Ipv4Addr>(), last.parse::<Ipv4Addr>())
    {
        return (first <= last).then(|| Range::Span(first.into(), last.into()));
    }
    let parts: Vec<(u8, u8)> = word.split('.').map(part).collect::<Option<_>>()?;
    Some(Range::Parts(parts.try_into().ok()?))
}

fn part(text: &str) -> Option<(u8, u8)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match addresses(text) {
            Ok(all) if all.len() > 4 => format!("{} {} {}", all[0], all[all.len() - 1], all.len()),
            Ok(all) => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(failure) => failure.message,
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn ranges_in_all_forms() {
        check("10.0.0.7", "10.0.0.7");
        check("10.0.0.1-254", "10.0.0.1 10.0.0.254 254");
        check("10.0.1-2.9-10", "10.0.1.9 10.0.1.10 10.0.2.9 10.0.2.10");
        check("10.0.0.254-10.0.1.1", "10.0.0.254 10.0.0.255 10.0.1.0 10.0.1.1");
        check("10.1.0.0/24", "10.1.0.1 10.1.0.254 254");
        check("10.1.0.9/32,10.1.0.10/31 10.1.0.9", "10.1.0.9 10.1.0.10 10.1.0.11");
        check("10.1.0.77/30", "10.1.0.77 10.1.0.78");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for bad in
            ["10.0.0", "10.0.0.256", "10.0.0.9-1", "10.0.0.0/33", "ten", "10.0.0.2-10.0.0.1", "fd00::1", "10.0.0.1-"]
        {
            check(bad, &format!("'{bad}' is no range of IPv4 addresses"));
        }
        check(",", "there is no address in the range");
        check("0.0.0.0/0", "'0.0.0.0/0' has more than 1048576 addresses");
        check("10.0.0.0/12,11.0.0.0/12", "'10.0.0.0/12,11.0.0.0/12' has more than 1048576 addresses");
    }

    proptest! {
        #[test]
        fn any_text_will_do(text in "[0-9./, -]{0,24}") {
            if let Ok(all) = addresses(&text) {
                prop_assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
            }
        }
    }
}
