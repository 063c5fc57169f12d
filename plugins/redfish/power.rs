//! Switching machines on and off through their BMCs.

use async_trait::async_trait;
use serde_json::json;
use tables::Node;

use super::document::Document;
use super::machine::{Machine, not_offered};
use super::quirks::{chosen, resets};
use super::{Redfish, check};
use crate::bmc::power::{self, Lever, Push};
use crate::{Power, PowerAction, PowerReading, PowerState, Powered, Result, chain};

const TELLING: &str = "tell the power state";
const RESET: &str = "#ComputerSystem.Reset";

#[async_trait]
impl Power for Redfish {
    fn check(&self, node: &Node, action: PowerAction) -> Result<()> {
        power::check(action, super::NAME)?;
        check(self, node)
    }

    async fn state(&self, node: &Node) -> Result<PowerReading> {
        let machine = self.machine(node).await?;
        let word = machine.now.text(&["PowerState"]).ok_or_else(|| untold(&machine))?;
        Ok(match word.as_str() {
            "On" => power::reading(true),
            "Off" => power::reading(false),
            _ => PowerReading { state: PowerState::Other, word },
        })
    }

    async fn apply(&self, node: &Node, action: PowerAction) -> Result<Powered> {
        Power::check(self, node, action)?;
        power::apply(&mut self.machine(node).await?, action).await
    }
}

fn untold(machine: &Machine) -> crate::Error {
    machine.session.garbled(TELLING, "it does not say whether the machine is on")
}

/// What is on its way is not there yet.
fn is_on(now: &Document) -> Option<bool> {
    match now.text(&["PowerState"])?.as_str() {
        "On" | "PoweringOff" | "Paused" => Some(true),
        "Off" | "PoweringOn" => Some(false),
        _ => None,
    }
}

impl Lever for Machine {
    fn name(&self) -> &str {
        self.session.name()
    }

    async fn is_on(&mut self) -> Result<bool> {
        let on = is_on(self.look(TELLING).await?);
        on.ok_or_else(|| untold(self))
    }

    async fn push(&mut self, push: Push) -> Result<()> {
        let offered = self.offered(push.doing()).await?;
        match chosen(resets(push), offered.as_deref()) {
            Some(word) => self.reset(push, word).await,
            None if push == Push::Cycle => self.off_and_on(offered.as_deref()).await,
            None => Err(not_offered(&self.session, push.doing(), &offered.unwrap_or_default())),
        }
    }
}

impl Machine {
    async fn reset(&mut self, push: Push, word: &str) -> Result<()> {
        let usual = || format!("{}/Actions/ComputerSystem.Reset", self.path().trim_end_matches('/'));
        let target = self.now.path(&["Actions", RESET, "target"]).unwrap_or_else(usual);
        self.act(push.doing(), &target, &json!({ "ResetType": word })).await
    }

    /// A cycle of a machine whose BMC has no word for it.
    async fn off_and_on(&mut self, offered: Option<&[String]>) -> Result<()> {
        let words = (chosen(resets(Push::Off), offered), chosen(resets(Push::On), offered));
        let (Some(off), Some(on)) = words else {
            return Err(not_offered(&self.session, "cycle", offered.unwrap_or_default()));
        };
        self.reset(Push::Off, off).await?;
        self.is_switched(false).await?;
        if let Err(error) = self.reset(Push::On, on).await {
            let why = format!("the machine was switched off, and not on again: {}", chain(&error));
            return Err(self.session.refused("cycle", why));
        }
        self.is_switched(true).await
    }

    /// Waits until the machine is as it was told to be. Whatever goes wrong now is no reason to have it done by others.
    async fn is_switched(&mut self, on: bool) -> Result<()> {
        let (told, still) = if on { ("on", "off") } else { ("off", "on") };
        let why = match power::is_so(self, on).await {
            Ok(true) => return Ok(()),
            Ok(false) => format!("the machine is still {still}"),
            Err(error) => format!("{}: {}", power::unknown(told), chain(&error)),
        };
        Err(self.session.refused("cycle", why))
    }

    /// The words that a machine takes, if its BMC tells them here or where it points to.
    async fn offered(&mut self, doing: &str) -> Result<Option<Vec<String>>> {
        let action = ["Actions", RESET];
        if let Some(words) = self.now.words(&[action[0], action[1], "ResetType@Redfish.AllowableValues"]) {
            return Ok(Some(words));
        }
        let Some(info) = self.now.path(&[action[0], action[1], "@Redfish.ActionInfo"]) else { return Ok(None) };
        let (info, _) = self.session.get(doing, &info).await?;
        let parameters = info.objects(&["Parameters"]);
        let reset = parameters.iter().find(|parameter| parameter.text(&["Name"]).as_deref() == Some("ResetType"));
        Ok(reset.and_then(|parameter| parameter.words(&["AllowableValues"])))
    }
}
