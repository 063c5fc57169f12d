//! Entries of a system event log, in words. Pure.

use super::message::Request;
use super::reader::Reader;
use crate::MachineEvent;

const STORAGE: u8 = 0x0a;
pub(super) const FIRST: u16 = 0x0000;
/// What follows the last entry.
pub(super) const LAST: u16 = 0xffff;
/// A clock that was never set counts from the start of the machine.
const CLOCK_UNSET: u32 = 0x2000_0000;

pub(super) fn get(number: u16) -> Request {
    let [low, high] = number.to_le_bytes();
    // No reservation, the whole entry.
    Request::new(STORAGE, 0x43, &[0, 0, low, high, 0, 0xff])
}

pub(super) fn reserve() -> Request {
    Request::new(STORAGE, 0x42, &[])
}

/// What there is to a clearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clear {
    Begin = 0xaa,
    Progress = 0x00,
}

pub(super) fn clear(reservation: u16, clear: Clear) -> Request {
    let [low, high] = reservation.to_le_bytes();
    Request::new(STORAGE, 0x47, &[low, high, b'C', b'L', b'R', clear as u8])
}

pub(super) fn reservation(answer: &[u8]) -> Option<u16> {
    Reader::new(answer).u16()
}

/// Whether the clearing has come to its end.
pub(super) fn is_cleared(answer: &[u8]) -> Option<bool> {
    answer.first().map(|state| state & 0x0f == 1)
}

/// The number of the next entry, and this one.
pub(super) fn entry(answer: &[u8]) -> Option<(u16, MachineEvent)> {
    let mut reader = Reader::new(answer);
    let (next, number, kind) = (reader.u16()?, reader.u16()?, reader.u8()?);
    let rest: [u8; 13] = reader.array()?;
    let mut reader = Reader::new(&rest);
    let time = reader.u32().filter(|time| (CLOCK_UNSET..u32::MAX).contains(time));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let (time, text) = match kind {
        0x02 => (time, event(rest[7], rest[8], rest[9], [rest[10], rest[11], rest[12]])),
        0xc0..=0xdf => (time, format!("OEM event of type {kind:02x}: {}", hex(&rest[4..]))),
        _ => (None, format!("OEM event of type {kind:02x}: {}", hex(&rest))),
    };
    Some((next, MachineEvent { number, time, text }))
}

/// What a sensor has reported: its type, its number, direction and event type, and three bytes more.
fn event(sensor: u8, number: u8, kind: u8, data: [u8; 3]) -> String {
    let what = words(sensor, kind, data[0] & 0x0f);
    let sensor = SENSORS.get(usize::from(sensor)).filter(|words| !words.is_empty());
    let sensor = sensor.copied().unwrap_or("Sensor of the vendor's own type");
    // The data of a threshold are what was read and what was crossed, in units that only the sensor's record tells.
    let data = match data {
        [_, 0xff, 0xff] => String::new(),
        [first, second, third] => format!(" ({first:02x} {second:02x} {third:02x})"),
    };
    let recovered = if kind & 0x80 == 0 { "" } else { " - Recovered" };
    format!("{sensor}, {what} (sensor {number:#04x}){data}{recovered}")
}

/// What an event of this type and offset says, of a sensor of this type.
pub(super) fn words(sensor: u8, kind: u8, offset: u8) -> String {
    let words = match kind & 0x7f {
        0x01 => THRESHOLD.get(usize::from(offset)).copied(),
        0x6f => SPECIFIC.iter().find(|(of, at, _)| (*of, *at) == (sensor, offset)).map(|(_, _, words)| *words),
        generic => GENERIC.iter().find(|(of, at, _)| (*of, *at) == (generic, offset)).map(|(_, _, words)| *words),
    };
    words.map_or_else(|| format!("event {:02x}.{offset:x}", kind & 0x7f), str::to_owned)
}

