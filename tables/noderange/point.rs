//! Numbers as names hold them: `7` and `007` are two.

use std::fmt::Write;

/// A number of a name as one integer: the width above, the value below, so that order is by width, then by value.
pub(super) type Point = u64;

/// The most digits that fit beside their count; longer numbers are text.
pub(super) const WIDEST: usize = 17;
const VALUE_BITS: u32 = 57;

/// The point of some digits, of which there are none or at most [`WIDEST`].
pub(super) fn point(digits: &str) -> Point {
    packed(digits.len(), digits.bytes().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')))
}

pub(super) fn packed(width: usize, value: u64) -> Point {
    ((width as u64) << VALUE_BITS) | value
}

pub(super) fn width(point: Point) -> usize {
    (point >> VALUE_BITS) as usize
}

pub(super) fn value(point: Point) -> u64 {
    point & ((1 << VALUE_BITS) - 1)
}

/// What a run counts to next: `09` is followed by `10`, `99` by `100`.
pub(super) fn successor(point: Point) -> Point {
    let next = value(point) + 1;
    let grown = next == 10_u64.pow(width(point) as u32);
    packed(width(point) + usize::from(grown), next)
}

/// Appends the digits.
pub(super) fn push(text: &mut String, point: Point) {
    let (width, value) = (width(point), value(point));
    if width > 0 {
        write!(text, "{value:0width$}").expect("a String takes all text");
    }
}
