//! The numbers of DHCP's options (RFC 2132 and those that followed) and what their values look like.

use std::net::Ipv4Addr;

pub(crate) const MASK: u8 = 1;
pub(crate) const ROUTERS: u8 = 3;
pub(crate) const NAME_SERVERS: u8 = 6;
pub(crate) const LOG_SERVERS: u8 = 7;
pub(crate) const HOST_NAME: u8 = 12;
pub(crate) const DOMAIN: u8 = 15;
pub(crate) const MTU: u8 = 26;
pub(crate) const BROADCAST: u8 = 28;
pub(crate) const TIME_SERVERS: u8 = 42;
pub(crate) const VENDOR: u8 = 43;
pub(crate) const WANTED_ADDRESS: u8 = 50;
pub(crate) const LEASE_TIME: u8 = 51;
/// Which of the fields `file` (1) and `sname` (2) hold options too.
pub(crate) const OVERLOAD: u8 = 52;
pub(crate) const MESSAGE_TYPE: u8 = 53;
pub(crate) const SERVER: u8 = 54;
/// The options that a client asks for.
pub(crate) const ASKED: u8 = 55;
pub(crate) const MESSAGE: u8 = 56;
/// The greatest packet that a client takes, IP and UDP headers included.
pub(crate) const MAX_SIZE: u8 = 57;
pub(crate) const CLASS: u8 = 60;
pub(crate) const CLIENT_ID: u8 = 61;
pub(crate) const BOOT_FILE: u8 = 67;
pub(crate) const USER_CLASS: u8 = 77;
pub(crate) const RELAY: u8 = 82;
pub(crate) const ARCHITECTURES: u8 = 93;
pub(crate) const MACHINE: u8 = 97;
/// iPXE's own options, packed into one.
pub(crate) const IPXE: u8 = 175;

const PAD: u8 = 0;
const END: u8 = 255;

/// Options in the order in which they came, the parts of long ones joined (RFC 3396).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options(Vec<(u8, Vec<u8>)>);

impl Options {
    /// Adds what a field of a packet holds. What is cut off in the middle ends it.
    pub(crate) fn read(&mut self, mut field: &[u8]) {
        while let Some((&code, rest)) = field.split_first() {
            field = match (code, rest.split_first()) {
                (PAD, _) => rest,
                (END, _) | (_, None) => return,
                (_, Some((&length, rest))) => {
                    let Some((value, rest)) = rest.split_at_checked(length.into()) else { return };
                    self.add(code, value);
                    rest
                }
            };
        }
    }

    fn add(&mut self, code: u8, value: &[u8]) {
        match self.0.iter_mut().find(|(known, _)| *known == code) {
            Some((_, known)) => known.extend_from_slice(value),
            None => self.0.push((code, value.to_vec())),
        }
    }

    pub(crate) fn get(&self, code: u8) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| *known == code).map(|(_, value)| value.as_slice())
    }

    pub(crate) fn address(&self, code: u8) -> Option<Ipv4Addr> {
        self.get(code)?.try_into().ok().map(<[u8; 4]>::into)
    }

    pub(crate) fn number(&self, code: u8) -> Option<u16> {
        self.get(code)?.try_into().ok().map(u16::from_be_bytes)
    }
}

/// Writes options into a packet that must not become longer than `limit`. One that has no room is left out: what matters
/// is written first.
pub(crate) struct Writer<'p> {
    pub(crate) packet: &'p mut Vec<u8>,
    pub(crate) limit: usize,
}

impl Writer<'_> {
    pub(crate) fn add(&mut self, code: u8, value: &[u8]) {
        // A value longer than 255 bytes is several options of the same number.
        let parts = value.len().div_ceil(255).max(1);
        if self.packet.len() + value.len() + 2 * parts > self.limit {
            return;
        }
        for part in value.chunks(255).chain(value.is_empty().then_some(value)) {
            self.packet.extend([code, u8::try_from(part.len()).unwrap_or(u8::MAX)]);
            self.packet.extend_from_slice(part);
        }
    }

    pub(crate) fn end(self) {
        self.packet.push(END);
    }
}

/// The value of an option that is a list of addresses.
pub(crate) fn addresses(addresses: &[Ipv4Addr]) -> Vec<u8> {
    addresses.iter().flat_map(|address| address.octets()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(field: &[u8]) -> Options {
        let mut options = Options::default();
        options.read(field);
        options
    }

    #[test]
    fn parts_are_joined_and_what_is_cut_off_ends_them() {
        let options = read(&[0, 12, 2, b'a', b'b', 0, 1, 0, 12, 1, b'c', 255, 53, 1, 1]);
        assert_eq!(options.get(12), Some(&b"abc"[..]));
        assert_eq!(options.get(1), Some(&[][..]));
        assert_eq!(options.get(53), None);
        for cut in [&[12][..], &[12, 2, 1], &[12, 255]] {
            assert_eq!(read(cut), Options::default(), "{cut:?}");
        }
        assert_eq!(read(&[50, 3, 1, 2, 3]).address(50), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(field: Vec<u8>) {
            read(&field);
        }

        #[test]
        fn what_was_written_is_read(values in prop::collection::btree_map(1_u8..255, prop::collection::vec(any::<u8>(), 0..700), 0..6)) {
            let mut packet = Vec::new();
            let mut writer = Writer { packet: &mut packet, limit: 10_000 };
            values.iter().for_each(|(code, value)| writer.add(*code, value));
            writer.end();
            let options = read(&packet);
            for (code, value) in &values {
                prop_assert_eq!(options.get(*code), Some(value.as_slice()));
            }
        }

        #[test]
        fn no_packet_is_longer_than_its_limit(values: Vec<(u8, Vec<u8>)>, limit in 0_usize..400) {
            let mut packet = Vec::new();
            let mut writer = Writer { packet: &mut packet, limit };
            values.iter().for_each(|(code, value)| writer.add(*code, value));
            prop_assert!(packet.len() <= limit);
        }
    }
}
