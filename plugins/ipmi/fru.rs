//! What a machine's inventory store (FRU) says: areas of fields, by the platform management FRU specification. Pure.

use super::reader::Reader;

/// Where the areas of a store begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Areas {
    pub(super) chassis: Option<u16>,
    pub(super) board: Option<u16>,
    pub(super) product: Option<u16>,
}

/// Bytes of the header that tells the areas.
pub(super) const HEADER: u8 = 8;
/// Bytes from which the length of an area is known.
pub(super) const AREA_HEADER: u8 = 2;
const END: u8 = 0xc1;

/// Reads the header of a store; None if there is nothing written in it.
pub(super) fn areas(header: &[u8]) -> Option<Areas> {
    let &[version, _internal, chassis, board, product, ..] = header.get(..HEADER.into())? else { return None };
    let place = |eighth: u8| (eighth != 0).then(|| u16::from(eighth) * 8);
    let whole = version & 0x0f == 1 && is_zero(&header[..HEADER.into()]);
    whole.then(|| Areas { chassis: place(chassis), board: place(board), product: place(product) })
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)) == 0
}

/// How long an area is, by its first bytes.
pub(super) fn length(head: &[u8]) -> Option<u16> {
    head.get(1).map(|eighths| u16::from(*eighths) * 8).filter(|length| *length > 0)
}

/// The areas, by what stands before their fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    Chassis,
    Board,
    Product,
}

impl Area {
    fn before_fields(self) -> usize {
        match self {
            Self::Chassis | Self::Product => 3,
            Self::Board => 6,
        }
    }
}

/// The fields of an area in order; an empty one is an empty text.
pub(super) fn fields(area: Area, bytes: &[u8]) -> Option<Vec<String>> {
    if !is_zero(bytes) {
        return None;
    }
    let mut reader = Reader::new(bytes);
    reader.take(area.before_fields())?;
    let mut fields = Vec::new();
    while let Some(kind) = reader.u8().filter(|kind| *kind != END) {
        fields.push(text(kind >> 6, reader.take(usize::from(kind & 0x3f))?));
    }
    Some(fields)
}

/// A text in one of the four ways of stores and sensor records.
pub(super) fn text(kind: u8, bytes: &[u8]) -> String {
    let text: String = match kind {
        0 => crate::hex(bytes),
        1 => bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).map(decimal).collect(),
        2 => bytes.chunks(3).flat_map(six_bits).collect(),
        _ => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    // It goes to a terminal, and a store may hold anything.
    text.chars().filter(|letter| !letter.is_control()).collect::<String>().trim().to_owned()
}

/// BCD plus.
fn decimal(half: u8) -> char {
    match half {
        0..=9 => char::from(b'0' + half),
        0x0a => ' ',
        0x0b => '-',
        0x0c => '.',
        _ => '?',
    }
}

/// Letters of six bits, four in three bytes, the lowest bits first.
fn six_bits(bytes: &[u8]) -> Vec<char> {
    let bits = bytes.iter().rev().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
    let letters = bytes.len() * 8 / 6;
    (0..letters).map(|place| char::from(0x20 + u8::try_from(bits >> (6 * place) & 0x3f).unwrap_or(0))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn closed(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.push(bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_sub(*byte)));
        bytes
    }

    #[test]
    fn areas_are_told_by_the_header() {
        let areas = areas(&closed(vec![1, 0, 0, 1, 8, 0, 0])).unwrap();
        assert_eq!(areas, Areas { chassis: None, board: Some(8), product: Some(64) });
        assert_eq!(super::areas(&[0xff; 8]), None);
        assert_eq!((length(&[1, 4]), length(&[1, 0]), length(&[1])), (Some(32), None, None));
    }

    #[test]
    fn fields_of_every_kind() {
        let mut area = vec![1, 0, 0];
        area.extend([0xc4, b'A', b'c', b'm', b'e']);
        area.extend([0x42, 0x12, 0xb3]);
        area.extend([0x83, 0x29, 0xdc, 0xa6]); // the example of the specification: IPMI
        area.extend([0x02, 0xab, 0x01]);
        area.extend([0xc0, 0xc3, b'a', 0x1b, b' ', 0xc1, 0, 0]);
        let fields = fields(Area::Product, &closed(area)).unwrap();
        assert_eq!(fields, ["Acme", "12-3", "IPMI", "ab01", "", "a"]);
    }

    #[test]
    fn a_damaged_area_says_nothing() {
        assert_eq!(fields(Area::Product, &[1, 1, 0, 0xc4, b'A']), None);
        assert_eq!(fields(Area::Product, &closed(vec![1, 1, 0, 0xff, b'A'])), None);
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_no_harm(bytes: Vec<u8>) {
            areas(&bytes);
            length(&bytes);
            for area in [Area::Chassis, Area::Board, Area::Product] {
                fields(area, &bytes);
                fields(area, &closed(bytes.clone()));
            }
        }
    }
}
