//! The machine behind a BMC, and the commands that are about it.

use std::net::Ipv4Addr;

use super::settings::{self, Network};

/// What commands act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Who may log in, and with which rights: 2 as a user, 3 as an operator, 4 as an administrator.
    pub user: String,
    pub password: String,
    pub privilege: u8,
    pub on: bool,
    /// Boot option 5 as it was set.
    pub boot: [u8; 5],
    /// The identify light: 0 off, 1 for some seconds, 2 on.
    pub light: u8,
    /// Chassis control as it was asked for, by its number.
    pub controls: Vec<u8>,
    /// The network of its BMC.
    pub network: Network,
    /// Which BMC it is, wherever it moves.
    pub guid: [u8; 16],
}

impl Machine {
    /// One whose BMC is at an address.
    pub(super) fn at(address: Ipv4Addr) -> Self {
        Self {
            user: "admin".into(),
            password: "secret".into(),
            privilege: 4,
            on: false,
            boot: [0; 5],
            light: 0,
            controls: Vec::new(),
            network: Network::of(address),
            guid: [*b"lab-", *b"bmc-", *b"lab-", address.octets()].concat().try_into().expect("four times four bytes"),
        }
    }

    /// Completion code and data for a command.
    pub(super) fn answer(&mut self, function: u8, command: u8, data: &[u8]) -> (u8, Vec<u8>) {
        if let Some(answer) = settings::answer(self, function, command, data) {
            return answer;
        }
        match (function, command, data) {
            (0x06, 0x01, _) => (0, vec![0x20, 0x01, 0x02, 0x34, 0x02, 0xbf, 0x57, 0x01, 0x00, 0x42, 0x00]),
            (0x00, 0x01, _) => (0, vec![u8::from(self.on), 0x10, 0x40 | self.light << 4]),
            (0x00, 0x02, [what, ..]) => (self.control(*what), vec![]),
            (0x00, 0x04, [seconds, rest @ ..]) => {
                self.light = if rest.first() == Some(&1) { 2 } else { u8::from(*seconds > 0) };
                (0, vec![])
            }
            (0x00, 0x08, [parameter, set @ ..]) => (self.set_boot(*parameter, set), vec![]),
            (0x00, 0x09, [5, ..]) => (0, [&[1, 5], &self.boot[..]].concat()),
            (0x00, 0x09, [0, ..]) => (0, vec![1, 0, 0]),
            (0x00, 0x09, _) => (0x80, vec![]),
            _ => (0xc1, vec![]),
        }
    }

    fn control(&mut self, what: u8) -> u8 {
        match what & 0x0f {
            0 | 5 => self.on = false,
            1 => self.on = true,
            // A machine that is off can be neither cycled nor reset.
            2 | 3 if !self.on => return 0xd5,
            2 | 3 => (),
            _ => return 0xcc,
        }
        self.controls.push(what & 0x0f);
        0
    }

    fn set_boot(&mut self, parameter: u8, set: &[u8]) -> u8 {
        match (parameter & 0x7f, set) {
            (5, [a, b, c, d, e]) => self.boot = [*a, *b, *c, *d, *e],
            (0 | 3 | 4, _) => (),
            _ => return 0x80,
        }
        0
    }
}
