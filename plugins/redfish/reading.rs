//! What a chassis measures: as the older schemas tell it (Thermal, Power), and as the newer ones do (Sensor, and the
//! excerpts of sensors in ThermalSubsystem, PowerSubsystem and EnvironmentMetrics). Pure.

use super::document::Document;
use crate::{Limit, Measured, Value, Vital};

/// A sensor, and what it is about.
pub(super) type Reading = (Vital, Measured);

/// More digits than that after the point mean nothing.
const DIGITS: usize = 3;

/// A list of sensors of an older schema.
struct List {
    name: &'static str,
    /// Members that have the reading, and its unit, the first that is there; a fan may say another.
    readings: &'static [(&'static str, &'static str)],
    vital: Vital,
}

const THERMAL: [List; 2] = [
    List { name: "Temperatures", readings: &[("ReadingCelsius", "C")], vital: Vital::Temperature },
    List { name: "Fans", readings: &[("Reading", "RPM"), ("ReadingRPM", "RPM")], vital: Vital::Fan },
];
const POWER: [List; 2] = [
    List { name: "PowerControl", readings: &[("PowerConsumedWatts", "Watts")], vital: Vital::Wattage },
    List { name: "Voltages", readings: &[("ReadingVolts", "Volts")], vital: Vital::Voltage },
];

/// Limits by their names in the older schemas, and in `Thresholds` of the newer ones; in the order of [`Limit::ALL`].
const LIMITS: [(&str, &str); 6] = [
    ("LowerThresholdNonCritical", "LowerCaution"),
    ("LowerThresholdCritical", "LowerCritical"),
    ("LowerThresholdFatal", "LowerFatal"),
    ("UpperThresholdNonCritical", "UpperCaution"),
    ("UpperThresholdCritical", "UpperCritical"),
    ("UpperThresholdFatal", "UpperFatal"),
];

/// Of a resource Thermal.
pub(super) fn thermal(thermal: &Document) -> Vec<Reading> {
    THERMAL.iter().flat_map(|list| listed(thermal, list)).collect()
}

/// Of a resource Power.
pub(super) fn power(power: &Document) -> Vec<Reading> {
    let supplies = power.objects(&["PowerSupplies"]);
    POWER.iter().flat_map(|list| listed(power, list)).chain(supplies.iter().flat_map(supply)).collect()
}

fn listed(document: &Document, list: &List) -> Vec<Reading> {
    let sensors = document.objects(&[list.name]);
    let sensors = sensors.iter().filter(|sensor| is_there(sensor));
    let read = |sensor: &Document| {
        let name = sensor.text(&["Name"]).or_else(|| sensor.text(&["FanName"]))?;
        let found = list.readings.iter().find(|(member, _)| sensor.has(member)).or(list.readings.first())?;
        let unit = sensor.text(&["ReadingUnits"]).map_or_else(|| found.1.to_owned(), |unit| words(&unit));
        Some((list.vital, measured(sensor, name, sensor.number(&[found.0]), unit)))
    };
    sensors.filter_map(read).collect()
}

/// A power supply: whether it is well, and what it takes.
pub(super) fn supply(supply: &Document) -> Vec<Reading> {
    if !is_there(supply) {
        return Vec::new();
    }
    let Some(name) = supply.text(&["Name"]) else { return Vec::new() };
    let mut readings = vec![(Vital::Other, Measured::words(&*name, well(supply)))];
    if let Some(watts) = supply.number(&["PowerInputWatts"]) {
        let name = format!("{name} Input");
        let value = number(watts, "Watts".into());
        readings.push((Vital::Wattage, Measured { name, value, beyond: None, limits: Vec::new() }));
    }
    readings
}

fn well(document: &Document) -> String {
    let status = |member: &str| document.text(&["Status", member]);
    status("Health").or_else(|| status("State")).unwrap_or_else(|| "Unknown".into())
}

/// A sensor of its own. None for what has no name, or is not there.
pub(super) fn sensor(sensor: &Document) -> Option<Reading> {
    let name = sensor.text(&["Name"]).or_else(|| sensor.text(&["Id"]))?;
    if !is_there(sensor) {
        return None;
    }
    let unit = words(&sensor.text(&["ReadingUnits"]).unwrap_or_default());
    let about = |member: &str| sensor.text(&[member]).unwrap_or_default();
    let of_fan = [about("PhysicalContext"), about("PhysicalSubContext")].iter().any(|context| context.contains("Fan"));
    let vital = match (about("ReadingType").as_str(), unit.as_str()) {
        ("Temperature", _) | ("", "C") => Vital::Temperature,
        ("Voltage", _) | ("", "Volts") => Vital::Voltage,
        ("Current", _) | ("", "Amps") => Vital::Current,
        ("Power", _) | ("", "Watts") => Vital::Wattage,
        ("Rotational", _) | ("", "RPM") => Vital::Fan,
        ("Percent", _) | ("", "%") if of_fan => Vital::Fan,
        _ => Vital::Other,
    };
    Some((vital, measured(sensor, name, sensor.number(&["Reading"]), unit)))
}

