//! Every reader of what BMCs write, over JSON that is right in its names and in nothing else.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::document::Document;
use super::quirks::{Quirks, insertions};
use super::{beacon, boot, console, interface, media, reading, sensors};
use crate::Value as Shown;

const NAMES: [&str; 44] = [
    "@odata.id",
    "Actions",
    "Address",
    "Boot",
    "BootSourceOverrideEnabled",
    "BootSourceOverrideTarget",
    "ConnectTypesSupported",
    "ConsoleEntryCommand",
    "DeviceName",
    "Fans",
    "Health",
    "HttpBootUri",
    "IPMI",
    "IPv4Addresses",
    "IPv4StaticAddresses",
    "Image",
    "IndicatorLED",
    "Inserted",
    "Links",
    "LocationIndicatorActive",
    "MediaTypes",
    "Members",
    "Name",
    "Oem",
    "PhysicalSecurity",
    "Port",
    "PowerConsumedWatts",
    "PowerControl",
    "PowerSupplies",
    "PowerWatts",
    "Reading",
    "ReadingCelsius",
    "ReadingType",
    "ReadingUnits",
    "SSH",
    "SerialConsole",
    "ServiceEnabled",
    "SpeedPercent",
    "Status",
    "SubnetMask",
    "TemperatureReadingsCelsius",
    "Temperatures",
    "Thresholds",
    "Vendor",
];
const WORDS: [&str; 13] = [
    "Once",
    "Continuous",
    "Pxe",
    "Absent",
    "OK",
    "CD",
    "SSH",
    "Temperature",
    "Cel",
    "/redfish/v1",
    "10.0.0.7",
    "1e999",
    "\u{202e}x",
];

/// Objects of those names, some levels deep, with anything in them.
fn odd() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        let member = (prop::sample::select(&NAMES[..]), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            prop::collection::vec(member, 1..8).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_without_harm(members in prop::collection::vec((prop::sample::select(&NAMES[..]), odd()), 1..10)) {
        let whole: Map<String, Value> = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let document = Document::parse(json!(whole).to_string().as_bytes()).expect("it is an object");
        let quirks = Quirks::of(&document);
        let mut readings = reading::thermal(&document);
        readings.extend(reading::power(&document));
        readings.extend(reading::thermal_metrics(&document));
        readings.extend(reading::sensor(&document));
        readings.extend(reading::fan(&document));
        readings.extend(reading::environment(&document));
        for (_, measured) in readings {
            let finite = !matches!(measured.value, Shown::Number { value, .. } if !value.is_finite());
            prop_assert!(finite && measured.limits.iter().all(|(_, limit)| limit.is_finite()), "{measured:?}");
        }
        console::ways(&document, Some(&document), quirks);
        sensors::state(&document, std::slice::from_ref(&document));
        beacon::state(&document);
        boot::read_from(&document).ok();
        if let Some(now) = interface::read(&document, [10, 0, 0, 7].into()) {
            interface::change(&document, &now, &crate::ControllerNetwork { fixed: !now.fixed, vlan: Some(7), ..now });
        }
        if media::is_taken(&document) && media::is_for_discs("/a/b", &document) {
            insertions(&document.text(&["Image"]).unwrap_or_default());
        }
        for path in document.links(&["Members"]) {
            prop_assert!(path.starts_with('/') && !path.starts_with("//"), "{path}");
        }
    }
}
