//! RMCP+ packets: the header of a session, and what protects it. Pure.

use super::cipher::Keys;
use super::reader::Reader;

/// Version 1.0, no sequence, class IPMI.
const RMCP: [u8; 4] = [0x06, 0x00, 0xff, 0x07];
/// The authentication type that says: this is IPMI 2.0.
const RMCP_PLUS: u8 = 0x06;
const ENCRYPTED: u8 = 0x80;
const AUTHENTICATED: u8 = 0x40;
/// What follows the padding of an authenticated packet.
const NEXT_HEADER: u8 = 0x07;

/// What a packet carries, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    /// Serial over LAN.
    Serial,
    OpenRequest,
    OpenResponse,
    Rakp1,
    Rakp2,
    Rakp3,
    Rakp4,
}

impl Kind {
    const ALL: [(Self, u8); 8] = [
        (Self::Message, 0x00),
        (Self::Serial, 0x01),
        (Self::OpenRequest, 0x10),
        (Self::OpenResponse, 0x11),
        (Self::Rakp1, 0x12),
        (Self::Rakp2, 0x13),
        (Self::Rakp3, 0x14),
        (Self::Rakp4, 0x15),
    ];

    fn number(self) -> u8 {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or(0, |(_, number)| *number)
    }

    fn of(number: u8) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == number).map(|(kind, _)| *kind)
    }
}

/// A packet as it came, not yet proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) kind: Kind,
    flags: u8,
    session: u32,
    pub(super) sequence: u32,
    payload: &'a [u8],
    /// From the authentication type through the next header: what the code is of.
    signed: &'a [u8],
    code: &'a [u8],
}

/// A packet outside of any session, as RAKP needs it.
pub(super) fn bare(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = RMCP.to_vec();
    header(&mut bytes, kind.number(), 0, 0, payload);
    bytes
}

/// A packet of a session: to whom, under which number.
pub(super) fn sealed(
    keys: &Keys,
    vector: [u8; 16],
    (session, sequence): (u32, u32),
    kind: Kind,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = RMCP.to_vec();
    let payload = keys.encrypt(vector, payload);
    header(&mut bytes, kind.number() | ENCRYPTED | AUTHENTICATED, session, sequence, &payload);
    let padding = (4 - (bytes.len() - RMCP.len() + 2) % 4) % 4;
    bytes.extend(std::iter::repeat_n(0xff, padding));
    bytes.extend([u8::try_from(padding).expect("less than four"), NEXT_HEADER]);
    let code = keys.code(&bytes[RMCP.len()..]);
    bytes.extend(code);
    bytes
}

fn header(bytes: &mut Vec<u8>, kind: u8, session: u32, sequence: u32, payload: &[u8]) {
    bytes.extend([RMCP_PLUS, kind]);
    bytes.extend(session.to_le_bytes());
    bytes.extend(sequence.to_le_bytes());
    bytes.extend(u16::try_from(payload.len()).expect("we send no large messages").to_le_bytes());
    bytes.extend(payload);
}

impl<'a> Packet<'a> {
    /// Reads a packet of a kind that we know.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let [version, _, _, class] = reader.array()?;
        if version != RMCP[0] || class != RMCP[3] || reader.u8()? != RMCP_PLUS {
            return None;
        }
        let kind = reader.u8()?;
        let (session, sequence) = (reader.u32()?, reader.u32()?);
        let length = usize::from(reader.u16()?);
        let payload = reader.take(length)?;
        let flags = kind & (ENCRYPTED | AUTHENTICATED);
        let (signed, code) = if flags & AUTHENTICATED == 0 { (&[][..], &[][..]) } else { trailer(bytes, reader)? };
        Some(Self { kind: Kind::of(kind & 0x3f)?, flags, session, sequence, payload, signed, code })
    }

    /// The number that we gave the session, wherever the packet has it: before a session stands it is in the payload.
    pub(super) fn console(&self) -> Option<u32> {
        match self.kind {
            Kind::Message | Kind::Serial => Some(self.session),
            Kind::OpenResponse | Kind::Rakp2 | Kind::Rakp4 => {
                let mut reader = Reader::new(self.payload);
                reader.take(4)?;
                reader.u32()
            }
            Kind::OpenRequest | Kind::Rakp1 | Kind::Rakp3 => None,
        }
    }

    /// What a packet outside of a session carries.
    pub(super) fn bare(&self) -> Option<&'a [u8]> {
        (self.flags == 0 && self.session == 0).then_some(self.payload)
    }

    /// What a packet of the session carries, if its code is right; nothing that is not both signed and encrypted.
    pub(super) fn unsealed(&self, keys: &Keys) -> Option<Vec<u8>> {
        let protected = self.flags == ENCRYPTED | AUTHENTICATED && keys.is_code(self.signed, self.code);
        if protected { keys.decrypt(self.payload) } else { None }
    }
}

