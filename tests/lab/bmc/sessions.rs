//! Logging in to a BMC, and what is said in a session.

use std::collections::HashMap;

use super::packets::{self, Hash, Heard, u32_at};
use super::{Fault, Machine};

/// As few as real ones have.
const MOST: usize = 4;

/// The sessions of one BMC, by its own number for each.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    all: HashMap<u32, Session>,
    last: u32,
}

#[derive(Debug, Clone)]
struct Session {
    hash: Hash,
    console: u32,
    /// Key of the session, K1, K2; empty before the console has proved itself.
    keys: [Vec<u8>; 3],
    console_nonce: Vec<u8>,
    nonce: [u8; 16],
    role: u8,
    stands: bool,
    /// A session begins with the rights of a user, 2.
    privilege: u8,
    sequence: u32,
}

impl Sessions {
    /// Those that stand.
    pub(super) fn count(&self) -> usize {
        self.all.values().filter(|session| session.stands).count()
    }

    pub(super) fn answer(
        &mut self,
        packet: &[u8],
        fault: &mut Option<Fault>,
        machine: &mut Machine,
    ) -> Option<Vec<u8>> {
        match packets::hear(packet)? {
            Heard::Old(message) => {
                let (function, command, _) = packets::request(message)?;
                let (code, data): (u8, &[u8]) = match (function, command) {
                    // Get Channel Authentication Capabilities: IPMI 2.0 is spoken, with user names.
                    (6, 0x38) => (0, &[1, 0x80, 0x04, 0x02, 0, 0, 0, 0]),
                    (6, 0x37) => (0, &machine.guid),
                    _ => (0xc1, &[]),
                };
                Some(packets::old(&packets::response(message, code, data)))
            }
            Heard::Login { kind: 0x10, payload } => self.open(payload, fault),
            Heard::Login { .. } if *fault == Some(Fault::HalfOpen) => None,
            Heard::Login { kind: 0x12, payload } => self.first(payload, machine),
            Heard::Login { kind: 0x14, payload } => self.third(payload, machine),
            Heard::Login { .. } => None,
            Heard::Sealed { session, packet } => self.talk(session, packet, fault, machine),
        }
    }

    fn open(&mut self, payload: &[u8], fault: &mut Option<Fault>) -> Option<Vec<u8>> {
        let (tag, console) = (*payload.first()?, u32_at(payload, 4)?);
        let no = |status: u8| {
            let head = [&[tag, status, 0, 0], &console.to_le_bytes()[..]].concat();
            Some(packets::login(0x11, &head))
        };
        let algorithms = [*payload.get(12)?, *payload.get(20)?, *payload.get(28)?];
        let hash = match algorithms {
            [1, 1, 1] => Hash::Sha1,
            [3, 4, 1] if *fault == Some(Fault::SilentOnSuite17) => return None,
            [3, 4, 1] if *fault != Some(Fault::OnlySuite3) => Hash::Sha256,
            _ => return no(0x11),
        };
        if let Some(Fault::Full(times)) = fault {
            *fault = (*times > 1).then(|| Fault::Full(*times - 1));
            return no(0x01);
        }
        if self.count() >= MOST {
            return no(0x01);
        }
        self.last += 1;
        let mut nonce = [0; 16];
        openssl::rand::rand_bytes(&mut nonce).expect("OpenSSL has random numbers");
        let session = Session {
            hash,
            console,
            keys: Default::default(),
            console_nonce: vec![],
            nonce,
            role: 0,
            stands: false,
            privilege: 2,
            sequence: 0,
        };
        self.all.insert(self.last, session);
        let mut answer = [&[tag, 0, 4, 0], &console.to_le_bytes()[..], &self.last.to_le_bytes()].concat();
        for (kind, algorithm) in (0..).zip(algorithms) {
            answer.extend([kind, 0, 0, 8, algorithm, 0, 0, 0]);
        }
        Some(packets::login(0x11, &answer))
    }