/// Table 42-3, by its numbers.
const SENSORS: [&str; 0x2d] = [
    "",
    "Temperature",
    "Voltage",
    "Current",
    "Fan",
    "Physical Security",
    "Platform Security",
    "Processor",
    "Power Supply",
    "Power Unit",
    "Cooling Device",
    "Other Units-based Sensor",
    "Memory",
    "Drive Slot",
    "POST Memory Resize",
    "System Firmware Progress",
    "Event Logging Disabled",
    "Watchdog 1",
    "System Event",
    "Critical Interrupt",
    "Button",
    "Module/Board",
    "Microcontroller/Coprocessor",
    "Add-in Card",
    "Chassis",
    "Chip Set",
    "Other FRU",
    "Cable/Interconnect",
    "Terminator",
    "System Boot Initiated",
    "Boot Error",
    "OS Boot",
    "OS Critical Stop",
    "Slot/Connector",
    "System ACPI Power State",
    "Watchdog 2",
    "Platform Alert",
    "Entity Presence",
    "Monitor ASIC",
    "LAN",
    "Management Subsystem Health",
    "Battery",
    "Session Audit",
    "Version Change",
    "FRU State",
];

/// What a reading can do to a threshold.
const THRESHOLD: [&str; 12] = [
    "Lower Non-critical going low",
    "Lower Non-critical going high",
    "Lower Critical going low",
    "Lower Critical going high",
    "Lower Non-recoverable going low",
    "Lower Non-recoverable going high",
    "Upper Non-critical going low",
    "Upper Non-critical going high",
    "Upper Critical going low",
    "Upper Critical going high",
    "Upper Non-recoverable going low",
    "Upper Non-recoverable going high",
];

/// Events that mean the same for every sensor, by event type and offset.
const GENERIC: [(u8, u8, &str); 22] = [
    (0x03, 0, "State Deasserted"),
    (0x03, 1, "State Asserted"),
    (0x04, 0, "Predictive Failure deasserted"),
    (0x04, 1, "Predictive Failure asserted"),
    (0x05, 0, "Limit Not Exceeded"),
    (0x05, 1, "Limit Exceeded"),
    (0x06, 0, "Performance Met"),
    (0x06, 1, "Performance Lags"),
    (0x07, 0, "Transition to OK"),
    (0x07, 1, "Transition to Non-critical from OK"),
    (0x07, 2, "Transition to Critical from less severe"),
    (0x07, 3, "Transition to Non-recoverable from less severe"),
    (0x07, 4, "Transition to Non-critical from more severe"),
    (0x07, 5, "Transition to Critical from Non-recoverable"),
    (0x07, 6, "Transition to Non-recoverable"),
    (0x08, 0, "Device Removed"),
    (0x08, 1, "Device Inserted"),
    (0x09, 0, "Device Disabled"),
    (0x09, 1, "Device Enabled"),
    (0x0b, 0, "Fully Redundant"),
    (0x0b, 1, "Redundancy Lost"),
    (0x0b, 2, "Redundancy Degraded"),
];

