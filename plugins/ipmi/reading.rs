//! What the byte of a sensor means: conversion, units, states. Pure.

use super::reader::Reader;
use super::sel;
use crate::Limit;

/// How the byte of a reading is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Unsigned,
    OnesComplement,
    TwosComplement,
    /// There is no number.
    Nothing,
}

impl Format {
    /// By the first byte of the units.
    pub(super) fn of(units: u8) -> Self {
        match units >> 6 {
            0 => Self::Unsigned,
            1 => Self::OnesComplement,
            2 => Self::TwosComplement,
            _ => Self::Nothing,
        }
    }

    fn number(self, byte: u8) -> f64 {
        let signed = byte.cast_signed();
        match self {
            Self::OnesComplement if signed < 0 => f64::from(signed) + 1.0,
            Self::OnesComplement | Self::TwosComplement => f64::from(signed),
            Self::Unsigned | Self::Nothing => f64::from(byte),
        }
    }
}

/// Says that each reading has factors of its own, which are asked for.
const NOT_LINEAR: std::ops::RangeInclusive<u8> = 0x70..=0x7f;

/// How readings of one sensor become values: `L((M·x + B·10^k1)·10^k2)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Conversion {
    format: Format,
    linearization: u8,
    factors: Factors,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Factors {
    multiplier: f64,
    offset: f64,
    exponent: i32,
}

impl Factors {
    /// M, tolerance, B, accuracy, more of it, exponents.
    fn read(bytes: [u8; 6]) -> Self {
        let [m, m_high, b, b_high, _accuracy, exponents] = bytes;
        let ten_bits = |low: u8, high: u8| {
            let bits = i16::from(low) | i16::from(high >> 6) << 8;
            f64::from(if bits >= 0x200 { bits - 0x400 } else { bits })
        };
        let four_bits = |bits: u8| i32::from((bits << 4).cast_signed() >> 4);
        let offset = ten_bits(b, b_high) * 10_f64.powi(four_bits(exponents & 0x0f));
        Self { multiplier: ten_bits(m, m_high), offset, exponent: four_bits(exponents >> 4) }
    }

    fn value(self, number: f64) -> f64 {
        (self.multiplier * number + self.offset) * 10_f64.powi(self.exponent)
    }
}

impl Conversion {
    /// By the bytes of a full record from the linearization on; None where the sensor gives no number.
    pub(super) fn read(format: Format, bytes: [u8; 7]) -> Option<Self> {
        let [linearization, m, m_high, b, b_high, accuracy, exponents] = bytes;
        let factors = Factors::read([m, m_high, b, b_high, accuracy, exponents]);
        (format != Format::Nothing).then_some(Self { format, linearization: linearization & 0x7f, factors })
    }

    /// Whether it needs the factors of each reading.
    pub(super) fn needs_factors(&self) -> bool {
        NOT_LINEAR.contains(&self.linearization)
    }

    /// The same with the factors that a BMC has told for one reading.
    pub(super) fn with_factors(self, answer: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(answer);
        let _next = reader.u8()?;
        Some(Self { linearization: 0, factors: Factors::read(reader.array()?), ..self })
    }

    /// None where there is no such number, as the logarithm of nothing.
    pub(super) fn value(&self, byte: u8) -> Option<f64> {
        let x = self.factors.value(self.format.number(byte));
        let value = match self.linearization {
            0 => x,
            1 => x.ln(),
            2 => x.log10(),
            3 => x.log2(),
            4 => x.exp(),
            5 => 10_f64.powf(x),
            6 => x.exp2(),
            7 => x.recip(),
            8 => x * x,
            9 => x * x * x,
            10 => x.sqrt(),
            11 => x.cbrt(),
            _ => return None,
        };
        value.is_finite().then_some(value)
    }

    /// The digits after the point that tell one reading from the next.
    pub(super) fn digits(&self) -> usize {
        const MOST: usize = 3;
        if self.linearization != 0 {
            return 2;
        }
        let step = self.factors.multiplier.abs() * 10_f64.powi(self.factors.exponent);
        let tells =
            |digits: &usize| step == 0.0 || 10_f64.powi(-i32::try_from(*digits).unwrap_or(0)) <= step * 1.000_001;
        (0..MOST).find(tells).unwrap_or(MOST)
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    /// The first byte: percentage, rate, how the modifier is meant.
    how: u8,
    pub(super) base: u8,
    modifier: u8,
}

pub(super) const CELSIUS: u8 = 1;
pub(super) const KELVIN: u8 = 3;
pub(super) const VOLTS: u8 = 4;
pub(super) const AMPS: u8 = 5;
pub(super) const WATTS: u8 = 6;

impl Unit {
    pub(super) fn new(how: u8, base: u8, modifier: u8) -> Self {
        Self { how, base, modifier }
    }