    /// RAKP message 1, answered by 2.
    fn first(&mut self, payload: &[u8], machine: &Machine) -> Option<Vec<u8>> {
        let (tag, number) = (*payload.first()?, u32_at(payload, 4)?);
        let session = self.all.get_mut(&number)?;
        let no = |status: u8| {
            Some(packets::login(0x13, &[&[tag, status, 0, 0], &session.console.to_le_bytes()[..]].concat()))
        };
        let user = payload.get(28..28 + usize::from(*payload.get(27)?))?;
        if user != machine.user.as_bytes() {
            return no(0x0d);
        }
        if *payload.get(24)? & 0x0f > machine.privilege {
            return no(0x09);
        }
        session.console_nonce = payload.get(8..24)?.to_vec();
        session.role = *payload.get(24)?;
        let head = [&session.console.to_le_bytes()[..], &number.to_le_bytes()].concat();
        let names = session.names(user);
        let signed = [&head, &session.console_nonce, &session.nonce[..], &machine.guid, &names].concat();
        let password = machine.password.as_bytes();
        let code = session.hash.mac(password, &signed);
        let secret = session.hash.mac(password, &[&session.console_nonce, &session.nonce[..], &names].concat());
        session.keys = [secret.clone(), session.hash.mac(&secret, &[1; 20]), session.hash.mac(&secret, &[2; 20])];
        let answer =
            [&[tag, 0, 0, 0], &session.console.to_le_bytes()[..], &session.nonce, &machine.guid, &code].concat();
        Some(packets::login(0x13, &answer))
    }

    /// RAKP message 3, answered by 4.
    fn third(&mut self, payload: &[u8], machine: &Machine) -> Option<Vec<u8>> {
        let (tag, status, number) = (*payload.first()?, *payload.get(1)?, u32_at(payload, 4)?);
        let session = self.all.get_mut(&number)?;
        if status != 0 {
            self.all.remove(&number);
            return None;
        }
        let names = session.names(machine.user.as_bytes());
        let signed = [&session.nonce[..], &session.console.to_le_bytes(), &names].concat();
        let head = |status: u8| [&[tag, status, 0, 0], &session.console.to_le_bytes()[..]].concat();
        if session.hash.mac(machine.password.as_bytes(), &signed) != *payload.get(8..)? {
            return Some(packets::login(0x15, &head(0x0f)));
        }
        let signed = [&session.console_nonce, &number.to_le_bytes()[..], &machine.guid].concat();
        let code = session.hash.mac(&session.keys[0], &signed);
        let answer = [&head(0), &code[..session.hash.short()]].concat();
        session.stands = true;
        Some(packets::login(0x15, &answer))
    }

    fn talk(
        &mut self,
        number: u32,
        packet: &[u8],
        fault: &mut Option<Fault>,
        machine: &mut Machine,
    ) -> Option<Vec<u8>> {
        let session = self.all.get_mut(&number).filter(|session| session.stands)?;
        let [_, k1, k2] = &session.keys;
        let message = packets::unseal(session.hash, k1, k2, packet)?;
        let (function, command, data) = packets::request(&message)?;
        let (code, answer) = match (function, command, &*fault) {
            (6, 0x3c, _) => (0, vec![]),
            (_, _, Some(Fault::Busy(times))) => {
                *fault = (*times > 1).then(|| Fault::Busy(*times - 1));
                (0xc0, vec![])
            }
            (6, 0x3b, _) if *data.first()? > machine.privilege => (0x80, vec![]),
            (6, 0x3b, _) => {
                session.privilege = session.privilege.max(*data.first()?);
                (0, vec![session.privilege])
            }
            (0, 0x02 | 0x08, _) if session.privilege < 3 => (0xd4, vec![]),
            (0, 0x08, Some(Fault::Forgetful))
            | (0x0c, 0x01, Some(Fault::Forgetful))
            | (6, 0x45 | 0x47, Some(Fault::Forgetful)) => (0, vec![]),
            (6, 0x47, Some(Fault::EndsSessions { keeps: false })) => (0, vec![]),
            _ => machine.answer(function, command, data),
        };
        if *fault == Some(Fault::Unheard) && (function, command) == (0, 2) {
            return None;
        }
        session.sequence += 1;
        let response = packets::response(&message, code, &answer);
        let sealed = packets::seal(session.hash, k1, k2, session.console, session.sequence, &response);
        match (function, command, &*fault) {
            (6, 0x3c, _) => drop(self.all.remove(&number)),
            (6, 0x47, Some(Fault::EndsSessions { .. })) => self.all.clear(),
            _ => {}
        }
        Some(sealed)
    }
}

impl Session {
    fn names(&self, user: &[u8]) -> Vec<u8> {
        [&[self.role, u8::try_from(user.len()).expect("it came with one byte of length")], user].concat()
    }
}
