//! Packets outside of sessions as IPMI 1.5 has them: what a BMC tells whoever asks. Pure.

use super::message::Request;
use super::reader::Reader;

/// Version 1.0, no sequence, class IPMI; then no authentication, no sequence, no session.
const HEAD: [u8; 13] = [0x06, 0x00, 0xff, 0x07, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const APPLICATION: u8 = 0x06;

pub(super) fn write(message: &[u8]) -> Vec<u8> {
    let length = u8::try_from(message.len()).expect("we send no large messages");
    [&HEAD[..], &[length], message].concat()
}

/// The message of such a packet; some BMCs number it, which means nothing.
pub(super) fn read(bytes: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    let [version, _, _, class, authentication] = reader.array()?;
    let (_sequence, session, length) = (reader.u32()?, reader.u32()?, reader.u8()?);
    let ours = version == HEAD[0] && class == HEAD[3] && authentication == 0 && session == 0;
    reader.take(length.into()).filter(|_| ours)
}

/// What is there, of the channel that the question comes by; with what IPMI 2.0 has added to the answer.
pub(super) fn get_capabilities() -> Request {
    Request::new(APPLICATION, 0x38, &[0x8e, 0x04])
}

/// What a BMC says of logging in to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Capabilities {
    pub(super) speaks_2_0: bool,
    /// The number of a maker; 0 says nothing.
    pub(super) maker: u32,
}

pub(super) fn capabilities(answer: &[u8]) -> Option<Capabilities> {
    const EXTENDED: u8 = 0x80;
    const VERSION_2_0: u8 = 0x02;
    let &[_channel, types, _status, further, low, middle, high, _aux, ..] = answer else { return None };
    Some(Capabilities {
        speaks_2_0: types & EXTENDED != 0 && further & VERSION_2_0 != 0,
        maker: u32::from_le_bytes([low, middle, high, 0]),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_question_is_as_ipmitool_sends_it() {
        // The first packet of `ipmitool -I lanplus -vvv`.
        let bytes = write(&get_capabilities().write(0));
        let expected: [u8; 23] = [
            0x06, 0x00, 0xff, 0x07, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x09, 0x20, 0x18, 0xc8, 0x81, 0x00, 0x38, 0x8e, 0x04,
            0xb5,
        ];
        assert_eq!(bytes, expected);
        assert_eq!(read(&bytes), Some(&expected[14..]));
    }

    #[test]
    fn versions_and_makers() {
        let said = capabilities(&[1, 0x80, 0x04, 0x03, 0xa2, 0x02, 0, 0]);
        assert_eq!(said, Some(Capabilities { speaks_2_0: true, maker: 674 }));
        let old = capabilities(&[1, 0x15, 0x04, 0x02, 0, 0, 0, 0]);
        assert_eq!(old, Some(Capabilities { speaks_2_0: false, maker: 0 }));
        assert_eq!(capabilities(&[1, 0x80]), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(message in prop::collection::vec(any::<u8>(), 0..200)) {
            let packet = write(&message);
            prop_assert_eq!(read(&packet), Some(&message[..]));
        }

        #[test]
        fn hostile_bytes_do_no_harm(bytes: Vec<u8>, head: bool) {
            let bytes = if head { [&HEAD[..], &bytes].concat() } else { bytes };
            read(&bytes);
            capabilities(&bytes);
        }
    }
}