/// Splits what comes after the payload: padding, its length, next header, code.
fn trailer<'a>(bytes: &'a [u8], mut reader: Reader<'a>) -> Option<(&'a [u8], &'a [u8])> {
    // The padding is 0xff and its length is not, so that it is found without knowing how long the code is.
    let padding = reader.rest().iter().take_while(|&&byte| byte == 0xff).count();
    reader.take(padding)?;
    let [length, next] = reader.array()?;
    if usize::from(length) != padding || next != NEXT_HEADER {
        return None;
    }
    let code = reader.rest();
    let end = bytes.len() - code.len();
    Some((bytes.get(RMCP.len()..end)?, code))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cipher::tests::keys;
    use super::*;

    #[test]
    fn a_bare_packet_has_the_header_of_the_specification() {
        let bytes = bare(Kind::OpenRequest, &[1, 2]);
        assert_eq!(bytes, [6, 0, 0xff, 7, 6, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 2]);
        assert_eq!(Packet::read(&bytes).and_then(|packet| packet.bare().map(<[u8]>::to_vec)), Some(vec![1, 2]));
    }

    #[test]
    fn the_session_is_found_before_it_stands() {
        let bytes = bare(Kind::Rakp2, &[9, 0, 0, 0, 0x78, 0x56, 0x34, 0x12, 0]);
        assert_eq!(Packet::read(&bytes).and_then(|packet| packet.console()), Some(0x1234_5678));
        assert_eq!(Packet::read(&bare(Kind::Rakp2, &[9, 0])).and_then(|packet| packet.console()), None);
    }

    proptest! {
        #[test]
        fn what_is_sealed_comes_back(keys in keys(), vector: [u8; 16], session: u32, sequence: u32, message in any::<[u8; 9]>(), more in 0..9usize, serial: bool) {
            let kind = if serial { Kind::Serial } else { Kind::Message };
            let bytes = sealed(&keys, vector, (session, sequence), kind, &message[..more]);
            let packet = Packet::read(&bytes).unwrap();
            prop_assert_eq!(packet.kind, kind);
            prop_assert_eq!((packet.console(), packet.sequence), (Some(session), sequence));
            prop_assert_eq!(packet.unsealed(&keys).unwrap(), &message[..more]);
            prop_assert_eq!(packet.bare(), None);
        }

        #[test]
        fn a_changed_packet_is_none(keys in keys(), vector: [u8; 16], message in any::<[u8; 8]>(), place: prop::sample::Index, change in 1..=255u8) {
            let mut bytes = sealed(&keys, vector, (7, 1), Kind::Message, &message);
            let place = RMCP.len() + place.index(bytes.len() - RMCP.len());
            bytes[place] ^= change;
            prop_assert_eq!(Packet::read(&bytes).and_then(|packet| packet.unsealed(&keys)), None);
        }

        #[test]
        fn hostile_bytes_do_no_harm(keys in keys(), tail: Vec<u8>, head: bool) {
            let bytes = if head { [&RMCP[..], &[RMCP_PLUS], &tail].concat() } else { tail };
            if let Some(packet) = Packet::read(&bytes) {
                packet.console();
                packet.unsealed(&keys);
            }
        }

        #[test]
        fn a_cut_packet_is_none(keys in keys(), vector: [u8; 16], message in any::<[u8; 8]>(), place: prop::sample::Index) {
            let bytes = sealed(&keys, vector, (7, 1), Kind::Message, &message);
            let cut = &bytes[..place.index(bytes.len())];
            prop_assert_eq!(Packet::read(cut).and_then(|packet| packet.unsealed(&keys)), None);
        }
    }
}
