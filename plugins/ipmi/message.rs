//! IPMI messages: a command for the BMC, and its response. Pure.

use super::reader::Reader;

/// Addresses of the BMC and of a remote console.
const BMC: u8 = 0x20;
const CONSOLE: u8 = 0x81;

/// A command with its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) function: u8,
    pub(super) command: u8,
    pub(super) data: Vec<u8>,
    pub(super) repeat: Repeat,
}

/// What a lost answer costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Asking again does no harm.
    Soon,
    /// It is asked for once more and late: there are BMCs that do not notice a repeated message, and do it twice.
    Late,
    /// Doing it twice would do harm: it is never sent again.
    Never,
}

impl Request {
    pub(super) fn new(function: u8, command: u8, data: &[u8]) -> Self {
        Self { function, command, data: data.to_vec(), repeat: Repeat::Soon }
    }

    /// The same, for what is rather not done twice, or not at all.
    pub(super) fn repeated(self, repeat: Repeat) -> Self {
        Self { repeat, ..self }
    }

    /// Whether a copy that was sent as the n-th is not followed by another.
    pub(super) fn is_last(&self, sent: u32) -> bool {
        match self.repeat {
            Repeat::Soon => false,
            Repeat::Late => sent > 1,
            Repeat::Never => true,
        }
    }

    /// `sequence` has six bits and comes back in the response.
    pub(super) fn write(&self, sequence: u8) -> Vec<u8> {
        let mut bytes = vec![BMC, self.function << 2];
        bytes.push(checksum(&bytes));
        bytes.extend([CONSOLE, sequence << 2, self.command]);
        bytes.extend(&self.data);
        bytes.push(checksum(&bytes[3..]));
        bytes
    }

    /// Whether `response` answers this request when it was sent under `sequence`.
    pub(super) fn is_answered_by(&self, response: &Response, sequence: u8) -> bool {
        response.function == self.function | 1
            && response.command == self.command
            && response.sequence == sequence & 0x3f
    }
}

/// What the BMC said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    function: u8,
    command: u8,
    sequence: u8,
    pub(super) code: u8,
    pub(super) data: Vec<u8>,
}

impl Response {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (head, tail) = bytes.split_at_checked(3)?;
        if sum(head) != 0 || sum(tail) != 0 || head[0] != CONSOLE {
            return None;
        }
        let mut reader = Reader::new(tail.split_last()?.1);
        let (_, sequence, command, code) = (reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?);
        Some(Self { function: head[1] >> 2, command, sequence: sequence >> 2, code, data: reader.rest().to_vec() })
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// What makes the sum of all bytes zero.
pub(super) fn checksum(bytes: &[u8]) -> u8 {
    sum(bytes).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A response as a BMC writes it.
    fn response(function: u8, sequence: u8, command: u8, code: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![CONSOLE, (function | 1) << 2];
        bytes.push(checksum(&bytes));
        bytes.extend([BMC, sequence << 2, command, code]);
        bytes.extend(data);
        bytes.push(checksum(&bytes[3..]));
        bytes
    }

    #[test]
    fn a_request_is_as_ipmitool_writes_it() {
        // Get Device ID as of `ipmitool -vvv`, and Chassis Control: power up.
        assert_eq!(Request::new(6, 1, &[]).write(1), [0x20, 0x18, 0xc8, 0x81, 0x04, 0x01, 0x7a]);
        assert_eq!(Request::new(0, 2, &[1]).write(2), [0x20, 0x00, 0xe0, 0x81, 0x08, 0x02, 0x01, 0x74]);
    }

    #[test]
    fn what_does_harm_is_sent_once() {
        let last = |repeat| [1, 2].map(|sent| Request::new(0, 2, &[]).repeated(repeat).is_last(sent));
        assert_eq!([Repeat::Soon, Repeat::Late, Repeat::Never].map(last), [[false; 2], [false, true], [true; 2]]);
    }

    proptest! {
        #[test]
        fn a_response_belongs_to_its_request(function in 0..32u8, sequence in 0..64u8, command: u8, code: u8, data: Vec<u8>) {
            let request = Request::new(function << 1, command, &[]);
            let read = Response::read(&response(function << 1, sequence, command, code, &data)).unwrap();
            prop_assert!(request.is_answered_by(&read, sequence));
            prop_assert!(!request.is_answered_by(&read, sequence.wrapping_add(1)));
            prop_assert_eq!((read.code, read.data), (code, data));
        }

        #[test]
        fn hostile_bytes_do_no_harm(bytes: Vec<u8>) {
            Response::read(&bytes);
        }

        #[test]
        fn one_wrong_byte_is_noticed(place: prop::sample::Index, change in 1..=255u8) {
            let mut bytes = response(0, 1, 1, 0, &[1, 2, 3]);
            let place = place.index(bytes.len());
            bytes[place] ^= change;
            prop_assert_eq!(Response::read(&bytes), None);
        }
    }
}
