//! `rvitals`: what machines measure of themselves.

use clap::{Args, ValueEnum};
use plugins::{Limit, Measured, Value, Vital, WantedVitals};
use serde_json::json;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::ui::Format;

/// Show what nodes measure of themselves: temperatures, fans, voltages, power
#[derive(Debug, Args)]
#[command(
    after_help = "A value beyond a limit says beyond which. By IPMI and by Redfish; leds is the light by which people find a machine, not
those on its parts. Several things may be asked for, by comma.

Examples:
  rvitals n1                 all that its BMC tells
  rvitals rack1 temp         the temperatures of a rack
  rvitals n1 fanspeed -l     with the limits of each fan
  rvitals all power,leds -b  who is on, and whose light is?"
)]
pub(crate) struct Rvitals {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// What to show
    #[arg(value_enum, value_name = "WHAT", default_value = "all", value_delimiter = ',')]
    what: Vec<What>,
    /// Show the limits of each value beside it; --json always has them
    #[arg(short, long)]
    limits: bool,
    #[command(flatten)]
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    All,
    #[value(alias = "temperature")]
    Temp,
    Voltage,
    Fanspeed,
    /// Whether it is on, and the watts that it takes
    Power,
    Wattage,
    Leds,
    /// Faults, lid, what happens when the mains return
    Chassis,
}

const ALL: &[Vital] = &[
    Vital::Power,
    Vital::Chassis,
    Vital::Light,
    Vital::Temperature,
    Vital::Voltage,
    Vital::Current,
    Vital::Fan,
    Vital::Wattage,
    Vital::Other,
];

impl What {
    fn is_about(self, vital: Vital) -> bool {
        match self {
            Self::All => true,
            Self::Temp => vital == Vital::Temperature,
            Self::Voltage => vital == Vital::Voltage,
            Self::Fanspeed => vital == Vital::Fan,
            Self::Power => matches!(vital, Vital::Power | Vital::Wattage),
            Self::Wattage => vital == Vital::Wattage,
            Self::Leds => vital == Vital::Light,
            Self::Chassis => vital == Vital::Chassis,
        }
    }
}

impl Run for Rvitals {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        let backends = cx.backends()?;
        let manner = Manner::from(&self.shape).widened(backends.beyond_fanout(&nodes));
        let about = |vital: &Vital| self.what.iter().any(|what| what.is_about(*vital));
        let wanted = WantedVitals {
            vitals: ALL.iter().copied().filter(about).collect(),
            limits: self.limits || self.shape.format() == Format::Json,
        };
        let ask = async |node: Node| {
            let measured = backends.sensors(&node)?.vitals(&node, &wanted).await?;
            if measured.is_empty() {
                return Err(Failure::refused("the machine does not tell this"));
            }
            let lines = measured.iter().map(|measured| line(measured, self.limits)).collect();
            Ok(Answer { lines, data: Some(measured.iter().map(data).collect()), ..Answer::silent() })
        };
        Ok(cx.each(nodes, manner, ask).await.into())
    }
}

fn line(measured: &Measured, limits: bool) -> String {
    let mut line = format!("{}: {}", measured.name, words(&measured.value));
    if let Some(limit) = measured.beyond {
        let side = if limit.is_upper() { "above" } else { "below" };
        line.push_str(&format!(", {side} {}", limit.words()));
    }
    let digits = if let Value::Number { digits, .. } = measured.value { digits } else { 2 };
    if limits && !measured.limits.is_empty() {
        let ranges = [
            ("good", Limit::LowerNonCritical, Limit::UpperNonCritical),
            ("not critical", Limit::LowerCritical, Limit::UpperCritical),
            ("recoverable", Limit::LowerNonRecoverable, Limit::UpperNonRecoverable),
        ];
        let limit = |wanted: Limit| {
            let found = measured.limits.iter().find(|(limit, _)| *limit == wanted);
            found.map(|(_, value)| format!("{value:.digits$}"))
        };
        let ranges = ranges.into_iter().filter_map(|(words, lower, upper)| {
            let range = match (limit(lower), limit(upper)) {
                (None, None) => return None,
                (Some(lower), None) => format!("from {lower}"),
                (None, Some(upper)) => format!("up to {upper}"),
                (Some(lower), Some(upper)) => format!("{lower} to {upper}"),
            };
            Some(format!("{words} {range}"))
        });
        line.push_str(&format!(" [{}]", ranges.collect::<Vec<_>>().join("; ")));
    }
    line
}

