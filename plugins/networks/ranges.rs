//! Ranges of addresses that nobody uses.
//!
//! Addresses are counted as numbers, so that one search serves both families and a search through 10.0.0.0/8 leaps from
//! one used range to the end of it instead of trying every address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

/// Where a site takes addresses from that the world does not know: RFC 1918, in the order in which they are offered. The
/// space from which engines take ranges of their own accord comes last but one, the small one last.
const PRIVATE_V4: [(Ipv4Addr, u8); 3] =
    [(Ipv4Addr::new(10, 0, 0, 0), 8), (Ipv4Addr::new(172, 16, 0, 0), 12), (Ipv4Addr::new(192, 168, 0, 0), 16)];
/// Unique local addresses, RFC 4193.
const PRIVATE_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0), 8);

/// Whether two ranges have an address in common.
pub fn overlap(one: IpNetwork, other: IpNetwork) -> bool {
    one.contains(other.network()) || other.contains(one.network())
}

/// A free range as large as `wanted`: the next one after it in the same private space, else the first of any.
pub(super) fn free_like(wanted: IpNetwork, used: &[IpNetwork]) -> Option<IpNetwork> {
    let own = private_like(wanted).into_iter().find(|space| space.contains(wanted.network()));
    let after = own.and_then(|space| Free::of(space, wanted.prefix(), used).after(wanted).next());
    after.or_else(|| free(wanted, used).next())
}

/// The private ranges as large as `wanted` of which nothing is used, in the order in which they are offered.
fn free(wanted: IpNetwork, used: &[IpNetwork]) -> impl Iterator<Item = IpNetwork> {
    private_like(wanted).into_iter().flat_map(move |space| Free::of(space, wanted.prefix(), used))
}

fn private_like(wanted: IpNetwork) -> Vec<IpNetwork> {
    let spaces: Vec<(IpAddr, u8)> = match wanted {
        IpNetwork::V4(_) => PRIVATE_V4.iter().map(|&(base, length)| (base.into(), length)).collect(),
        IpNetwork::V6(_) => vec![(PRIVATE_V6.0.into(), PRIVATE_V6.1)],
    };
    spaces.into_iter().filter_map(|(base, length)| IpNetwork::new(base, length).ok()).collect()
}

/// The free ranges of a space, from its beginning on.
struct Free {
    space: IpNetwork,
    prefix: u8,
    /// First and last address of what is used, by first address.
    used: Vec<(u128, u128)>,
    /// The next address to look at; None once the space is at its end.
    next: Option<u128>,
}

impl Free {
    fn of(space: IpNetwork, prefix: u8, used: &[IpNetwork]) -> Self {
        let mut used: Vec<(u128, u128)> =
            used.iter().filter(|range| range.is_ipv4() == space.is_ipv4()).map(|&range| ends(range)).collect();
        used.sort_unstable();
        let fits = prefix >= space.prefix() && prefix <= width(space);
        Self { space, prefix, used, next: fits.then(|| ends(space).0) }
    }

    /// Those that come after a range of the same size.
    fn after(self, range: IpNetwork) -> Self {
        Self { next: self.next.and_then(|_| ends(range).1.checked_add(1)), ..self }
    }
}

impl Iterator for Free {
    type Item = IpNetwork;

    fn next(&mut self) -> Option<IpNetwork> {
        // The size less one, for the size of everything has no number.
        let rest = ends(IpNetwork::new(self.space.network(), self.prefix).ok()?).1 - ends(self.space).0;
        let mut first = self.next.take()?;
        for &(from, to) in &self.used {
            if to < first {
                continue;
            }
            if from > first.checked_add(rest)? {
                break;
            }
            // The next multiple of the size after what is used.
            first = (to | rest).checked_add(1)?;
        }
        let last = first.checked_add(rest)?;
        if last > ends(self.space).1 {
            return None;
        }
        self.next = last.checked_add(1);
        IpNetwork::new(address(first, self.space), self.prefix).ok()
    }
}

