//! The identify light: of the system, else of its chassis; by its newer name, else by the older one.

use async_trait::async_trait;
use serde_json::json;
use tables::Node;

use super::document::Document;
use super::machine::Machine;
use super::quirks::{LIT, chosen};
use super::{Redfish, check};
use crate::{Beacon, BeaconState, Result};

const ACTIVE: &str = "LocationIndicatorActive";
const LED: &str = "IndicatorLED";
const SWITCHING: &str = "switch the beacon";

#[async_trait]
impl Beacon for Redfish {
    fn check(&self, node: &Node) -> Result<()> {
        check(self, node)
    }

    async fn state(&self, node: &Node) -> Result<Option<BeaconState>> {
        let found = bearer(&mut self.machine(node).await?, "tell the beacon").await?;
        Ok(found.and_then(|(_, bearer)| state(&bearer)))
    }

    async fn switch(&self, node: &Node, on: bool) -> Result<()> {
        let mut machine = self.machine(node).await?;
        let Some((path, bearer)) = bearer(&mut machine, SWITCHING).await? else {
            return Err(machine.session.refused(SWITCHING, "the machine has none"));
        };
        let body = if bearer.flag(&[ACTIVE]).is_some() {
            json!({ ACTIVE: on })
        } else {
            let offered = bearer.words(&["IndicatorLED@Redfish.AllowableValues"]);
            let lit = chosen(&LIT, offered.as_deref()).unwrap_or(LIT[0]);
            json!({ LED: if on { lit } else { "Off" } })
        };
        machine.session.change(SWITCHING, &path, &body).await
    }
}

/// What has the light, and where it is.
pub(super) async fn bearer(machine: &mut Machine, doing: &str) -> Result<Option<(String, Document)>> {
    let has = |document: &Document| document.flag(&[ACTIVE]).is_some() || document.text(&[LED]).is_some();
    if has(&machine.now) {
        return Ok(Some((machine.path().to_owned(), machine.now.clone())));
    }
    Ok(machine.beside(doing, "Chassis", "Chassis").await?.filter(|(_, chassis)| has(chassis)))
}

pub(super) fn state(bearer: &Document) -> Option<BeaconState> {
    if let Some(on) = bearer.flag(&[ACTIVE]) {
        return Some(if on { BeaconState::On } else { BeaconState::Off });
    }
    match bearer.text(&[LED])?.as_str() {
        "Lit" => Some(BeaconState::On),
        "Off" => Some(BeaconState::Off),
        "Blinking" => Some(BeaconState::Blinking),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_the_light_are_read() {
        let check = |text: &str, expected: Option<BeaconState>| {
            assert_eq!(state(&Document::parse(text.as_bytes()).unwrap()), expected, "{text}");
        };
        check(r#"{"LocationIndicatorActive": true, "IndicatorLED": "Off"}"#, Some(BeaconState::On));
        check(r#"{"LocationIndicatorActive": false}"#, Some(BeaconState::Off));
        check(r#"{"IndicatorLED": "Blinking"}"#, Some(BeaconState::Blinking));
        check(r#"{"IndicatorLED": "Unknown"}"#, None);
        check(r#"{"IndicatorLED": null}"#, None);
    }
}
