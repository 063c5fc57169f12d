//! What a BMC measures, and the state of its chassis.
//!
//! Sensors of controllers behind the BMC are left out, as are event-only ones.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use tables::Node;
use tokio::time::Instant;

use super::Ipmi;
use super::chassis;
use super::reading::{self, AMPS, CELSIUS, KELVIN, Reading, VOLTS, WATTS};
use super::sdr::{self, HEADER, Head, Sensor, Store};
use super::session::Session;
use crate::{Error, Measured, Result, Sensors, Value, Vital, WantedVitals};

const DOING: &str = "read the sensors";
/// How long the records and readings of a machine may take; slow BMCs need a tenth of a second for each question.
const READING: Duration = Duration::from_secs(180);
/// Bytes of a record that are asked for at once, and how few it may come down to.
const PIECE: u8 = 32;
const SMALLEST_PIECE: u8 = 8;
/// So often a record is begun anew because the BMC's records have changed meanwhile.
const TRIES: usize = 5;

const NO_COMMAND: [u8; 2] = [0xc1, 0xc2];
const RESERVATION_LOST: u8 = 0xc5;
/// The piece is too large: "cannot return so many bytes", "length exceeds", "out of range", unspecified.
const TOO_LARGE: [u8; 4] = [0xca, 0xc8, 0xc7, 0xff];
/// The vitals that come from the records of sensors.
const MEASURED: [Vital; 6] =
    [Vital::Temperature, Vital::Voltage, Vital::Current, Vital::Fan, Vital::Wattage, Vital::Other];

#[async_trait]
impl Sensors for Ipmi {
    async fn vitals(&self, node: &Node, wanted: &WantedVitals) -> Result<Vec<Measured>> {
        let mut session = self.session(node).await?;
        let has = |of: &[Vital]| wanted.vitals.iter().any(|vital| of.contains(vital));
        let mut measured = Vec::new();
        if has(&[Vital::Power, Vital::Chassis, Vital::Light]) {
            let status = session.ask("tell the state of the chassis", &chassis::status()).await?;
            measured.extend(wanted.vitals.iter().flat_map(|vital| chassis::vitals(*vital, &status)));
        }
        if has(&MEASURED) {
            let begun = Instant::now();
            let records = Records::of(&mut session, begun).await?;
            let mut sensors = match records {
                Some(records) => records.sensors().await?,
                None => Vec::new(),
            };
            sensors.retain(|sensor| wanted.vitals.contains(&vital(sensor)));
            for sensor in sensors {
                measured.push(measure(&mut session, sensor, wanted.limits).await?);
                session.in_time(DOING, begun, READING)?;
            }
        }
        Ok(measured)
    }
}

/// What a sensor is about: what it measures, else what it is.
fn vital(sensor: &Sensor) -> Vital {
    match (sensor.conversion.map(|_| sensor.unit.base), sensor.kind) {
        (Some(CELSIUS..=KELVIN), _) => Vital::Temperature,
        (Some(VOLTS), _) => Vital::Voltage,
        (Some(AMPS), _) => Vital::Current,
        (Some(WATTS), _) => Vital::Wattage,
        (_, 0x01) => Vital::Temperature,
        (_, 0x02) => Vital::Voltage,
        (_, 0x03) => Vital::Current,
        (_, 0x04) => Vital::Fan,
        _ => Vital::Other,
    }
}

async fn measure(session: &mut Session, sensor: Sensor, limits: bool) -> Result<Measured> {
    let mut measured = Measured { name: sensor.name, value: Value::Unknown, beyond: None, limits: Vec::new() };
    let answer = session.try_ask(DOING, &sdr::get_reading(sensor.number)).await?;
    let reading = if answer.code == 0 { Reading::read(&answer.data).flatten() } else { None };
    let mut conversion = sensor.conversion;
    if let (Some(reading), Some(of_all)) = (reading, conversion.filter(|conversion| conversion.needs_factors())) {
        let answer = session.try_ask(DOING, &sdr::get_factors(sensor.number, reading.byte)).await?;
        conversion = of_all.with_factors(&answer.data).filter(|_| answer.code == 0);
    }
    let unit = sensor.unit.words();
    let of_thresholds = sensor.events & 0x7f == 0x01;
    measured.beyond = reading.filter(|_| of_thresholds).and_then(Reading::beyond);
    measured.value = match (reading, conversion) {
        (Some(reading), Some(conversion)) => match conversion.value(reading.byte) {
            Some(value) => Value::Number { value, digits: conversion.digits(), unit },
            None => Value::Unknown,
        },
        (Some(reading), None) if !of_thresholds => Value::Words(reading.words(sensor.kind, sensor.events)),
        _ => Value::Unknown,
    };
    if let (true, true, Some(conversion)) = (limits, sensor.has_limits, sensor.conversion) {
        let answer = session.try_ask(DOING, &sdr::get_limits(sensor.number)).await?;
        let set = if answer.code == 0 { reading::limits(&answer.data).unwrap_or_default() } else { Vec::new() };
        let value = |(limit, byte)| Some((limit, conversion.value(byte)?));
        measured.limits = set.into_iter().filter_map(value).collect();
    }
    Ok(measured)
}

