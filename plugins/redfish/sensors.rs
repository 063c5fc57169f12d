//! What a machine measures. A chassis tells it by older schemas, by newer ones or by both: the newer are read where they come
//! in one answer, or where there are no older ones, because a question for each sensor takes a BMC long.

use std::time::Duration;

use async_trait::async_trait;
use tables::Node;
use tokio::time::timeout;

use super::document::Document;
use super::machine::{Machine, members, whole_members};
use super::reading::{self, Reading};
use super::{Redfish, beacon};
use crate::{BeaconState, Error, Measured, Result, Sensors, Vital, WantedVitals};

const DOING: &str = "read the sensors";
/// How long all of them may take.
const LONGEST: Duration = Duration::from_secs(120);
/// Chassis that are looked into.
const CHASSIS: usize = 32;

/// The vitals that some sensor tells.
const MEASURED: [Vital; 6] =
    [Vital::Temperature, Vital::Voltage, Vital::Current, Vital::Fan, Vital::Wattage, Vital::Other];

#[async_trait]
impl Sensors for Redfish {
    async fn vitals(&self, node: &Node, wanted: &WantedVitals) -> Result<Vec<Measured>> {
        let mut machine = self.machine(node).await?;
        let what = format!("{}: cannot {DOING}", machine.session.name());
        let read = timeout(LONGEST, vitals(&mut machine, &wanted.vitals)).await;
        let mut measured = read.map_err(|_| Error::TimedOut { what, after: LONGEST })??;
        if !wanted.limits {
            measured.iter_mut().for_each(|measured| measured.limits.clear());
        }
        Ok(measured)
    }
}

async fn vitals(machine: &mut Machine, wanted: &[Vital]) -> Result<Vec<Measured>> {
    let mut measured = Vec::new();
    let measures = wanted.iter().any(|vital| MEASURED.contains(vital));
    let chassis = match measures || wanted.contains(&Vital::Chassis) {
        true => chassis(machine).await?,
        false => Vec::new(),
    };
    for vital in wanted {
        match vital {
            Vital::Power => measured.extend(power(&machine.now)),
            Vital::Chassis => measured.extend(state(&machine.now, &chassis)),
            Vital::Light => {
                let found = beacon::bearer(machine, DOING).await?;
                let light = found.and_then(|(_, bearer)| beacon::state(&bearer));
                measured.extend(light.map(|light| Measured::words("Identify Light", light_word(light))));
            }
            Vital::Temperature | Vital::Voltage | Vital::Current | Vital::Fan | Vital::Wattage | Vital::Other => {}
        }
    }
    if measures {
        for chassis in &chassis {
            let readings = readings(machine, chassis, wanted).await?;
            measured.extend(readings.into_iter().filter(|(vital, _)| wanted.contains(vital)).map(|(_, all)| all));
        }
    }
    Ok(measured)
}

fn light_word(light: BeaconState) -> &'static str {
    match light {
        BeaconState::Off => "off",
        BeaconState::On => "on",
        BeaconState::Blinking => "blinking",
    }
}

fn power(system: &Document) -> Option<Measured> {
    let word = system.text(&["PowerState"])?;
    Some(Measured::words("Power Status", word.to_lowercase()))
}

/// With the labels that IPMI has for the same.
pub(super) fn state(system: &Document, chassis: &[Document]) -> Vec<Measured> {
    let health = ["HealthRollup", "Health"].iter().find_map(|member| system.text(&["Status", member]));
    let policy = system.text(&["PowerRestorePolicy"]).map(|policy| match policy.as_str() {
        "AlwaysOff" => "Always off".to_owned(),
        "AlwaysOn" => "Always on".to_owned(),
        "LastState" => "Last state".to_owned(),
        _ => policy,
    });
    let intrusion = chassis.iter().find_map(|chassis| chassis.text(&["PhysicalSecurity", "IntrusionSensor"]));
    let intrusion = intrusion.map(|word| if word == "Normal" { "inactive" } else { "active" }.to_owned());
    let lines = [("System Health", health), ("Power Restore Policy", policy), ("Chassis intrusion", intrusion)];
    lines.into_iter().filter_map(|(name, words)| Some(Measured::words(name, words?))).collect()
}

/// What holds the machine: what it says itself, else all that the BMC has.
async fn chassis(machine: &mut Machine) -> Result<Vec<Document>> {
    let mut paths = machine.now.links(&["Links", "Chassis"]);
    if let (true, Some(collection)) = (paths.is_empty(), machine.session.root.link(&["Chassis"])) {
        paths = members(&mut machine.session, DOING, &collection).await?;
    }
    let mut chassis = Vec::new();
    for path in paths.iter().take(CHASSIS) {
        chassis.extend(machine.session.find(DOING, path).await?);
    }
    Ok(chassis)
}

async fn readings(machine: &mut Machine, chassis: &Document, wanted: &[Vital]) -> Result<Vec<Reading>> {
    let expands = machine.session.expands();
    let link = |name: &str| chassis.link(&[name]);
    let old = [link("Thermal"), link("Power")];
    let has_old = old.iter().any(Option::is_some);
    if let Some(sensors) = link("Sensors").filter(|_| expands || !has_old) {
        let all = whole_members(&mut machine.session, DOING, &sensors, "Reading").await?;
        let all: Vec<Reading> = all.iter().filter_map(reading::sensor).collect();
        if !all.is_empty() {
            return Ok(all);
        }
    }
    let mut all = Vec::new();
    let [thermal, power] = old;
    if let Some(path) = thermal.filter(|_| wanted.iter().any(|vital| matches!(vital, Vital::Temperature | Vital::Fan)))
    {
        all.extend(machine.session.find(DOING, &path).await?.iter().flat_map(reading::thermal));
    }
    let of_power = |vital: &Vital| matches!(vital, Vital::Voltage | Vital::Wattage | Vital::Other);
    if let Some(path) = power.filter(|_| wanted.iter().any(of_power)) {
        all.extend(machine.session.find(DOING, &path).await?.iter().flat_map(reading::power));
    }
    if !has_old {
        all.extend(subsystems(machine, chassis).await?);
    }
    Ok(all)
}

/// Of a chassis with the newer schemas and no list of its sensors.
async fn subsystems(machine: &mut Machine, chassis: &Document) -> Result<Vec<Reading>> {
    let (mut all, session) = (Vec::new(), &mut machine.session);
    if let Some(path) = chassis.link(&["ThermalSubsystem"])
        && let Some(thermal) = session.find(DOING, &path).await?
    {
        if let Some(path) = thermal.link(&["ThermalMetrics"]) {
            all.extend(session.find(DOING, &path).await?.iter().flat_map(reading::thermal_metrics));
        }
        if let Some(path) = thermal.link(&["Fans"]) {
            all.extend(whole_members(session, DOING, &path, "Name").await?.iter().filter_map(reading::fan));
        }
    }
    if let Some(path) = chassis.link(&["EnvironmentMetrics"]) {
        all.extend(session.find(DOING, &path).await?.iter().filter_map(reading::environment));
    }
    if let Some(path) = chassis.link(&["PowerSubsystem"])
        && let Some(power) = session.find(DOING, &path).await?
        && let Some(path) = power.link(&["PowerSupplies"])
    {
        all.extend(whole_members(session, DOING, &path, "Name").await?.iter().flat_map(reading::supply));
    }
    Ok(all)
}
