//! What a BMC says instead of an answer: completion codes, in words.

use super::message::Repeat;

/// It has had this request before, whose answer was lost.
pub(super) const DUPLICATE: u8 = 0xcf;

/// Whether the same may be asked again in a moment. What may have been done already is not asked for twice.
pub(super) fn is_busy(code: u8, repeat: Repeat) -> bool {
    match code {
        0xc0 | 0xd0..=0xd2 => true,
        0xc3 | 0xce | DUPLICATE => repeat == Repeat::Soon,
        _ => false,
    }
}

/// Table 5-2 of the specification.
pub(super) fn words(code: u8) -> String {
    let words = match code {
        0xc0 => "it is busy",
        0xc1 | 0xc2 => "it does not know this command",
        0xc3 => "it took too long over it",
        0xc4 => "it is out of space",
        0xc9 => "the parameter is out of range",
        0xcb => "it has no such thing",
        0xcc => "it finds the request invalid",
        0xce => "it could not give an answer",
        0xd0 => "its sensor data are being updated",
        0xd1 => "its firmware is being updated",
        0xd2 => "it has not come up yet",
        0xd4 => "the user has not the privilege for it",
        0xd5 => "it cannot do this in its present state",
        0xd6 => "it is disabled",
        _ => return format!("it refuses with completion code {code:#04x}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_done_is_asked_for_anew() {
        let check = |code: u8, expected: [bool; 3]| {
            assert_eq!([Repeat::Soon, Repeat::Late, Repeat::Never].map(|repeat| is_busy(code, repeat)), expected);
        };
        check(0xc0, [true; 3]);
        check(0xc3, [true, false, false]);
        check(DUPLICATE, [true, false, false]);
        check(0, [false; 3]);
    }
}