/// The first and the last address of a range.
fn ends(range: IpNetwork) -> (u128, u128) {
    (number(range.network()), number(range.broadcast()))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// The address of that number in the family of `like`.
fn address(number: u128, like: IpNetwork) -> IpAddr {
    match like {
        IpNetwork::V4(_) => Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        IpNetwork::V6(_) => Ipv6Addr::from(number).into(),
    }
}

/// The length of an address in bits.
fn width(like: IpNetwork) -> u8 {
    if like.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges(text: &str) -> Vec<IpNetwork> {
        text.split_whitespace().map(|word| word.parse().expect("a range")).collect()
    }

    fn like(prefix: u8) -> IpNetwork {
        IpNetwork::new([10, 0, 0, 0].into(), prefix).expect("a prefix")
    }

    #[test]
    fn the_first_that_are_free() {
        let check = |used: &str, prefix: u8, count: usize, expected: &str| {
            let found: Vec<IpNetwork> = free(like(prefix), &ranges(used)).take(count).collect();
            assert_eq!(found, ranges(expected), "{used} /{prefix}");
        };
        check("", 16, 2, "10.0.0.0/16 10.1.0.0/16");
        check("10.0.0.0/16", 16, 1, "10.1.0.0/16");
        check("10.0.0.0/9", 16, 1, "10.128.0.0/16");
        check("10.0.3.7/32", 16, 1, "10.1.0.0/16");
        check("10.0.0.0/24 10.0.2.0/24", 24, 3, "10.0.1.0/24 10.0.3.0/24 10.0.4.0/24");
        check("10.0.0.0/8", 12, 9, "172.16.0.0/12");
        check("10.0.0.0/8 172.16.0.0/12", 16, 9, "192.168.0.0/16");
        check("0.0.0.0/0", 24, 1, "");
        check("fd00::/8 ::/0", 8, 9, "10.0.0.0/8");
        check("", 7, 9, "");
        // Of nested ranges the longer reach counts, whatever comes after it.
        check("10.0.0.0/15 10.0.0.0/24 10.1.9.0/24", 16, 1, "10.2.0.0/16");
    }

    #[test]
    fn one_like_the_wanted() {
        let check = |wanted: &str, used: &str, expected: Option<&str>| {
            let expected = expected.map(|text| text.parse().expect("a range"));
            assert_eq!(free_like(wanted.parse().expect("a range"), &ranges(used)), expected, "{wanted}");
        };
        check("10.80.0.0/16", "10.80.4.0/22", Some("10.81.0.0/16"));
        check("10.80.0.0/16", "10.80.4.0/22 10.81.0.0/16 10.82.255.0/24", Some("10.83.0.0/16"));
        check("10.255.0.0/16", "10.255.1.0/24", Some("10.0.0.0/16"));
        check("192.168.0.0/16", "192.168.7.0/24", Some("10.0.0.0/16"));
        check("131.130.0.0/16", "131.130.7.0/24", Some("10.0.0.0/16"));
        check("fd77:1::/64", "fd77:1::/64", Some("fd77:1:0:1::/64"));
        check("10.80.0.0/16", "0.0.0.0/0", None);
    }

    fn range() -> impl Strategy<Value = IpNetwork> {
        // Crowded on purpose, so that ranges touch and hold each other.
        (0u32..1 << 12, 16u8..=32).prop_map(|(place, prefix)| {
            let base = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | place << 12));
            let range = IpNetwork::new(base, prefix).expect("a prefix");
            IpNetwork::new(range.network(), prefix).expect("a prefix")
        })
    }

    proptest! {
        #[test]
        fn what_is_free_is_free_and_none_is_left_out(used in prop::collection::vec(range(), 0..40), prefix in 14u8..=24) {
            let free: Vec<IpNetwork> = free(like(prefix), &used).take(20).collect();
            prop_assert!(free.iter().all(|free| free.prefix() == prefix && free.ip() == free.network()));
            prop_assert!(free.iter().all(|free| !used.iter().any(|used| overlap(*free, *used))));
            prop_assert!(free.windows(2).all(|pair| pair[0].broadcast() < pair[1].network()));
            // Whatever lies before the first one is used.
            let first = number(free[0].network());
            let step = 1u128 << (32 - prefix);
            for base in (0x0a00_0000..first).step_by(usize::try_from(step).unwrap()) {
                let skipped = IpNetwork::new(address(base, free[0]), prefix).unwrap();
                prop_assert!(used.iter().any(|used| overlap(skipped, *used)), "{skipped} is free");
            }
        }

        #[test]
        fn overlap_is_of_both(one in range(), other in range()) {
            prop_assert_eq!(overlap(one, other), overlap(other, one));
            let (a, b) = (ends(one), ends(other));
            prop_assert_eq!(overlap(one, other), a.0 <= b.1 && b.0 <= a.1);
        }

        #[test]
        fn proposals_are_free(wanted in range(), used in prop::collection::vec(range(), 0..40)) {
            let mut taken = used;
            taken.push(wanted);
            let free = free_like(wanted, &taken).expect("10.0.0.0/8 is not full");
            prop_assert!(free.prefix() == wanted.prefix() && !taken.iter().any(|used| overlap(free, *used)));
        }
    }
}
