//! Who a BMC is: device id and GUID. Pure.

use super::message::Request;
use super::reader::Reader;

const APPLICATION: u8 = 0x06;

pub(super) fn get_device_id() -> Request {
    Request::new(APPLICATION, 0x01, &[])
}

pub(super) fn get_guid() -> Request {
    Request::new(APPLICATION, 0x37, &[])
}

/// The answer to Get Device ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Controller {
    device: u8,
    revision: u8,
    pub(super) firmware: String,
    ipmi: String,
    pub(super) manufacturer: u32,
    product: u16,
}

pub(super) fn controller(answer: &[u8]) -> Option<Controller> {
    let mut reader = Reader::new(answer);
    let [device, revision, major, minor, version, _support] = reader.array()?;
    let [low, middle, high] = reader.array()?;
    let product = reader.u16()?;
    Some(Controller {
        device,
        revision: revision & 0x0f,
        // The minor number is BCD; a wrong digit shows as a letter.
        firmware: format!("{}.{minor:02x}", major & 0x7f),
        ipmi: format!("{}.{}", version & 0x0f, version >> 4),
        manufacturer: u32::from_le_bytes([low, middle, high & 0x0f, 0]),
        product,
    })
}

impl Controller {
    pub(super) fn facts(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("Device ID", Some(self.device.to_string())),
            ("Device Revision", Some(self.revision.to_string())),
            ("IPMI Version", Some(self.ipmi.clone())),
            ("Manufacturer ID", Some(self.manufacturer.to_string())),
            ("Product ID", Some(self.product.to_string())),
        ]
    }
}

/// A GUID as SMBIOS shows it. BMCs send it in one of three orders; the first that gives a valid version and variant is taken.
pub(super) fn guid(answer: &[u8]) -> Option<String> {
    let sent: [u8; 16] = Reader::new(answer).array()?;
    let mut smbios = sent;
    smbios[..4].reverse();
    smbios[4..6].reverse();
    smbios[6..8].reverse();
    let mut reversed = sent;
    reversed.reverse();
    let valid = |guid: &&[u8; 16]| (0x10..0x60).contains(&(guid[6] & 0xf0)) && guid[8] & 0xc0 == 0x80;
    let guid = [smbios, reversed, sent].iter().find(valid).copied().unwrap_or(smbios);
    let parts = [&guid[..4], &guid[4..6], &guid[6..8], &guid[8..10], &guid[10..]];
    Some(parts.map(crate::hex).join("-"))
}

/// A GUID of a login, in which some BMCs send bytes that tell nobody from another.
pub(super) fn told(guid: [u8; 16]) -> Option<[u8; 16]> {
    (guid != [0; 16] && guid != [0xff; 16]).then_some(guid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_device_id_in_words() {
        let answer = [0x20, 0x81, 0x03, 0x45, 0x02, 0xbf, 0x7c, 0x2a, 0x00, 0x34, 0x12, 0, 0, 0, 0];
        let controller = controller(&answer).unwrap();
        assert_eq!((controller.firmware.as_str(), controller.ipmi.as_str()), ("3.45", "2.0"));
        let facts: Vec<String> = controller.facts().into_iter().filter_map(|(_, value)| value).collect();
        assert_eq!(facts, ["32", "1", "2.0", "10876", "4660"]);
    }

    #[test]
    fn a_guid_in_any_order_is_the_same() {
        let expected = "12345678-9abc-4def-8123-456789abcdef";
        let check = |hex: &str| {
            let bytes: Vec<u8> =
                (0..32).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
            assert_eq!(guid(&bytes).as_deref(), Some(expected), "{hex}");
        };
        check("78563412bc9aef4d8123456789abcdef");
        check("efcdab8967452381ef4dbc9a78563412");
        check("123456789abc4def8123456789abcdef");
    }

    #[test]
    fn a_guid_may_tell_nothing() {
        assert_eq!((told([0; 16]), told([0xff; 16]), told([7; 16])), (None, None, Some([7; 16])));
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_no_harm(bytes: Vec<u8>) {
            controller(&bytes);
            guid(&bytes);
        }
    }
}
