//! The sensor data records of a BMC: how they are asked for, and what they say of sensors. Pure.

use super::fru;
use super::message::Request;
use super::reader::Reader;
use super::reading::{Conversion, Format, Unit};

pub(super) const FIRST: u16 = 0x0000;
/// What follows the last record.
pub(super) const LAST: u16 = 0xffff;
/// Bytes that stand before the body of every record.
pub(super) const HEADER: u8 = 5;
/// Sensors that the BMC itself reads; the others belong to controllers behind it.
const BMC: u8 = 0x20;

/// Where a BMC keeps its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    /// One repository for the whole machine.
    Repository,
    /// Those of the controller's own sensors, where there is no repository.
    Device,
}

impl Store {
    pub(super) fn reserve(self) -> Request {
        match self {
            Self::Repository => Request::new(0x0a, 0x22, &[]),
            Self::Device => Request::new(0x04, 0x22, &[]),
        }
    }

    /// Bytes of a record.
    pub(super) fn get(self, reservation: u16, record: u16, offset: u8, count: u8) -> Request {
        let ([r0, r1], [n0, n1]) = (reservation.to_le_bytes(), record.to_le_bytes());
        let data = [r0, r1, n0, n1, offset, count];
        match self {
            Self::Repository => Request::new(0x0a, 0x23, &data),
            Self::Device => Request::new(0x04, 0x21, &data),
        }
    }
}

pub(super) fn reservation(answer: &[u8]) -> Option<u16> {
    Reader::new(answer).u16()
}

/// The number of the next record, and the bytes that were asked for.
pub(super) fn piece(answer: &[u8]) -> Option<(u16, &[u8])> {
    let mut reader = Reader::new(answer);
    Some((reader.u16()?, reader.rest()))
}

/// The head of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    kind: u8,
    /// Bytes that follow it.
    pub(super) length: u8,
}

impl Head {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (_number, _version) = (reader.u16()?, reader.u8()?);
        Some(Self { kind: reader.u8()?, length: reader.u8()? })
    }

    /// Whether it is about sensors that can be read.
    pub(super) fn is_of_sensors(self) -> bool {
        matches!(self.kind, FULL | COMPACT)
    }
}

const FULL: u8 = 0x01;
const COMPACT: u8 = 0x02;

/// A sensor as its record describes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sensor {
    pub(super) number: u8,
    pub(super) name: String,
    /// Its type, and what its events are: 0x01 are thresholds.
    pub(super) kind: u8,
    pub(super) events: u8,
    pub(super) unit: Unit,
    /// None where it only has states.
    pub(super) conversion: Option<Conversion>,
    /// Whether it tells its limits.
    pub(super) has_limits: bool,
}

/// The sensors of a record: several where these share one, none where it is of another kind or their controller is not the BMC.
pub(super) fn sensors(head: Head, body: &[u8]) -> Option<Vec<Sensor>> {
    let mut reader = Reader::new(body);
    let [owner, lun, number] = reader.array()?;
    if !head.is_of_sensors() || owner != BMC || lun & 0x03 != 0 {
        return Some(Vec::new());
    }
    let [_entity, _instance, _initialization, capabilities] = reader.array()?;
    let (kind, events) = (reader.u8()?, reader.u8()?);
    let _masks: [u8; 6] = reader.array()?;
    let [units, base, modifier] = reader.array()?;
    let sensor = Sensor {
        number,
        name: String::new(),
        kind,
        events,
        unit: Unit::new(units, base, modifier),
        conversion: None,
        has_limits: events & 0x7f == 0x01 && capabilities >> 2 & 0x03 != 0,
    };
    if head.kind == FULL {
        let conversion = Conversion::read(Format::of(units), reader.array()?);
        let _limits: [u8; 17] = reader.array()?;
        return Some(vec![Sensor { name: name(reader)?, conversion, ..sensor }]);
    }
    let (sharing, instances) = (reader.u8()?, reader.u8()?);
    let _hysteresis: [u8; 6] = reader.array()?;
    let name = name(reader)?;
    let count = (sharing & 0x0f).max(1);
    let shared = |place: u8| Sensor {
        number: number.wrapping_add(place),
        name: if count == 1 { name.clone() } else { format!("{name}{}", suffix(sharing, instances, place)) },
        ..sensor.clone()
    };
    Some((0..count).map(shared).collect())
}