    /// In words, such as `RPM`; nothing where a number has no unit.
    pub(super) fn words(self) -> String {
        const RATES: [&str; 8] = ["", "/us", "/ms", "/s", "/min", "/h", "/day", ""];
        let named = |number: u8| UNITS.get(usize::from(number)).copied().unwrap_or_default();
        let base = named(self.base);
        let rate = RATES[usize::from(self.how >> 3 & 0x07)];
        let unit = match self.how >> 1 & 0x03 {
            1 => format!("{base}/{}", named(self.modifier)),
            2 => format!("{base}*{}", named(self.modifier)),
            _ => base.to_owned(),
        };
        let percent = if self.how & 1 == 1 { "%" } else { "" };
        match (percent, unit.as_str()) {
            ("", _) => format!("{unit}{rate}"),
            (_, "") => format!("%{rate}"),
            _ => format!("% {unit}{rate}"),
        }
    }
}

/// Table 43-15, by its numbers, as far as machines have them.
const UNITS: [&str; 93] = [
    "",
    "C",
    "F",
    "K",
    "Volts",
    "Amps",
    "Watts",
    "Joules",
    "Coulombs",
    "VA",
    "Nits",
    "lumen",
    "lux",
    "Candela",
    "kPa",
    "PSI",
    "Newton",
    "CFM",
    "RPM",
    "Hz",
    "us",
    "ms",
    "s",
    "min",
    "h",
    "days",
    "weeks",
    "mil",
    "inches",
    "feet",
    "cu in",
    "cu feet",
    "mm",
    "cm",
    "m",
    "cu cm",
    "cu m",
    "liters",
    "fluid ounces",
    "radians",
    "steradians",
    "revolutions",
    "cycles",
    "gravities",
    "ounces",
    "pounds",
    "ft-lb",
    "oz-in",
    "gauss",
    "gilberts",
    "henry",
    "millihenry",
    "farad",
    "microfarad",
    "ohms",
    "siemens",
    "mole",
    "becquerel",
    "PPM",
    "",
    "dB",
    "dBA",
    "dBC",
    "gray",
    "sievert",
    "K (color)",
    "bit",
    "kilobit",
    "megabit",
    "gigabit",
    "byte",
    "kilobyte",
    "megabyte",
    "gigabyte",
    "word",
    "dword",
    "qword",
    "lines",
    "hits",
    "misses",
    "retries",
    "resets",
    "overruns",
    "underruns",
    "collisions",
    "packets",
    "messages",
    "characters",
    "errors",
    "correctable errors",
    "uncorrectable errors",
    "fatal errors",
    "grams",
];

/// The answer to Get Sensor Reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) byte: u8,
    /// One bit a threshold that is crossed, or a state that the sensor is in.
    states: u16,
}

impl Reading {
    /// `Some(None)` where the sensor is switched off or has nothing to say now.
    pub(super) fn read(answer: &[u8]) -> Option<Option<Self>> {
        const SCANNED: u8 = 0x40;
        const UNAVAILABLE: u8 = 0x20;
        let mut reader = Reader::new(answer);
        let (byte, flags) = (reader.u8()?, reader.u8()?);
        let (low, high) = (reader.u8().unwrap_or(0), reader.u8().unwrap_or(0));
        let says = flags & SCANNED != 0 && flags & UNAVAILABLE == 0;
        Some(says.then_some(Self { byte, states: u16::from_le_bytes([low, high & 0x7f]) }))
    }

    /// The worst limit that is crossed, of a sensor with limits.
    pub(super) fn beyond(self) -> Option<Limit> {
        // Two bits for each severity, so that the highest of a side is the worst.
        let worst = [2, 5, 1, 4, 0, 3].into_iter().find(|bit| self.states >> bit & 1 == 1)?;
        Limit::ALL.get(worst).copied()
    }

    /// The states of a sensor that has such, in words.
    pub(super) fn words(self, kind: u8, events: u8) -> String {
        let on = (0..15).filter(|state| self.states >> state & 1 == 1);
        let words: Vec<String> = on.map(|state| sel::words(kind, events, state)).collect();
        if words.is_empty() { "nothing asserted".into() } else { words.join(", ") }
    }
}

