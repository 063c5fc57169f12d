//! What is on the wire, from a BMC's side. It reads what well-behaved consoles send, and ignores the rest.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, Crypter, Mode};

/// Cipher suites 3 and 17.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    pub(super) fn mac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        let digest = match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha256 => MessageDigest::sha256(),
        };
        let key = PKey::hmac(key).expect("OpenSSL takes any key");
        let mut signer = Signer::new(digest, &key).expect("OpenSSL has HMAC");
        signer.sign_oneshot_to_vec(data).expect("OpenSSL signs")
    }

    /// Bytes of a packet's code.
    pub(super) fn short(self) -> usize {
        match self {
            Self::Sha1 => 12,
            Self::Sha256 => 16,
        }
    }
}

fn aes(mode: Mode, key: &[u8], vector: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let mut crypter = Crypter::new(Cipher::aes_128_cbc(), mode, key.get(..16)?, Some(vector)).ok()?;
    crypter.pad(false);
    let mut out = vec![0; data.len() + 16];
    let mut length = crypter.update(data, &mut out).ok()?;
    length += crypter.finalize(&mut out[length..]).ok()?;
    out.truncate(length);
    Some(out)
}

/// Something that came, by its header.
pub(super) enum Heard<'a> {
    /// IPMI 1.5 outside of a session: a message.
    Old(&'a [u8]),
    /// A payload outside of a session.
    Login { kind: u8, payload: &'a [u8] },
    /// A packet of a session, still closed.
    Sealed { session: u32, packet: &'a [u8] },
}

pub(super) fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(place..place + 4)?.try_into().ok()?))
}

pub(super) fn hear(packet: &[u8]) -> Option<Heard<'_>> {
    if !packet.starts_with(&[6, 0, 255, 7]) {
        return None;
    }
    match packet.get(4)? {
        0 => Some(Heard::Old(packet.get(14..)?)),
        6 => {
            let kind = *packet.get(5)?;
            let length = usize::from(u16::from_le_bytes([*packet.get(14)?, *packet.get(15)?]));
            let payload = packet.get(16..16 + length)?;
            match u32_at(packet, 6)? {
                0 => Some(Heard::Login { kind, payload }),
                session => Some(Heard::Sealed { session, packet }),
            }
        }
        _ => None,
    }
}

/// The message in a packet of a session, if signature and padding are right.
pub(super) fn unseal(hash: Hash, k1: &[u8], k2: &[u8], packet: &[u8]) -> Option<Vec<u8>> {
    let split = packet.len().checked_sub(hash.short())?;
    let (body, code) = packet.split_at(split);
    if packet[5] != 0xc0 || hash.mac(k1, body.get(4..)?)[..hash.short()] != *code {
        return None;
    }
    let length = usize::from(u16::from_le_bytes([packet[14], packet[15]]));
    let payload = body.get(16..16 + length)?;
    let plain = aes(Mode::Decrypt, k2, payload.get(..16)?, payload.get(16..)?)?;
    let padding = usize::from(*plain.last()?);
    let end = plain.len().checked_sub(padding + 1)?;
    let right = plain[end..plain.len() - 1].iter().zip(1..).all(|(byte, expected): (&u8, u8)| *byte == expected);
    right.then(|| plain[..end].to_vec())
}

pub(super) fn seal(hash: Hash, k1: &[u8], k2: &[u8], session: u32, sequence: u32, message: &[u8]) -> Vec<u8> {
    let mut plain = message.to_vec();
    let padding = (16 - (plain.len() + 1) % 16) % 16;
    plain.extend((1..=16).take(padding));
    plain.push(u8::try_from(padding).expect("less than a block"));
    let mut vector = [0; 16];
    openssl::rand::rand_bytes(&mut vector).expect("OpenSSL has random numbers");
    let payload = [&vector[..], &aes(Mode::Encrypt, k2, &vector, &plain).expect("whole blocks")].concat();
    let mut packet = vec![6, 0, 255, 7, 6, 0xc0];
    packet.extend(session.to_le_bytes());
    packet.extend(sequence.to_le_bytes());
    packet.extend(u16::try_from(payload.len()).expect("small").to_le_bytes());
    packet.extend(payload);
    let before = packet.len();
    while (packet.len() - 4 + 2) % 4 != 0 {
        packet.push(0xff);
    }
    let padding = packet.len() - before;
    packet.extend([u8::try_from(padding).expect("less than four"), 7]);
    let code = hash.mac(k1, &packet[4..]);
    packet.extend(&code[..hash.short()]);
    packet
}

pub(super) fn login(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![6, 0, 255, 7, 6, kind, 0, 0, 0, 0, 0, 0, 0, 0];
    packet.extend(u16::try_from(payload.len()).expect("small").to_le_bytes());
    packet.extend(payload);
    packet
}

pub(super) fn old(message: &[u8]) -> Vec<u8> {
    let mut packet = vec![6, 0, 255, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    packet.push(u8::try_from(message.len()).expect("small"));
    packet.extend(message);
    packet
}

/// A request's function, command and data.
pub(super) fn request(message: &[u8]) -> Option<(u8, u8, &[u8])> {
    let zero = |bytes: &[u8]| bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) == 0;
    let whole = message.len() >= 7 && zero(&message[..3]) && zero(&message[3..]);
    whole.then(|| (message[1] >> 2, message[5], &message[6..message.len() - 1]))
}

/// The answer to a request.
pub(super) fn response(message: &[u8], code: u8, data: &[u8]) -> Vec<u8> {
    let minus = |bytes: &[u8]| bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
    let mut bytes = vec![message[3], message[1] | 4];
    bytes.push(minus(&bytes));
    bytes.extend([message[0], message[4], message[5], code]);
    bytes.extend(data);
    bytes.push(minus(&bytes[3..]));
    bytes
}
