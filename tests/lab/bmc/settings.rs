//! What a BMC itself is set to: its network and its only user with a name, as the specification numbers them.

use std::net::Ipv4Addr;

use super::Machine;

/// The parameters of its network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    pub address: Ipv4Addr,
    pub mask: Ipv4Addr,
    pub gateway: Ipv4Addr,
    /// 1 fixed, 2 given by a DHCP server.
    pub source: u8,
    pub vlan: [u8; 2],
    /// Several are being changed: none holds yet.
    pub(super) in_progress: bool,
}

impl Network {
    pub(super) fn of(address: Ipv4Addr) -> Self {
        let mask = Ipv4Addr::new(255, 255, 0, 0);
        Self { address, mask, gateway: Ipv4Addr::UNSPECIFIED, source: 1, vlan: [0, 0], in_progress: false }
    }

    fn get(&self, parameter: u8) -> Option<Vec<u8>> {
        Some(match parameter {
            3 => self.address.octets().to_vec(),
            4 => vec![self.source],
            6 => self.mask.octets().to_vec(),
            12 => self.gateway.octets().to_vec(),
            20 => self.vlan.to_vec(),
            _ => return None,
        })
    }

    fn set(&mut self, parameter: u8, value: &[u8]) -> u8 {
        match (parameter, value) {
            (0, [state]) => self.in_progress = *state == 1,
            (4, [source]) => self.source = *source,
            // As real ones have it: what a DHCP server gives cannot be set.
            (3 | 6 | 12, _) if self.source != 1 => return 0xd5,
            (3, &[a, b, c, d]) => self.address = Ipv4Addr::new(a, b, c, d),
            (6, &[a, b, c, d]) => self.mask = Ipv4Addr::new(a, b, c, d),
            (12, &[a, b, c, d]) => self.gateway = Ipv4Addr::new(a, b, c, d),
            (20, &[low, high]) => self.vlan = [low, high],
            _ => return 0x80,
        }
        0
    }
}

/// The place of the user that may log in; there are two, and the first has no name.
const USER: u8 = 2;

/// Completion code and data for a command about settings; None where it is none.
pub(super) fn answer(machine: &mut Machine, function: u8, command: u8, data: &[u8]) -> Option<(u8, Vec<u8>)> {
    Some(match (function, command, data) {
        (0x06, 0x42, _) => (0, vec![1, 4, 1, 0x80, 0xf2, 0x1b, 0, 0, 0]),
        (0x0c, 0x01, [_channel, parameter, value @ ..]) => (machine.network.set(*parameter, value), vec![]),
        (0x0c, 0x02, [_channel, parameter, ..]) => match machine.network.get(*parameter) {
            Some(value) => (0, [&[0x11][..], &value].concat()),
            None => (0x80, vec![]),
        },
        (0x06, 0x44, [_channel, USER]) => (0, vec![USER, 0x41, 1, 0x30 | machine.privilege]),
        (0x06, 0x44, [_channel, 1]) => (0, vec![USER, 0x81, 1, 0x0f]),
        (0x06, 0x46, [USER]) => {
            let mut name = machine.user.clone().into_bytes();
            name.resize(16, 0);
            (0, name)
        }
        (0x06, 0x46, [1]) => (0, vec![0; 16]),
        (0x06, 0x45, [USER, name @ ..]) => {
            machine.user = text(name);
            (0, vec![])
        }
        (0x06, 0x47, [user, 2, password @ ..]) if user & 0x3f == USER => {
            machine.password = text(password);
            (0, vec![])
        }
        (0x06, 0x47, [USER, 1]) => (0, vec![]),
        (0x06, 0x43..=0x47, _) => (0xcc, vec![]),
        _ => return None,
    })
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
