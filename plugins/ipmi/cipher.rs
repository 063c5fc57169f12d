//! The two cipher suites that matter: 3 (SHA-1) and 17 (SHA-256), both with AES-CBC-128. Pure.

use aes::Aes128;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;

const BLOCK: usize = 16;

/// What a session is protected with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suite {
    /// Suite 17: RAKP-HMAC-SHA256, HMAC-SHA256-128, AES-CBC-128.
    Sha256,
    /// Suite 3: RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128.
    Sha1,
}

impl Suite {
    /// The numbers of its algorithms: of authentication, of integrity, of confidentiality.
    pub(super) fn algorithms(self) -> [u8; 3] {
        match self {
            Self::Sha256 => [3, 4, 1],
            Self::Sha1 => [1, 1, 1],
        }
    }

    /// Bytes of a whole code, as RAKP messages 2 and 3 carry it.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha1 => 20,
        }
    }

    /// Bytes of the shortened code of packets and of RAKP message 4.
    pub(super) fn short_length(self) -> usize {
        match self {
            Self::Sha256 => 16,
            Self::Sha1 => 12,
        }
    }

    pub(super) fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha256 => fed::<Hmac<Sha256>>(key, parts).finalize().into_bytes().to_vec(),
            Self::Sha1 => fed::<Hmac<Sha1>>(key, parts).finalize().into_bytes().to_vec(),
        }
    }

    /// Whether `code` is the whole or shortened code of `parts`; takes as long whatever it is.
    pub(super) fn is_code(self, key: &[u8], parts: &[&[u8]], code: &[u8]) -> bool {
        let known = code.len() == self.length() || code.len() == self.short_length();
        known
            && match self {
                Self::Sha256 => fed::<Hmac<Sha256>>(key, parts).verify_truncated_left(code).is_ok(),
                Self::Sha1 => fed::<Hmac<Sha1>>(key, parts).verify_truncated_left(code).is_ok(),
            }
    }
}

fn fed<M: Mac + hmac::digest::KeyInit>(key: &[u8], parts: &[&[u8]]) -> M {
    let mut mac = <M as Mac>::new_from_slice(key).expect("an HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac
}

/// The keys of one session.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) suite: Suite,
    integrity: Vec<u8>,
    confidentiality: [u8; BLOCK],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({:?}, ***)", self.suite)
    }
}

impl Keys {
    /// K1 and K2 of a session integrity key.
    pub(super) fn new(suite: Suite, session: &[u8]) -> Self {
        let second = suite.hmac(session, &[&[2; 20]]);
        let mut confidentiality = [0; BLOCK];
        confidentiality.copy_from_slice(&second[..BLOCK]);
        Self { suite, integrity: suite.hmac(session, &[&[1; 20]]), confidentiality }
    }

    /// The code at the end of a packet.
    pub(super) fn code(&self, packet: &[u8]) -> Vec<u8> {
        let mut code = self.suite.hmac(&self.integrity, &[packet]);
        code.truncate(self.suite.short_length());
        code
    }

    pub(super) fn is_code(&self, packet: &[u8], code: &[u8]) -> bool {
        code.len() == self.suite.short_length() && self.suite.is_code(&self.integrity, &[packet], code)
    }

    /// Initialization vector, then data with padding 1, 2, 3, … and its length.
    pub(super) fn encrypt(&self, vector: [u8; BLOCK], data: &[u8]) -> Vec<u8> {
        let padding = (BLOCK - (data.len() + 1) % BLOCK) % BLOCK;
        let mut padded = data.to_vec();
        padded.extend((1..).take(padding));
        padded.push(u8::try_from(padding).expect("less than a block"));
        let cipher = cbc::Encryptor::<Aes128>::new(&self.confidentiality.into(), &vector.into());
        let mut out = vector.to_vec();
        out.extend(cipher.encrypt_padded_vec_mut::<NoPadding>(&padded));
        out
    }

    /// None unless it is whole blocks with the padding that there has to be.
    pub(super) fn decrypt(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (vector, data) = bytes.split_at_checked(BLOCK)?;
        let vector: [u8; BLOCK] = vector.try_into().ok()?;
        let cipher = cbc::Decryptor::<Aes128>::new(&self.confidentiality.into(), &vector.into());
        let mut plain = cipher.decrypt_padded_vec_mut::<NoPadding>(data).ok()?;
        let padding = usize::from(plain.pop()?);
        let length = plain.len().checked_sub(padding)?;
        // ipmi_sim and some BMCs pad up to a whole block more than they need; what is in it is not checked by anybody.
        plain.truncate(length);
        Some(plain)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in super::super) fn keys() -> impl Strategy<Value = Keys> {
        (prop_oneof![Just(Suite::Sha1), Just(Suite::Sha256)], any::<[u8; 20]>())
            .prop_map(|(suite, key)| Keys::new(suite, &key))
    }

    #[test]
    fn codes_are_those_of_rfc_2202_and_4231() {
        let check = |suite: Suite, expected: &str| {
            assert_eq!(crate::hex(&suite.hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"])), expected);
        };
        check(Suite::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        check(Suite::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    proptest! {
        #[test]
        fn what_is_encrypted_comes_back(keys in keys(), vector: [u8; 16], data: Vec<u8>) {
            let sealed = keys.encrypt(vector, &data);
            prop_assert_eq!(sealed.len() % BLOCK, 0);
            prop_assert_eq!(keys.decrypt(&sealed), Some(data));
        }

        #[test]
        fn hostile_bytes_do_no_harm(keys in keys(), bytes: Vec<u8>) {
            keys.decrypt(&bytes);
            prop_assert!(!keys.is_code(&bytes, &bytes));
        }
    }
}
