//! Hardware addresses of Ethernet ports.

use std::fmt;
use std::str::FromStr;

/// Six octets; written in small letters with colons, read however they are separated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// The text is no address of an Ethernet port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a MAC address")]
pub struct NotMac;

impl FromStr for Mac {
    type Err = NotMac;

    fn from_str(text: &str) -> Result<Self, NotMac> {
        let mut digits = text.chars().filter(|letter| !matches!(letter, ':' | '-' | '.'));
        let mut octets = [0; 6];
        for octet in &mut octets {
            let mut digit = || digits.next().and_then(|digit| digit.to_digit(16)).ok_or(NotMac);
            *octet = u8::try_from(digit()? << 4 | digit()?).map_err(|_| NotMac)?;
        }
        if digits.next().is_some() { Err(NotMac) } else { Ok(Self(octets)) }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_any_spelling() {
        let read = |text: &str| text.parse::<Mac>().map(|mac| mac.to_string());
        for text in ["52:54:00:AB:cd:01", "52-54-00-ab-cd-01", "525400abcd01", "5254.00ab.cd01"] {
            assert_eq!(read(text).as_deref(), Ok("52:54:00:ab:cd:01"), "{text}");
        }
        for text in ["", "52:54:00:ab:cd", "52:54:00:ab:cd:01:02", "52:54:00:ab:cd:0x", "é2:54:00:ab:cd:01"] {
            assert_eq!(read(text), Err(NotMac), "{text}");
        }
    }
}
