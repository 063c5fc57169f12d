//! The machine behind a BMC, and what resources tell of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{RedfishController, RedfishDrive};

/// What is asked about and acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedfishMachine {
    /// Who may log in.
    pub user: String,
    pub password: String,
    /// Whether that user may change anything.
    pub may_change: bool,
    pub on: bool,
    /// The words for a reset that are taken, and those that came.
    pub offers: Vec<String>,
    pub resets: Vec<String>,
    /// Members of `Boot` as they were set.
    pub boot: Value,
    pub light: bool,
    /// Events: when, how bad, and what.
    pub events: Vec<(String, String, String)>,
    /// The systems that the BMC tells of; the machine is the last one.
    pub systems: Vec<String>,
    pub vendor: String,
    /// The BMC itself.
    pub controller: RedfishController,
    /// The drives of the BMC.
    pub drives: Vec<RedfishDrive>,
    /// Whether the members of a collection may be had with it.
    pub expands: bool,
    /// What resources tell beside or instead of what they would, by path; new ones are made so too.
    pub more: BTreeMap<String, Value>,
    /// What was asked, by whomever, such as `GET /redfish/v1/Systems`.
    pub heard: Vec<String>,
}

impl Default for RedfishMachine {
    fn default() -> Self {
        let words = ["On", "ForceOff", "GracefulShutdown", "ForceRestart", "PowerCycle"];
        Self {
            user: "admin".into(),
            password: "secret".into(),
            may_change: true,
            on: false,
            offers: words.map(str::to_owned).into(),
            resets: Vec::new(),
            boot: json!({ "BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None" }),
            light: false,
            events: Vec::new(),
            systems: vec!["1".into()],
            vendor: "Acme".into(),
            controller: RedfishController::default(),
            drives: Vec::new(),
            expands: false,
            more: BTreeMap::new(),
            heard: Vec::new(),
        }
    }
}

impl RedfishMachine {
    pub(super) fn id(&self) -> &str {
        self.systems.last().map_or("", String::as_str)
    }

    /// What the system says of itself.
    pub(super) fn system(&self) -> Value {
        let path = format!("/redfish/v1/Systems/{}", self.id());
        let link = |to: &str| json!({ "@odata.id": format!("{path}/{to}") });
        let mut boot = self.boot.clone();
        boot["BootSourceOverrideTarget@Redfish.AllowableValues"] =
            json!(["None", "Pxe", "Hdd", "Cd", "BiosSetup", "UefiHttp"]);
        json!({
            "@odata.id": path, "Id": self.id(), "Name": "System", "Manufacturer": "Acme Corp", "Model": "Anvil 9000",
            "SubModel": null, "SerialNumber": "SN-0001", "AssetTag": "", "UUID": "A1234567-89AB-4DEF-8123-000000000001",
            "BiosVersion": "1.2\u{7}", "PowerState": if self.on { "On" } else { "Off" }, "Boot": boot,
            "LocationIndicatorActive": self.light, "LogServices": link("LogServices"),
            "Actions": { "#ComputerSystem.Reset": {
                "target": format!("{path}/Actions/ComputerSystem.Reset"),
                "@Redfish.ActionInfo": format!("{path}/ResetActionInfo"),
            } },
            "Links": { "ManagedBy": [{ "@odata.id": "/redfish/v1/Managers/1" }] },
        })
    }

    /// What is below the system, as another resource tells it.
    pub(super) fn below(&self, rest: &str) -> Option<Value> {
        let path = format!("/redfish/v1/Systems/{}/{rest}", self.id());
        let link = |to: &str| json!({ "@odata.id": format!("{path}/{to}") });
        Some(match rest.split_once('?').map_or(rest, |(rest, _)| rest) {
            "ResetActionInfo" => json!({ "Parameters": [{ "Name": "ResetType", "AllowableValues": self.offers }] }),
            "LogServices" => json!({ "Members": [link("Audit"), link("SEL")] }),
            "LogServices/SEL" => json!({
                "Entries": link("Entries"),
                "Actions": { "#LogService.ClearLog": { "target": format!("{path}/Actions/LogService.ClearLog") } },
            }),
            "LogServices/SEL/Entries" => self.page(rest),
            _ => return None,
        })
    }

    /// Two events at a time, the newest first.
    fn page(&self, rest: &str) -> Value {
        let from = rest.split_once("skip=").and_then(|(_, from)| from.parse().ok()).unwrap_or(0);
        let numbered = self.events.iter().enumerate().rev().skip(from).take(2);
        let members = numbered.map(|(place, (created, severity, message))| {
            json!({ "Id": (place + 1).to_string(), "Created": created, "Severity": severity, "Message": message })
        });
        let mut page = json!({ "Members": members.collect::<Vec<_>>() });
        if from + 2 < self.events.len() {
            let path = format!("/redfish/v1/Systems/{}/LogServices/SEL/Entries?skip={}", self.id(), from + 2);
            page["Members@odata.nextLink"] = path.into();
        }
        page
    }

    /// Status of the answer to a reset.
    pub(super) fn reset(&mut self, word: &str) -> u16 {
        if !self.offers.iter().any(|offer| offer == word) {
            return 400;
        }
        match word {
            "On" | "ForceOn" => self.on = true,
            "ForceOff" | "GracefulShutdown" => self.on = false,
            "PushPowerButton" => self.on = !self.on,
            // A machine that is off can be neither cycled nor restarted.
            _ if !self.on => return 409,
            _ => (),
        }
        self.resets.push(word.to_owned());
        204
    }

    /// Status of the answer to a change of the system.
    pub(super) fn change(&mut self, body: &Value) -> u16 {
        if let Some(light) = body["LocationIndicatorActive"].as_bool() {
            self.light = light;
        }
        for (name, value) in body["Boot"].as_object().into_iter().flatten() {
            self.boot[name] = value.clone();
        }
        200
    }
}
