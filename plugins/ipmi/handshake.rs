//! How a session comes to be: open session and RAKP messages 1 to 4. Pure: bytes in, bytes and keys out.

use super::cipher::{Keys, Suite};
use super::reader::Reader;
use crate::Secret;

/// Longest names and passwords of IPMI 2.0.
pub(super) const LONGEST_USER: usize = 16;
pub(super) const LONGEST_PASSWORD: usize = 20;
/// Says that the user is looked up by name alone, not by name and privilege.
const BY_NAME: u8 = 0x10;

/// What a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Privilege {
    User = 2,
    Operator = 3,
    Administrator = 4,
}

impl Privilege {
    pub(super) fn lower(self) -> Option<Self> {
        match self {
            Self::Administrator => Some(Self::Operator),
            Self::Operator => Some(Self::User),
            Self::User => None,
        }
    }
}

/// Why the BMC or we end a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A status of the specification's table 13-15.
    Status(u8),
    /// The BMC proved that it knows another password than ours.
    WrongPassword,
    /// It answered with other algorithms than were proposed.
    OtherAlgorithms,
}

impl Refusal {
    /// Another suite may be what the BMC can.
    pub(super) fn is_of_suite(self) -> bool {
        matches!(self, Self::OtherAlgorithms | Self::Status(0x03..=0x07 | 0x10..=0x12))
    }

    /// The user may have less than was asked for.
    pub(super) fn is_of_privilege(self) -> bool {
        matches!(self, Self::Status(0x09 | 0x0a))
    }

    /// A message was lost or came twice, so that the sides do not agree on where they are; or no session is free now.
    pub(super) fn may_pass(self) -> bool {
        matches!(self, Self::Status(0x01 | 0x02 | 0x08 | 0x0b))
    }

    pub(super) fn words(self, user: &str) -> String {
        match self {
            Self::WrongPassword | Self::Status(0x0f) => format!("wrong password for user '{user}'"),
            Self::OtherAlgorithms => "it has neither cipher suite 17 nor 3".into(),
            Self::Status(0x01 | 0x0b) => "it has no free session".into(),
            Self::Status(0x09 | 0x0a) => format!("user '{user}' has no privilege to log in"),
            Self::Status(0x0d) => format!("it knows no user '{user}'"),
            Self::Status(0x03..=0x07 | 0x10 | 0x11) => "it has neither cipher suite 17 nor 3".into(),
            Self::Status(code) => format!("it refuses the login with status {code:#04x}"),
        }
    }
}

/// Open Session Request: our number for the session, and the algorithms of one suite.
pub(super) fn open_request(tag: u8, console: u32, suite: Suite) -> Vec<u8> {
    let mut bytes = vec![tag, 0, 0, 0]; // 0: whatever privilege the suite allows
    bytes.extend(console.to_le_bytes());
    for (kind, algorithm) in (0..).zip(suite.algorithms()) {
        bytes.extend([kind, 0, 0, 8, algorithm, 0, 0, 0]);
    }
    bytes
}

/// Whether a payload of an answer is for the message with this tag.
pub(super) fn tag_of(payload: &[u8]) -> Option<u8> {
    payload.first().copied()
}

/// The BMC's number for the session.
pub(super) fn opened(payload: &[u8], suite: Suite) -> Option<Result<u32, Refusal>> {
    let mut reader = Reader::new(payload);
    let (_tag, status) = (reader.u8()?, reader.u8()?);
    if status != 0 {
        return Some(Err(Refusal::Status(status)));
    }
    let (_privilege, _console) = (reader.u16()?, reader.u32()?);
    let managed = reader.u32()?;
    for wanted in suite.algorithms() {
        let [_, _, _, _, algorithm, _, _, _] = reader.array()?;
        if algorithm & 0x3f != wanted {
            return Some(Err(Refusal::OtherAlgorithms));
        }
    }
    Some(Ok(managed))
}

/// What both sides of a login have agreed on before RAKP message 1.
#[derive(Debug, Clone)]
pub(super) struct Login<'a> {
    pub(super) suite: Suite,
    pub(super) user: &'a str,
    pub(super) password: &'a Secret,
    pub(super) privilege: Privilege,
    /// Our number for the session, and the BMC's.
    pub(super) console: u32,
    pub(super) managed: u32,
    pub(super) nonce: [u8; 16],
}

/// What RAKP message 2 has brought.
pub(super) struct Answered {
    /// RAKP message 3.
    pub(super) reply: Vec<u8>,
    pub(super) keys: Keys,
    session_key: Vec<u8>,
    /// Which BMC it is, by its own word.
    pub(super) guid: [u8; 16],
}

