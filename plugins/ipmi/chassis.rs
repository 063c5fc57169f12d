//! The chassis commands: power, and what is booted next. Pure.

use super::message::{Repeat, Request};
use crate::{BeaconState, BootDevice, BootOverride, Measured, Persistence, Vital};

const CHASSIS: u8 = 0x00;

/// What `Chassis Control` can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    Down = 0,
    Up = 1,
    Cycle = 2,
    Reset = 3,
    /// As if somebody pressed the button: the system shuts down, or does not.
    Soft = 5,
}

pub(super) fn status() -> Request {
    Request::new(CHASSIS, 0x01, &[])
}

/// Whether it is on.
pub(super) fn is_on(status: &[u8]) -> Option<bool> {
    status.first().map(|state| state & 1 == 1)
}

/// What the light does; `Some(None)` when the BMC does not tell.
pub(super) fn beacon(status: &[u8]) -> Option<Option<BeaconState>> {
    const TELLS: u8 = 0x40;
    let state = *status.get(2)?;
    let shown = match state >> 4 & 3 {
        0 => BeaconState::Off,
        1 => BeaconState::Blinking,
        _ => BeaconState::On,
    };
    Some((state & TELLS != 0).then_some(shown))
}

/// What the status says of power, chassis or light, in xCAT's words; nothing of what sensors measure.
pub(super) fn vitals(vital: Vital, status: &[u8]) -> Vec<Measured> {
    let &[power, last, misc, ..] = status else { return Vec::new() };
    let bit = |byte: u8, bit: u8, [no, yes]: [&'static str; 2]| if byte >> bit & 1 == 1 { yes } else { no };
    const FAULT: [&str; 2] = ["false", "true"];
    const ACTIVE: [&str; 2] = ["inactive", "active"];
    let lines: Vec<(&str, &str)> = match vital {
        Vital::Power => vec![("Power Status", bit(power, 0, ["off", "on"]))],
        Vital::Chassis => vec![
            ("Power Overload", bit(power, 1, FAULT)),
            ("Power Interlock", bit(power, 2, ACTIVE)),
            ("Power Fault", bit(power, 3, FAULT)),
            ("Power Control Fault", bit(power, 4, FAULT)),
            ("Power Restore Policy", POLICIES[usize::from(power >> 5 & 3)]),
            ("Last Power Event", LAST_EVENTS.iter().find(|(of, _)| last & of != 0).map_or("none", |(_, words)| *words)),
            ("Chassis intrusion", bit(misc, 0, ACTIVE)),
            ("Front Panel Lockout", bit(misc, 1, ACTIVE)),
            ("Drive Fault", bit(misc, 2, FAULT)),
            ("Cooling Fault", bit(misc, 3, FAULT)),
        ],
        Vital::Light => match beacon(status).flatten() {
            Some(BeaconState::Off) => vec![("Identify Light", "off")],
            Some(BeaconState::On) => vec![("Identify Light", "on")],
            Some(BeaconState::Blinking) => vec![("Identify Light", "blinking")],
            None => Vec::new(),
        },
        Vital::Temperature | Vital::Voltage | Vital::Current | Vital::Fan | Vital::Wattage | Vital::Other => Vec::new(),
    };
    lines.into_iter().map(|(name, words)| Measured::words(name, words)).collect()
}

/// What a machine does when the mains return.
const POLICIES: [&str; 4] = ["Always off", "Last state", "Always on", "Unknown"];
const LAST_EVENTS: [(u8, &str); 5] =
    [(0x10, "By Request"), (0x08, "Power Fault"), (0x04, "Interlock"), (0x02, "Overload"), (0x01, "AC Failed")];

/// Switches the light on until it is switched off. 0 s is off; what comes after the seconds is: no limit.
pub(super) fn identify(on: bool) -> Request {
    Request::new(CHASSIS, 0x04, if on { &[0, 1] } else { &[0] })
}

pub(super) fn control(control: Control) -> Request {
    let repeat = match control {
        Control::Down | Control::Up => Repeat::Late,
        Control::Cycle | Control::Reset | Control::Soft => Repeat::Never,
    };
    Request::new(CHASSIS, 0x02, &[control as u8]).repeated(repeat)
}

/// Lets a boot override live longer than the minute after which a BMC forgets it by default. A push of a button or a
/// watchdog still clears it: whoever does that means another start than the one that was asked for.
pub(super) fn keep_boot_flags() -> Request {
    Request::new(CHASSIS, 0x08, &[3, 0x08])
}

const VALID: u8 = 0x80;
const FOR_EVER: u8 = 0x40;
const EFI: u8 = 0x20;

/// Devices by their number in boot option 5.
const DEVICES: [(BootDevice, u8); 5] = [
    (BootDevice::Network, 1),
    (BootDevice::Disk, 2),
    (BootDevice::Cd, 5),
    (BootDevice::Setup, 6),
    (BootDevice::Floppy, 15),
];

/// None takes an override away.
pub(super) fn set_boot(wanted: Option<BootOverride>) -> Request {
    let [flags, device] = wanted.map_or([0, 0], |wanted| {
        let number = DEVICES.iter().find(|(device, _)| *device == wanted.device).map_or(0, |(_, number)| *number);
        let persistence = if wanted.persistence == Persistence::Always { FOR_EVER } else { 0 };
        [VALID | persistence | if wanted.efi { EFI } else { 0 }, number << 2]
    });
    Request::new(CHASSIS, 0x08, &[5, flags, device, 0, 0, 0])
}

pub(super) fn get_boot() -> Request {
    Request::new(CHASSIS, 0x09, &[5, 0, 0])
}

/// The override that is set; `Err` has the number of a device that has no name, `Ok(None)` means that none is.
pub(super) fn boot(answer: &[u8]) -> Option<Result<Option<BootOverride>, u8>> {
    let &[_version, _parameter, flags, device, ..] = answer else { return None };
    let number = device >> 2 & 0x0f;
    if flags & VALID == 0 || number == 0 {
        return Some(Ok(None));
    }
    let persistence = if flags & FOR_EVER == 0 { Persistence::Once } else { Persistence::Always };
    let named = DEVICES.iter().find(|(_, known)| *known == number).map(|(device, _)| *device);
    Some(match named {
        Some(device) => Ok(Some(BootOverride { device, persistence, efi: flags & EFI != 0, url: None })),
        None => Err(number),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_are_those_of_the_specification() {
        assert_eq!(control(Control::Soft).data, [5]);
        let repeats = [Control::Up, Control::Down, Control::Reset, Control::Cycle, Control::Soft];
        let repeats = repeats.map(|what| control(what).repeat);
        assert_eq!(repeats, [Repeat::Late, Repeat::Late, Repeat::Never, Repeat::Never, Repeat::Never]);
        let wanted =
            BootOverride { device: BootDevice::Network, persistence: Persistence::Once, efi: false, url: None };
        assert_eq!(set_boot(Some(wanted)).data, [5, 0x80, 0x04, 0, 0, 0]);
        let wanted = BootOverride { device: BootDevice::Setup, persistence: Persistence::Always, efi: true, url: None };
        assert_eq!(set_boot(Some(wanted)).data, [5, 0xe0, 0x18, 0, 0, 0]);
        assert_eq!(set_boot(None).data, [5, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn power_and_boot_flags_are_read() {
        assert_eq!((is_on(&[0x21, 0, 0]), is_on(&[0x20]), is_on(&[])), (Some(true), Some(false), None));
        assert_eq!(boot(&[1, 5, 0x00, 0x04, 0]), Some(Ok(None)));
        assert_eq!(boot(&[1, 5, 0x80, 0x2c, 0]), Some(Err(11)));
        assert_eq!(boot(&[1, 5]), None);
        let light = |state: u8| beacon(&[0, 0, state]);
        assert_eq!((light(0x40), light(0x60)), (Some(Some(BeaconState::Off)), Some(Some(BeaconState::On))));
        assert_eq!((light(0x20), beacon(&[0, 0])), (Some(None), None));
    }

    proptest! {
        #[test]
        fn what_is_set_is_read(index in 0..DEVICES.len(), always: bool, efi: bool) {
            let persistence = if always { Persistence::Always } else { Persistence::Once };
            let wanted = Some(BootOverride { device: DEVICES[index].0, persistence, efi, url: None });
            let answer = [&[1][..], &set_boot(wanted.clone()).data].concat();
            prop_assert_eq!(boot(&answer), Some(Ok(wanted)));
        }

        #[test]
        fn hostile_bytes_do_no_harm(bytes: Vec<u8>) {
            is_on(&bytes);
            beacon(&bytes);
            boot(&bytes);
        }
    }
}