/// The records of a BMC, being read.
struct Records<'a> {
    session: &'a mut Session,
    store: Store,
    reservation: u16,
    /// Bytes that the BMC gives at once.
    piece: u8,
    begun: Instant,
}

/// Why a record could not be read at this moment.
enum Fault {
    /// The records have changed since they were reserved.
    Changed,
    Failed(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Records<'a> {
    /// None where the BMC has no sensors.
    async fn of(session: &'a mut Session, begun: Instant) -> Result<Option<Self>> {
        for store in [Store::Repository, Store::Device] {
            let answer = session.try_ask(DOING, &store.reserve()).await?;
            if !NO_COMMAND.contains(&answer.code) {
                let answer = session.succeeded(DOING, answer)?;
                let reservation = sdr::reservation(&answer).ok_or_else(|| session.garbled(DOING))?;
                return Ok(Some(Self { session, store, reservation, piece: PIECE, begun }));
            }
        }
        Ok(None)
    }

    async fn reserve(&mut self) -> Result<()> {
        let answer = self.session.ask(DOING, &self.store.reserve()).await?;
        self.reservation = sdr::reservation(&answer).ok_or_else(|| self.session.garbled(DOING))?;
        Ok(())
    }

    /// The sensors that all records describe.
    async fn sensors(mut self) -> Result<Vec<Sensor>> {
        let (mut sensors, mut number, mut tries) = (Vec::new(), sdr::FIRST, 0);
        // A BMC that goes round in circles comes to an end.
        let mut seen = HashSet::new();
        while number != sdr::LAST && seen.insert(number) {
            self.session.in_time(DOING, self.begun, READING)?;
            let (next, found) = loop {
                match self.record(number).await {
                    Ok(record) => break record,
                    Err(Fault::Changed) if tries < TRIES => {
                        tries += 1;
                        self.reserve().await?;
                    }
                    Err(Fault::Changed) => return Err(self.session.garbled(DOING)),
                    Err(Fault::Failed(error)) => return Err(error),
                }
            };
            sensors.extend(found);
            number = if next == sdr::FIRST { sdr::LAST } else { next };
        }
        Ok(sensors)
    }

    /// The number of the next record, and the sensors of this one. A record that makes no sense is none.
    async fn record(&mut self, number: u16) -> Result<(u16, Vec<Sensor>), Fault> {
        let Some((next, head)) = self.bytes(number, 0, HEADER).await? else {
            // An empty store.
            return Ok((sdr::LAST, Vec::new()));
        };
        let head = Head::read(&head).ok_or_else(|| self.session.garbled(DOING))?;
        if !head.is_of_sensors() {
            return Ok((next, Vec::new()));
        }
        let mut body = Vec::new();
        while body.len() < usize::from(head.length) {
            let done = u8::try_from(body.len()).unwrap_or(u8::MAX);
            let count = (head.length - done).min(self.piece);
            let Some((_, piece)) = self.bytes(number, HEADER.saturating_add(done), count).await? else { break };
            if piece.is_empty() {
                break;
            }
            body.extend(piece);
        }
        Ok((next, sdr::sensors(head, &body).unwrap_or_default()))
    }

    /// Some bytes of a record, fewer if the BMC cannot give as many at once; None if there is no such record.
    async fn bytes(&mut self, record: u16, offset: u8, count: u8) -> Result<Option<(u16, Vec<u8>)>, Fault> {
        const ABSENT: u8 = 0xcb;
        let mut count = count;
        loop {
            self.session.in_time(DOING, self.begun, READING)?;
            let request = self.store.get(self.reservation, record, offset, count);
            let answer = self.session.try_ask(DOING, &request).await?;
            match answer.code {
                RESERVATION_LOST => return Err(Fault::Changed),
                ABSENT => return Ok(None),
                code if TOO_LARGE.contains(&code) && count > SMALLEST_PIECE => {
                    self.piece = (count / 2).max(SMALLEST_PIECE);
                    count = self.piece;
                }
                _ => {
                    let answer = self.session.succeeded(DOING, answer)?;
                    let (next, bytes) = sdr::piece(&answer).ok_or_else(|| self.session.garbled(DOING))?;
                    // What is more than was asked for belongs to nothing.
                    return Ok(Some((next, bytes[..bytes.len().min(count.into())].to_vec())));
                }
            }
        }
    }
}