/// The limits that the answer to Get Sensor Thresholds has, as bytes.
pub(super) fn limits(answer: &[u8]) -> Option<Vec<(Limit, u8)>> {
    let mut reader = Reader::new(answer);
    let readable = reader.u8()?;
    let bytes: [u8; 6] = reader.array()?;
    let known = (0..).zip(Limit::ALL.into_iter().zip(bytes)).filter(|(bit, _)| readable >> bit & 1 == 1);
    Some(known.map(|(_, limit)| limit).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn conversion(format: Format, bytes: [u8; 7]) -> Conversion {
        Conversion::read(format, bytes).unwrap()
    }

    #[test]
    fn bytes_become_values() {
        let check = |format: Format, bytes: [u8; 7], byte: u8, expected: &str| {
            let conversion = conversion(format, bytes);
            let value = conversion.value(byte).map(|value| format!("{value:.0$}", conversion.digits()));
            assert_eq!(value.as_deref().unwrap_or("-"), expected, "{bytes:x?} {byte}");
        };
        // 1 a step; signed ones.
        check(Format::Unsigned, [0, 1, 0, 0, 0, 0, 0], 29, "29");
        check(Format::TwosComplement, [0, 1, 0, 0, 0, 0, 0], 0xf6, "-10");
        check(Format::OnesComplement, [0, 1, 0, 0, 0, 0, 0], 0xf6, "-9");
        // 0.059 Volts a step, 40 RPM a step, an offset of 5·10^1, a negative multiplier.
        check(Format::Unsigned, [0, 59, 0, 0, 0, 0, 0xd0], 203, "11.98");
        check(Format::Unsigned, [0, 40, 0, 0, 0, 0, 0], 100, "4000");
        check(Format::Unsigned, [0, 2, 0, 5, 0, 0, 1], 10, "70");
        check(Format::Unsigned, [0, 0xff, 0xc0, 100, 0, 0, 0], 30, "70");
        check(Format::Unsigned, [0, 64, 0x80, 0, 0, 0, 0xf0], 1, "-45");
        // What is not linear by a formula, and what has no value.
        check(Format::Unsigned, [7, 1, 0, 0, 0, 0, 0], 4, "0.25");
        check(Format::Unsigned, [7, 1, 0, 0, 0, 0, 0], 0, "-");
        check(Format::Unsigned, [8, 1, 0, 0, 0, 0, 0], 12, "144.00");
        check(Format::Unsigned, [12, 1, 0, 0, 0, 0, 0], 12, "-");
        assert_eq!(Conversion::read(Format::Nothing, [0; 7]), None);
    }

    #[test]
    fn factors_may_be_told_for_each_reading() {
        let conversion = conversion(Format::Unsigned, [0x70, 0, 0, 0, 0, 0, 0]);
        assert!(conversion.needs_factors() && conversion.value(1).is_none());
        let told = conversion.with_factors(&[0, 3, 0, 1, 0, 0, 0]).unwrap();
        assert_eq!(told.value(10), Some(31.0));
        assert_eq!(conversion.with_factors(&[0, 3]), None);
    }

    #[test]
    fn units_in_words() {
        let check = |unit: Unit, expected: &str| assert_eq!(unit.words(), expected);
        check(Unit::new(0, 18, 0), "RPM");
        check(Unit::new(1, 0, 0), "%");
        check(Unit::new(0x18, 90 - 4, 0), "messages/s");
        check(Unit::new(0x02, 4, 22), "Volts/s");
        check(Unit::new(0, 200, 0), "");
    }

    #[test]
    fn readings_and_limits() {
        let read = |bytes: &[u8]| Reading::read(bytes).unwrap();
        assert_eq!(read(&[1, 0x80, 0]), None);
        assert_eq!(read(&[1, 0xe0, 0]), None);
        assert_eq!(read(&[95, 0xc0, 0xd8]).unwrap().beyond(), Some(Limit::UpperCritical));
        assert_eq!(read(&[95, 0xc0, 0xc7]).unwrap().beyond(), Some(Limit::LowerNonRecoverable));
        assert_eq!(read(&[95, 0xc0]).unwrap().beyond(), None);
        assert_eq!(read(&[0, 0xc0, 0x01, 0x80]).unwrap().words(0x08, 0x6f), "Presence Detected");
        assert_eq!(read(&[0, 0xc0, 0x03, 0x00]).unwrap().words(0x08, 0x6f), "Presence Detected, Failure Detected");
        assert_eq!(read(&[0, 0xc0, 0x00, 0x00]).unwrap().words(0x08, 0x6f), "nothing asserted");
        let set = limits(&[0x18, 1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(set, [(Limit::UpperNonCritical, 4), (Limit::UpperCritical, 5)]);
        assert_eq!(limits(&[0x18, 1]), None);
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_no_harm(bytes: [u8; 7], byte: u8, answer: Vec<u8>, kind: u8, events: u8) {
            if let Some(conversion) = Conversion::read(Format::of(byte), bytes) {
                prop_assert!(conversion.value(byte).is_none_or(f64::is_finite));
                prop_assert!(conversion.digits() <= 3);
                conversion.with_factors(&answer);
            }
            Unit::new(bytes[0], bytes[1], bytes[2]).words();
            limits(&answer);
            if let Some(Some(reading)) = Reading::read(&answer) {
                reading.words(kind, events);
                reading.beyond();
            }
        }
    }
}