/// What a resource ThermalMetrics sums up.
pub(super) fn thermal_metrics(metrics: &Document) -> Vec<Reading> {
    let all = metrics.objects(&["TemperatureReadingsCelsius"]);
    let read = |excerpt: &Document| {
        let name = excerpt.text(&["DeviceName"]).or_else(|| excerpt.text(&["PhysicalContext"]))?;
        Some((Vital::Temperature, measured(excerpt, name, excerpt.number(&["Reading"]), "C".into())))
    };
    all.iter().filter_map(read).collect()
}

/// A fan of the newer schema: its speed, else its part of what it can do.
pub(super) fn fan(fan: &Document) -> Option<Reading> {
    let name = fan.text(&["Name"]).filter(|_| is_there(fan))?;
    let rpm = fan.number(&["SpeedPercent", "SpeedRPM"]);
    let (value, unit) = match rpm {
        Some(_) => (rpm, "RPM"),
        None => (fan.number(&["SpeedPercent", "Reading"]), "%"),
    };
    Some((Vital::Fan, measured(fan, name, value, unit.into())))
}

/// What a resource EnvironmentMetrics says of power.
pub(super) fn environment(metrics: &Document) -> Option<Reading> {
    let watts = metrics.number(&["PowerWatts", "Reading"])?;
    let (name, value) = ("Power".to_owned(), number(watts, "Watts".into()));
    Some((Vital::Wattage, Measured { name, value, beyond: None, limits: Vec::new() }))
}

fn is_there(document: &Document) -> bool {
    document.text(&["Status", "State"]).as_deref() != Some("Absent")
}

fn measured(sensor: &Document, name: String, value: Option<f64>, unit: String) -> Measured {
    let of = |(limit, (old, new)): (Limit, &(&str, &str))| {
        let value = sensor.number(&[old]).or_else(|| sensor.number(&["Thresholds", new, "Reading"]))?;
        Some((limit, value))
    };
    let limits: Vec<(Limit, f64)> = Limit::ALL.into_iter().zip(&LIMITS).filter_map(of).collect();
    // Some write a 0 for a limit that they do not have; a machine that says it is well is believed.
    let is_well = sensor.text(&["Status", "Health"]).as_deref() == Some("OK");
    let beyond = value.filter(|_| !is_well).and_then(|value| beyond(value, &limits));
    let value = value.map_or(Value::Unknown, |value| number(value, unit));
    Measured { name, value, beyond, limits }
}

/// The worst limit that a value has gone beyond.
fn beyond(value: f64, limits: &[(Limit, f64)]) -> Option<Limit> {
    let is_beyond = |limit: Limit, bound: f64| if limit.is_upper() { value >= bound } else { value <= bound };
    limits.iter().rev().find(|(limit, bound)| is_beyond(*limit, *bound)).map(|(limit, _)| *limit)
}

fn number(value: f64, unit: String) -> Value {
    let text = format!("{value:.DIGITS$}");
    let digits = text.trim_end_matches('0').split_once('.').map_or(0, |(_, digits)| digits.len());
    Value::Number { value, digits, unit }
}