/// How one of several sensors that share a record is told from the others.
fn suffix(sharing: u8, instances: u8, place: u8) -> String {
    let number = (instances & 0x7f).saturating_add(place);
    if sharing >> 4 & 0x03 == 1 { char::from(b'A' + number % 26).to_string() } else { number.to_string() }
}

fn name(mut reader: Reader<'_>) -> Option<String> {
    let kind = reader.u8()?;
    // A name that is longer than its record says so.
    let bytes = reader.rest();
    let length = usize::from(kind & 0x1f).min(bytes.len());
    Some(fru::text(kind >> 6, &bytes[..length]))
}

/// What a sensor says, as a number that its record explains or as states.
pub(super) fn get_reading(number: u8) -> Request {
    Request::new(0x04, 0x2d, &[number])
}

pub(super) fn get_limits(number: u8) -> Request {
    Request::new(0x04, 0x27, &[number])
}

/// How a reading of a sensor that is not linear is to be understood.
pub(super) fn get_factors(number: u8, reading: u8) -> Request {
    Request::new(0x04, 0x23, &[number, reading])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A full record's body: a temperature of one degree a step, with a name.
    fn full(name: &[u8]) -> Vec<u8> {
        let mut body = vec![0x20, 0, 0x31, 3, 1, 0x7f, 0x68, 0x01, 0x01, 0, 0, 0, 0, 0x3f, 0x3f, 0x80, 0x01, 0];
        body.extend([0, 1, 0, 0, 0, 0, 0]);
        body.extend([0; 17]);
        body.push(0xc0 | u8::try_from(name.len()).unwrap());
        body.extend(name);
        body
    }

    #[test]
    fn a_full_record_is_one_sensor() {
        let head = Head::read(&[1, 0, 0x51, 0x01, 0x33]).unwrap();
        assert_eq!((head.length, head.is_of_sensors()), (0x33, true));
        let sensors = sensors(head, &full(b"CPU Temp")).unwrap();
        let [sensor] = sensors.as_slice() else { panic!("{sensors:?}") };
        assert_eq!((sensor.number, sensor.name.as_str(), sensor.has_limits), (0x31, "CPU Temp", true));
        assert!(sensor.conversion.is_some());
    }

    #[test]
    fn a_compact_record_may_be_several_sensors() {
        let mut body = vec![0x20, 0, 0x40, 10, 1, 0x67, 0x40, 0x08, 0x6f, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0];
        body.extend([0x03, 0x01, 0, 0, 0, 0, 0, 0]);
        body.extend([0xc3, b'P', b'S', b' ']);
        let head = Head { kind: COMPACT, length: 0 };
        let names = |body: &[u8]| -> Vec<(u8, String)> {
            sensors(head, body).unwrap().into_iter().map(|sensor| (sensor.number, sensor.name)).collect()
        };
        // Names are trimmed, as are those of inventories.
        assert_eq!(names(&body), [(0x40, "PS1".into()), (0x41, "PS2".into()), (0x42, "PS3".into())]);
        body[18] = 0x12;
        assert_eq!(names(&body), [(0x40, "PSB".into()), (0x41, "PSC".into())]);
        body[0] = 0x2c;
        assert_eq!(names(&body), []);
    }

    #[test]
    fn requests_are_those_of_the_specification() {
        let request = Store::Repository.get(0x1234, 0x0102, 5, 24);
        assert_eq!(request, Request::new(0x0a, 0x23, &[0x34, 0x12, 0x02, 0x01, 5, 24]));
        assert_eq!(Store::Device.reserve(), Request::new(0x04, 0x22, &[]));
        assert_eq!(piece(&[2, 0, 9, 8]), Some((2, &[9, 8][..])));
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_no_harm(bytes: Vec<u8>, kind in 0..4u8, cut: prop::sample::Index) {
            let head = Head { kind, length: 0 };
            sensors(head, &bytes);
            let whole = full(b"name");
            sensors(head, &whole[..cut.index(whole.len())]);
            Head::read(&bytes);
            piece(&bytes);
            reservation(&bytes);
        }
    }
}