impl Login<'_> {
    fn role(&self) -> u8 {
        self.privilege as u8 | BY_NAME
    }

    /// Role, length of the name, name: how the user stands in every code.
    fn user(&self) -> Vec<u8> {
        let mut bytes = vec![self.role(), u8::try_from(self.user.len()).unwrap_or(u8::MAX)];
        bytes.extend(self.user.as_bytes());
        bytes
    }

    fn key(&self) -> &[u8] {
        self.password.reveal().as_bytes()
    }

    /// RAKP message 1.
    pub(super) fn first(&self, tag: u8) -> Vec<u8> {
        let mut bytes = vec![tag, 0, 0, 0];
        bytes.extend(self.managed.to_le_bytes());
        bytes.extend(self.nonce);
        let user = self.user();
        bytes.extend([user[0], 0, 0]);
        bytes.extend(&user[1..]);
        bytes
    }

    /// Reads RAKP message 2, which proves that the BMC knows the password.
    pub(super) fn answered(&self, payload: &[u8], tag: u8) -> Option<Result<Answered, Refusal>> {
        let mut reader = Reader::new(payload);
        let (_tag, status) = (reader.u8()?, reader.u8()?);
        if status != 0 {
            return Some(Err(Refusal::Status(status)));
        }
        let (_reserved, _console) = (reader.u16()?, reader.u32()?);
        let nonce: [u8; 16] = reader.array()?;
        let guid: [u8; 16] = reader.array()?;
        let (console, managed) = (self.console.to_le_bytes(), self.managed.to_le_bytes());
        let user = self.user();
        let proof = [&console[..], &managed, &self.nonce, &nonce, &guid, &user];
        if reader.rest().len() != self.suite.length() || !self.suite.is_code(self.key(), &proof, reader.rest()) {
            return Some(Err(Refusal::WrongPassword));
        }
        let session_key = self.suite.hmac(self.key(), &[&self.nonce, &nonce, &user]);
        let mut reply = vec![tag, 0, 0, 0];
        reply.extend(managed);
        reply.extend(self.suite.hmac(self.key(), &[&nonce, &console, &user]));
        Some(Ok(Answered { reply, keys: Keys::new(self.suite, &session_key), session_key, guid }))
    }

    /// RAKP message 3 of a side that gives up, so that the BMC does not keep half a session.
    pub(super) fn farewell(&self, tag: u8) -> Vec<u8> {
        let mut bytes = vec![tag, 0x0f, 0, 0];
        bytes.extend(self.managed.to_le_bytes());
        bytes
    }

    /// Reads RAKP message 4, after which the session stands.
    pub(super) fn finished(&self, payload: &[u8], answered: &Answered) -> Option<Result<(), Refusal>> {
        let mut reader = Reader::new(payload);
        let (_tag, status) = (reader.u8()?, reader.u8()?);
        if status != 0 {
            return Some(Err(Refusal::Status(status)));
        }
        let (_reserved, _console) = (reader.u16()?, reader.u32()?);
        let proof = [&self.nonce[..], &self.managed.to_le_bytes(), &answered.guid];
        let code = reader.rest();
        let right = code.len() == self.suite.short_length() && self.suite.is_code(&answered.session_key, &proof, code);
        Some(if right { Ok(()) } else { Err(Refusal::Status(0x0f)) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn login(password: &Secret, suite: Suite) -> Login<'_> {
        let privilege = Privilege::Administrator;
        Login { suite, user: "admin", password, privilege, console: 1, managed: 2, nonce: [3; 16] }
    }

    #[test]
    fn an_open_request_proposes_one_suite() {
        let expected = [7, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 8, 4, 0, 0, 0, 2, 0, 0, 8, 1, 0, 0, 0];
        assert_eq!(open_request(7, 0x0102_0304, Suite::Sha256), expected);
    }

    #[test]
    fn a_bmc_that_knows_another_password_is_noticed() {
        let password = Secret::new("secret");
        let mut answer = vec![1, 0, 0, 0, 1, 0, 0, 0];
        answer.extend([9; 32]);
        answer.extend([0; 20]);
        let answered = login(&password, Suite::Sha1).answered(&answer, 2).unwrap();
        assert_eq!(answered.err(), Some(Refusal::WrongPassword));
    }

    #[test]
    fn refusals_in_words_show_no_password() {
        let check = |refusal: Refusal, expected: &str| assert_eq!(refusal.words("ada"), expected);
        check(Refusal::WrongPassword, "wrong password for user 'ada'");
        check(Refusal::Status(0x0d), "it knows no user 'ada'");
        check(Refusal::Status(0x01), "it has no free session");
        check(Refusal::Status(0x77), "it refuses the login with status 0x77");
    }

    proptest! {
        #[test]
        fn hostile_answers_do_no_harm(payload: Vec<u8>, old: bool) {
            let suite = if old { Suite::Sha1 } else { Suite::Sha256 };
            let password = Secret::new("secret");
            let login = login(&password, suite);
            opened(&payload, suite);
            prop_assert!(!matches!(login.answered(&payload, 1), Some(Ok(_))));
            let answered = Answered { reply: vec![], keys: Keys::new(suite, &[1]), session_key: vec![1], guid: [0; 16] };
            prop_assert!(!matches!(login.finished(&payload, &answered), Some(Ok(()))));
        }
    }
}
