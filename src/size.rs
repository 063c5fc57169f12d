//! Numbers of bytes, for people.

/// `1.5G`.
pub(crate) fn size(bytes: u64) -> String {
    let units = [("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];
    match units.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{}.{}{name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |bytes: u64, expected: &str| assert_eq!(size(bytes), expected);
        check(0, "0B");
        check(1023, "1023B");
        check(1536, "1.5K");
        check(3 << 30, "3.0G");
        check((1 << 40) - 1, "1023.9G");
    }
}