/// Events of one type of sensor, by sensor type and offset.
const SPECIFIC: [(u8, u8, &str); 63] = [
    (0x05, 0, "General Chassis Intrusion"),
    (0x05, 4, "LAN Leash Lost"),
    (0x07, 0, "IERR"),
    (0x07, 1, "Thermal Trip"),
    (0x07, 2, "FRB1/BIST Failure"),
    (0x07, 3, "FRB2/Hang in POST Failure"),
    (0x07, 5, "Configuration Error"),
    (0x07, 7, "Presence Detected"),
    (0x07, 8, "Disabled"),
    (0x07, 10, "Throttled"),
    (0x07, 11, "Uncorrectable Machine Check Exception"),
    (0x07, 12, "Correctable Machine Check Error"),
    (0x08, 0, "Presence Detected"),
    (0x08, 1, "Failure Detected"),
    (0x08, 2, "Predictive Failure"),
    (0x08, 3, "Input Lost (AC/DC)"),
    (0x08, 6, "Configuration Error"),
    (0x09, 0, "Power Off/Down"),
    (0x09, 1, "Power Cycle"),
    (0x09, 3, "Interlock Power Down"),
    (0x09, 4, "AC Lost"),
    (0x09, 5, "Soft Power Control Failure"),
    (0x09, 6, "Power Unit Failure"),
    (0x0c, 0, "Correctable ECC"),
    (0x0c, 1, "Uncorrectable ECC"),
    (0x0c, 2, "Parity"),
    (0x0c, 5, "Correctable ECC Logging Limit Reached"),
    (0x0c, 6, "Presence Detected"),
    (0x0c, 7, "Configuration Error"),
    (0x0d, 0, "Drive Presence"),
    (0x0d, 1, "Drive Fault"),
    (0x0d, 2, "Predictive Failure"),
    (0x0d, 5, "In Critical Array"),
    (0x0d, 6, "In Failed Array"),
    (0x0d, 7, "Rebuild in Progress"),
    (0x0f, 0, "System Firmware Error"),
    (0x0f, 1, "System Firmware Hang"),
    (0x0f, 2, "System Firmware Progress"),
    (0x10, 0, "Correctable Memory Error Logging Disabled"),
    (0x10, 2, "Log Area Reset/Cleared"),
    (0x10, 4, "SEL Full"),
    (0x10, 5, "SEL Almost Full"),
    (0x12, 0, "System Reconfigured"),
    (0x12, 1, "OEM System Boot Event"),
    (0x12, 5, "Timestamp Clock Synch"),
    (0x13, 0, "Front Panel NMI"),
    (0x13, 4, "PCI PERR"),
    (0x13, 5, "PCI SERR"),
    (0x13, 7, "Bus Correctable Error"),
    (0x13, 8, "Bus Uncorrectable Error"),
    (0x13, 10, "Bus Fatal Error"),
    (0x14, 0, "Power Button pressed"),
    (0x14, 1, "Sleep Button pressed"),
    (0x14, 2, "Reset Button pressed"),
    (0x20, 1, "Run-time Stop"),
    (0x22, 0, "S0/G0: working"),
    (0x22, 5, "S5/G2: soft-off"),
    (0x23, 0, "Timer expired"),
    (0x23, 1, "Hard Reset"),
    (0x23, 2, "Power Down"),
    (0x23, 3, "Power Cycle"),
    (0x29, 0, "Battery Low"),
    (0x29, 1, "Battery Failed"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(answer: [u8; 18], expected: &str) {
        let (_, event) = entry(&answer).unwrap();
        let time = event.time.map_or(String::from("-"), |time| time.to_string());
        assert_eq!(format!("{} {time} {}", event.number, event.text), expected);
    }

    #[test]
    fn entries_in_words() {
        let head = |number: u8, kind: u8| [0xff, 0xff, number, 0, kind, 0, 0, 0, 0x60, 0x20, 0, 4];
        let with = |head: [u8; 12], tail: [u8; 6]| <[u8; 18]>::try_from([&head[..], &tail].concat()).unwrap();
        check(
            with(head(1, 2), [0x0c, 0x08, 0x6f, 0x01, 0xff, 0xff]),
            "1 1610612736 Memory, Uncorrectable ECC (sensor 0x08)",
        );
        check(
            with(head(2, 2), [0x01, 0x30, 0x81, 0x59, 0x63, 0x62]),
            "2 1610612736 Temperature, Upper Critical going high (sensor 0x30) (59 63 62) - Recovered",
        );
        check(
            with(head(3, 2), [0xc1, 0x01, 0x70, 0x02, 0xff, 0xff]),
            "3 1610612736 Sensor of the vendor's own type, event 70.2 (sensor 0x01)",
        );
        check(with(head(4, 0xc1), [1, 2, 3, 4, 5, 6]), "4 1610612736 OEM event of type c1: 20 00 04 01 02 03 04 05 06");
    }

    #[test]
    fn clearing() {
        assert_eq!(clear(0x1234, Clear::Begin).data, [0x34, 0x12, b'C', b'L', b'R', 0xaa]);
        assert_eq!((is_cleared(&[1]), is_cleared(&[0]), is_cleared(&[])), (Some(true), Some(false), None));
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_no_harm(bytes: Vec<u8>, whole: [u8; 18]) {
            entry(&bytes);
            entry(&whole);
            reservation(&bytes);
            is_cleared(&bytes);
        }
    }
}
