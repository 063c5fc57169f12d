//! Who may log in to a BMC: names, passwords and rights by the number of the user. Pure.

use super::handshake::{LONGEST_PASSWORD, LONGEST_USER};
use super::message::Request;
use crate::{ControllerUser, Secret};

const APPLICATION: u8 = 0x06;

/// What a user may do, as a BMC counts.
const PRIVILEGES: [&str; 6] = ["none", "callback", "user", "operator", "administrator", "oem"];
/// May log in by a link and ask by messages, with all rights.
const ADMINISTRATOR: u8 = 0x34;

pub(super) fn get_access(channel: u8, user: u8) -> Request {
    Request::new(APPLICATION, 0x44, &[channel, user])
}

/// The rights of one user, and how many users there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) most: u8,
    pub(super) privilege: &'static str,
    pub(super) enabled: bool,
    /// All of them, as they are set again.
    pub(super) rights: u8,
}

pub(super) fn access(answer: &[u8]) -> Option<Access> {
    let &[most, status, _fixed, access, ..] = answer else { return None };
    const MESSAGING: u8 = 0x10;
    const DISABLED: u8 = 2;
    let privilege = PRIVILEGES.get(usize::from(access & 0x0f)).copied().unwrap_or("none");
    let enabled = access & MESSAGING != 0 && status >> 6 != DISABLED;
    Some(Access { most: most & 0x3f, privilege, enabled, rights: access & 0x7f })
}

pub(super) fn get_name(user: u8) -> Request {
    Request::new(APPLICATION, 0x46, &[user])
}

/// A name up to the first zero; what is no text shows as such.
pub(super) fn name(answer: &[u8]) -> String {
    let end = answer.iter().position(|byte| *byte == 0).unwrap_or(answer.len());
    String::from_utf8_lossy(&answer[..end]).into_owned()
}

pub(super) fn set_name(user: u8, name: &str) -> Request {
    Request::new(APPLICATION, 0x45, &[&[user], &padded::<LONGEST_USER>(name)[..]].concat())
}

/// The password in the form of IPMI 2.0, which is as long as a password may be there.
pub(super) fn set_password(user: u8, password: &Secret) -> Request {
    const LONG: u8 = 0x80;
    const SET: u8 = 2;
    let password = padded::<LONGEST_PASSWORD>(password.reveal());
    Request::new(APPLICATION, 0x47, &[&[user | LONG, SET], &password[..]].concat())
}

pub(super) fn enable(user: u8, on: bool) -> Request {
    Request::new(APPLICATION, 0x47, &[user, u8::from(on)])
}

/// Lets a user in by this channel, as an administrator.
pub(super) fn set_administrator(channel: u8, user: u8) -> Request {
    set_rights(channel, user, ADMINISTRATOR)
}

/// Rights as [`access`] has them.
fn set_rights(channel: u8, user: u8, rights: u8) -> Request {
    const CHANGE: u8 = 0x80;
    Request::new(APPLICATION, 0x43, &[CHANGE | rights & 0x70 | channel, user, rights & 0x0f, 0])
}

/// What makes a user what it was, with the password that it had as far as that is known; nobody new is left who may log in,
/// wherever it ends.
pub(super) fn back(
    channel: u8,
    former: &ControllerUser,
    rights: u8,
    password: Option<&Secret>,
) -> Vec<(&'static str, Request)> {
    let (number, is_new) = (former.number, former.name.is_empty());
    let mut steps = Vec::new();
    if is_new || !former.enabled {
        steps.push(("disable a user", enable(number, false)));
    }
    if is_new {
        steps.push(("take a user's rights", set_rights(channel, number, rights)));
    }
    steps.push(("name a user", set_name(number, &former.name)));
    steps.extend(password.map(|password| ("set a password", set_password(number, password))));
    steps
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(text.bytes()).for_each(|(byte, letter)| *byte = letter);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_are_those_of_the_specification() {
        assert_eq!(set_name(3, "ada").data, [3, b'a', b'd', b'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let password = set_password(3, &Secret::new("sesame"));
        assert_eq!((password.data.len(), &password.data[..4]), (22, &[0x83, 2, b's', b'e'][..]));
        assert_eq!(set_administrator(1, 3).data, [0xb1, 3, 4, 0]);
        assert_eq!((enable(3, true).data, enable(3, false).data), (vec![3, 1], vec![3, 0]));
    }

    #[test]
    fn who_could_not_be_made_is_shut_out_first() {
        let check = |name: &str, enabled: bool, password: Option<&Secret>, expected: &[Request]| {
            let former = ControllerUser { number: 3, name: name.into(), privilege: "none".into(), enabled };
            let steps: Vec<Request> =
                back(1, &former, 0x0f, password).into_iter().map(|(_, request)| request).collect();
            assert_eq!(steps, expected, "{name}");
        };
        let rights = Request::new(APPLICATION, 0x43, &[0x81, 3, 0x0f, 0]);
        check("", false, None, &[enable(3, false), rights, set_name(3, "")]);
        let password = Secret::new("sesame");
        check("ada", true, Some(&password), &[set_name(3, "ada"), set_password(3, &password)]);
        check("ada", false, None, &[enable(3, false), set_name(3, "ada")]);
    }

    #[test]
    fn rights_are_read() {
        let read = access(&[0x0a, 0x42, 0, 0x34]);
        assert_eq!(read, Some(Access { most: 10, privilege: "administrator", enabled: true, rights: 0x34 }));
        let off = Access { most: 10, privilege: "user", enabled: false, rights: 0x32 };
        assert_eq!(access(&[0x0a, 0x82, 0, 0x32]), Some(off));
        assert_eq!(access(&[0x0a, 0x02, 0, 0x0f]), Some(Access { privilege: "none", rights: 0x0f, ..off }));
        assert_eq!(name(b"ada\0\0ghost"), "ada");
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_no_harm(bytes: Vec<u8>) {
            access(&bytes);
            name(&bytes);
        }

        #[test]
        fn a_name_comes_back(text in "[a-z]{0,16}") {
            prop_assert_eq!(name(&set_name(2, &text).data[1..]), text);
        }
    }
}