/// A value as xCAT writes it.
fn words(value: &Value) -> String {
    let (value, digits, unit) = match value {
        Value::Number { value, digits, unit } => (*value, *digits, unit.as_str()),
        Value::Words(words) => return words.clone(),
        Value::Unknown => return "N/A".into(),
    };
    match unit {
        "C" => format!("{value:.digits$} C ({:.0} F)", value * 1.8 + 32.0),
        "F" => format!("{:.0} C ({value:.digits$} F)", (value - 32.0) / 1.8),
        "Watts" => format!("{value:.digits$} Watts ({:.0} BTUs/hr)", value * 3.412_142),
        "" => format!("{value:.digits$}"),
        "%" => format!("{value:.digits$}%"),
        unit => format!("{value:.digits$} {unit}"),
    }
}

fn data(measured: &Measured) -> serde_json::Value {
    let mut data = json!({ "name": measured.name });
    match &measured.value {
        Value::Number { value, digits, unit } => {
            data["value"] = rounded(*value, *digits);
            data["unit"] = unit.as_str().into();
        }
        Value::Words(words) => data["value"] = words.as_str().into(),
        Value::Unknown => data["value"] = serde_json::Value::Null,
    }
    if let Some(limit) = measured.beyond {
        data["beyond"] = limit.words().into();
    }
    let digits = if let Value::Number { digits, .. } = measured.value { digits } else { 3 };
    for (limit, value) in &measured.limits {
        data["limits"][limit.words()] = rounded(*value, digits);
    }
    data
}

/// A number without the digits that mean nothing.
fn rounded(value: f64, digits: usize) -> serde_json::Value {
    format!("{value:.digits$}").parse::<f64>().map_or(serde_json::Value::Null, Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: f64, digits: usize, unit: &str) -> Value {
        Value::Number { value, digits, unit: unit.into() }
    }

    #[test]
    fn values_are_written_as_xcat_does() {
        let check = |value: Value, expected: &str| assert_eq!(words(&value), expected);
        check(number(28.0, 0, "C"), "28 C (82 F)");
        check(number(-4.0, 0, "C"), "-4 C (25 F)");
        check(number(90.0, 0, "Watts"), "90 Watts (307 BTUs/hr)");
        check(number(3.3, 2, "Volts"), "3.30 Volts");
        check(number(4000.0, 0, "RPM"), "4000 RPM");
        check(number(40.0, 0, "%"), "40%");
        check(Value::Unknown, "N/A");
    }

    #[test]
    fn limits_and_what_is_beyond_them() {
        let limits = vec![(Limit::LowerCritical, 5.0), (Limit::UpperNonCritical, 80.0), (Limit::UpperCritical, 90.0)];
        let beyond = Some(Limit::UpperNonCritical);
        let measured = Measured { name: "CPU".into(), value: number(81.0, 0, "C"), beyond, limits };
        assert_eq!(line(&measured, false), "CPU: 81 C (178 F), above upper non-critical");
        assert_eq!(
            line(&measured, true),
            "CPU: 81 C (178 F), above upper non-critical [good up to 80; not critical 5 to 90]"
        );
        let expected = json!({
            "name": "CPU", "value": 81.0, "unit": "C", "beyond": "upper non-critical",
            "limits": { "lower critical": 5.0, "upper non-critical": 80.0, "upper critical": 90.0 },
        });
        assert_eq!(data(&measured), expected);
    }
}