/// A unit as IPMI's sensors have it.
fn words(unit: &str) -> String {
    match unit {
        "Cel" => "C",
        "W" => "Watts",
        "V" => "Volts",
        "A" => "Amps",
        "{rev}/min" => "RPM",
        "Percent" => "%",
        "J" => "Joules",
        "kW.h" => "kWh",
        "[ft_i]3/min" => "CFM",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn document(value: serde_json::Value) -> Document {
        Document::parse(value.to_string().as_bytes()).unwrap()
    }

    fn shown(readings: &[Reading]) -> Vec<String> {
        let show = |(vital, measured): &Reading| {
            let value = match &measured.value {
                Value::Number { value, digits, unit } => format!("{value:.digits$} {unit}"),
                Value::Words(words) => words.clone(),
                Value::Unknown => "?".into(),
            };
            let beyond = measured.beyond.map_or("", Limit::words);
            format!("{vital:?} {}: {value} {beyond} {}", measured.name, measured.limits.len())
        };
        readings.iter().map(show).collect()
    }

    #[test]
    fn older_schemas() {
        let told = document(json!({
            "Temperatures": [
                { "Name": "CPU", "ReadingCelsius": 91, "UpperThresholdNonCritical": 80, "UpperThresholdCritical": 90.5 },
                { "Name": "DIMM", "ReadingCelsius": null },
                { "Name": "M.2", "ReadingCelsius": 20, "Status": { "State": "Absent" } },
                { "Name": "Inlet", "ReadingCelsius": 24.50, "LowerThresholdCritical": 30, "Status": { "Health": "OK" } },
                { "ReadingCelsius": 1 }, 7,
            ],
            "Fans": [
                { "FanName": "Fan 1", "Reading": 40, "ReadingUnits": "Percent" },
                { "Name": "Fan 2", "ReadingRPM": 5400, "LowerThresholdFatal": 6000 },
            ],
        }));
        let expected = [
            "Temperature CPU: 91 C upper critical 2",
            "Temperature DIMM: ? C  0".trim_end(),
            "Temperature Inlet: 24.5 C  1",
            "Fan Fan 1: 40 %  0",
            "Fan Fan 2: 5400 RPM lower non-recoverable 1",
        ];
        let expected = expected.map(|line| line.replace("? C", "?"));
        assert_eq!(shown(&thermal(&told)), expected);
        let told = document(json!({
            "PowerControl": [{ "Name": "System", "PowerConsumedWatts": 212 }],
            "Voltages": [{ "Name": "12V", "ReadingVolts": "11.9772" }],
            "PowerSupplies": [{ "Name": "PS1", "Status": { "Health": "Critical" }, "PowerInputWatts": 110 }, {}],
        }));
        let expected = [
            "Wattage System: 212 Watts  0",
            "Voltage 12V: 11.977 Volts  0",
            "Other PS1: Critical  0",
            "Wattage PS1 Input: 110 Watts  0",
        ];
        assert_eq!(shown(&power(&told)), expected);
    }

    #[test]
    fn newer_schemas() {
        let check = |value: serde_json::Value, expected: Option<&str>| {
            let read: Vec<Reading> = sensor(&document(value.clone())).into_iter().collect();
            assert_eq!(shown(&read).first().map(String::as_str), expected, "{value}");
        };
        let limits = json!({ "UpperCaution": { "Reading": 80 }, "LowerCritical": { "Reading": 5 } });
        check(
            json!({ "Name": "CPU", "Reading": 81.25, "ReadingType": "Temperature", "ReadingUnits": "Cel", "Thresholds": limits }),
            Some("Temperature CPU: 81.25 C upper non-critical 2"),
        );
        check(json!({ "Id": "f1", "Reading": 9, "ReadingUnits": "RPM" }), Some("Fan f1: 9 RPM  0"));
        check(
            json!({ "Name": "f2", "Reading": 9, "ReadingUnits": "%", "PhysicalContext": "Fan" }),
            Some("Fan f2: 9 %  0"),
        );
        check(json!({ "Name": "load", "Reading": 9, "ReadingUnits": "%" }), Some("Other load: 9 %  0"));
        check(json!({ "Name": "e", "ReadingType": "EnergykWh", "ReadingUnits": "kW.h" }), Some("Other e: ?  0"));
        check(json!({ "Reading": 9 }), None);
        check(json!({ "Name": "x", "Reading": 1, "Status": { "State": "Absent" } }), None);
        let told = document(json!({ "TemperatureReadingsCelsius": [{ "DeviceName": "Inlet", "Reading": 22.0 }, {}] }));
        assert_eq!(shown(&thermal_metrics(&told)), ["Temperature Inlet: 22 C  0"]);
        let spinning = |speed: serde_json::Value| {
            let read = fan(&document(json!({ "Name": "Fan", "SpeedPercent": speed })));
            shown(&read.into_iter().collect::<Vec<_>>()).concat()
        };
        assert_eq!(spinning(json!({ "Reading": 30, "SpeedRPM": 4800 })), "Fan Fan: 4800 RPM  0");
        assert_eq!(spinning(json!({ "Reading": 30 })), "Fan Fan: 30 %  0");
        let told = document(json!({ "PowerWatts": { "Reading": 374.5 } }));
        assert_eq!(shown(&environment(&told).into_iter().collect::<Vec<_>>()), ["Wattage Power: 374.5 Watts  0"]);
    }

    #[test]
    fn what_is_of_another_kind_is_left_out() {
        let odd = document(json!({
            "Temperatures": { "Name": 1 }, "Fans": [[], "x", { "Name": {}, "Reading": [] }], "PowerControl": 7,
            "Voltages": null, "PowerSupplies": [{ "Name": [] }], "TemperatureReadingsCelsius": "hot",
            "SpeedPercent": 4, "PowerWatts": [], "Name": "odd", "Reading": { "a": 1 }, "Thresholds": [1],
        }));
        assert!(thermal(&odd).is_empty() && power(&odd).is_empty() && thermal_metrics(&odd).is_empty());
        assert_eq!(environment(&odd), None);
        assert_eq!(sensor(&odd).map(|(_, measured)| measured.value), Some(Value::Unknown));
        assert_eq!(fan(&odd).map(|(_, measured)| measured.value), Some(Value::Unknown));
    }

    proptest! {
        #[test]
        fn numbers_of_any_size_are_shown(value: f64) {
            if value.is_finite() {
                let Value::Number { digits, .. } = number(value, String::new()) else { unreachable!() };
                prop_assert!(digits <= DIGITS);
            }
        }
    }
}
