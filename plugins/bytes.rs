//! Bytes as text.

use std::fmt::Write;

/// In hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

/// As part of a URL that nothing can leave: what is no letter and no digit is coded.
pub(crate) fn in_url(text: &str) -> String {
    let one = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_text() {
        assert_eq!((hex(&[0, 10, 255]), hex(&[])), ("000aff".into(), String::new()));
        assert_eq!(in_url("a/b@c:d %é"), "a%2Fb%40c%3Ad%20%25%C3%A9");
    }
}
