//! TFTP packets as bytes (RFC 1350 §5, RFC 2347): big-endian, texts end with a zero.
//!
//!     1 read, 2 write   name 0 mode 0 (option 0 value 0)*
//!     3 data            block, up to blksize bytes
//!     4 ack             block
//!     5 error           code, text 0
//!     6 options         (option 0 value 0)*

/// What a client may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packet {
    Read(Request),
    Write,
    Ack(u16),
    Error { code: u16, text: String },
}

/// A file that a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    /// In the client's order and spelling.
    pub(crate) options: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Octet,
    /// Lines end with CR LF, a CR is followed by a zero.
    Netascii,
}

/// Error codes of RFC 1350 and 2347 that we send.
pub(crate) mod code {
    pub(crate) const OTHER: u16 = 0;
    pub(crate) const NOT_FOUND: u16 = 1;
    pub(crate) const DENIED: u16 = 2;
}

/// Reads a packet; None for everything that a client has no reason to send.
pub(crate) fn decode(bytes: &[u8]) -> Option<Packet> {
    let (opcode, rest) = number(bytes)?;
    Some(match opcode {
        1 => Packet::Read(request(rest)?),
        2 => Packet::Write,
        4 => Packet::Ack(number(rest)?.0),
        5 => {
            let (code, text) = number(rest)?;
            let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
            Packet::Error { code, text: String::from_utf8_lossy(text).into_owned() }
        }
        _ => return None,
    })
}

fn request(bytes: &[u8]) -> Option<Request> {
    // The last text must have its zero too.
    let bytes = bytes.strip_suffix(&[0])?;
    let mut texts = bytes.split(|byte| *byte == 0).map(str::from_utf8);
    let mut text = || texts.next()?.ok().map(str::to_owned);
    let name = text()?;
    let mode = match text()?.to_ascii_lowercase().as_str() {
        "octet" => Mode::Octet,
        "netascii" => Mode::Netascii,
        _ => return None,
    };
    let mut options = Vec::new();
    // Firmware is known to fill up requests with zeros: what is no option ends them.
    while let Some(option) = text().filter(|option| !option.is_empty()) {
        options.push((option, text()?));
    }
    Some(Request { name, mode, options })
}

fn number(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*number), rest))
}

/// Writes a data packet over what is in `packet`.
pub(crate) fn data(packet: &mut Vec<u8>, block: u16, bytes: &[u8]) {
    packet.clear();
    packet.extend_from_slice(&3_u16.to_be_bytes());
    packet.extend_from_slice(&block.to_be_bytes());
    packet.extend_from_slice(bytes);
}

pub(crate) fn options(agreed: &[(String, String)]) -> Vec<u8> {
    let mut packet = 6_u16.to_be_bytes().to_vec();
    for text in agreed.iter().flat_map(|(option, value)| [option, value]) {
        packet.extend_from_slice(text.as_bytes());
        packet.push(0);
    }
    packet
}

pub(crate) fn error(code: u16, text: &str) -> Vec<u8> {
    let mut packet = 5_u16.to_be_bytes().to_vec();
    packet.extend_from_slice(&code.to_be_bytes());
    packet.extend_from_slice(text.as_bytes());
    packet.push(0);
    packet
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_of_real_clients() {
        let check = |bytes: &[u8], name: &str, mode: Mode, options: &[(&str, &str)]| {
            let options = options.iter().map(|(option, value)| ((*option).into(), (*value).into())).collect();
            assert_eq!(decode(bytes), Some(Packet::Read(Request { name: name.into(), mode, options })));
        };
        let ovmf = b"\0\x01snponly.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0";
        check(ovmf, "snponly.efi", Mode::Octet, &[("tsize", "0"), ("blksize", "1468"), ("windowsize", "4")]);
        check(b"\0\x01a b\0NetASCII\0", "a b", Mode::Netascii, &[]);
        check(b"\0\x01x\0octet\0\0\0\0", "x", Mode::Octet, &[]);
    }

    #[test]
    fn what_no_client_sends_is_not_read() {
        let bad: &[&[u8]] = &[
            b"",
            b"\0",
            b"\0\x01",
            b"\0\x01x",
            b"\0\x01x\0",
            b"\0\x01x\0octet",
            b"\0\x01x\0mail\0",
            b"\0\x01\xff\xfe\0octet\0",
            b"\0\x01x\0octet\0blksize\0",
            b"\0\x03\0\x01data",
            b"\0\x04\0",
            b"\0\x09\0\0",
        ];
        bad.iter().for_each(|bytes| assert_eq!(decode(bytes), None, "{bytes:?}"));
    }

    proptest! {
        #[test]
        fn no_packet_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            decode(&bytes);
        }

        #[test]
        fn no_request_panics(opcode in 1_u8..6, bytes in proptest::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..90)) {
            decode(&[&[0, opcode], &bytes[..]].concat());
        }

        #[test]
        fn errors_are_read_as_written(code: u16, text in "[^\0]{0,40}") {
            prop_assert_eq!(decode(&error(code, &text)), Some(Packet::Error { code, text }));
        }
    }
}
