//! What a machine boots from next.

use async_trait::async_trait;
use serde_json::{Value, json};
use tables::Node;

use super::document::Document;
use super::machine::{Machine, not_offered};
use super::quirks::{chosen, device, targets};
use super::{Redfish, check};
use crate::{Boot, BootDevice, BootOverride, Persistence, Result};

const TELLING: &str = "tell the boot device";
const HTTP_URL: &str = "HttpBootUri";
const MODE: &str = "BootSourceOverrideMode";
const UEFI: &str = "UEFI";
const SETTING: &str = "set the boot device";

#[async_trait]
impl Boot for Redfish {
    /// From what a machine boots it says itself.
    fn check(&self, node: &Node, _device: Option<BootDevice>) -> Result<()> {
        check(self, node)
    }

    async fn get(&self, node: &Node) -> Result<Option<BootOverride>> {
        read(&self.machine(node).await?)
    }

    async fn set(&self, node: &Node, wanted: Option<BootOverride>) -> Result<Option<BootOverride>> {
        let mut machine = self.machine(node).await?;
        let body = json!({ "Boot": order(&machine, wanted.as_ref())? });
        let path = machine.path().to_owned();
        machine.session.change(SETTING, &path, &body).await?;
        machine.look(TELLING).await?;
        let (now, wanted) = (read(&machine)?, wanted.and_then(|wanted| wanted.url));
        match now.as_ref().and_then(|now| now.url.as_ref()) == wanted.as_ref() || wanted.is_none() {
            true => Ok(now),
            false => Err(machine.session.refused(SETTING, "it takes no address to boot from")),
        }
    }
}

/// What the machine is told. The mode is left alone unless somebody wants UEFI: most machines have one, and some refuse to
/// hear of it.
fn order(machine: &Machine, wanted: Option<&BootOverride>) -> Result<Value> {
    let Some(wanted) = wanted else {
        return Ok(json!({ "BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None" }));
    };
    let offered = machine.now.words(&["Boot", "BootSourceOverrideTarget@Redfish.AllowableValues"]);
    let target = chosen(targets(wanted.device), offered.as_deref());
    let target = target.ok_or_else(|| not_offered(&machine.session, SETTING, &offered.unwrap_or_default()))?;
    let enabled = if wanted.persistence == Persistence::Always { "Continuous" } else { "Once" };
    let mut order = json!({ "BootSourceOverrideEnabled": enabled, "BootSourceOverrideTarget": target });
    let legacy = machine.now.text(&["Boot", MODE]).is_some_and(|mode| mode != UEFI);
    if (wanted.efi && !is_efi(&machine.now)) || (wanted.device == BootDevice::Http && legacy) {
        order[MODE] = UEFI.into();
    }
    match &wanted.url {
        Some(url) => order[HTTP_URL] = url.as_str().into(),
        // What was fetched once is not fetched again unasked.
        None if wanted.device == BootDevice::Http && url(&machine.now).is_some() => order[HTTP_URL] = Value::Null,
        None => {}
    }
    Ok(order)
}

fn is_efi(now: &Document) -> bool {
    now.text(&["Boot", MODE]).as_deref() == Some(UEFI)
}

fn url(now: &Document) -> Option<String> {
    now.text(&["Boot", HTTP_URL]).filter(|url| url.contains("://"))
}

fn read(machine: &Machine) -> Result<Option<BootOverride>> {
    let untold = |why: String| machine.session.garbled(TELLING, why);
    if !machine.now.has("Boot") {
        return Err(untold("it says nothing of booting".into()));
    }
    read_from(&machine.now).map_err(|word| untold(format!("it says '{word}', which has no name")))
}

/// The override that is set; `Err` has a word for a device that we have no name for.
pub(super) fn read_from(now: &Document) -> std::result::Result<Option<BootOverride>, String> {
    let text = |member: &str| now.text(&["Boot", member]);
    let persistence = match text("BootSourceOverrideEnabled").as_deref() {
        Some("Once") => Persistence::Once,
        Some("Continuous") => Persistence::Always,
        _ => return Ok(None),
    };
    let Some(word) = text("BootSourceOverrideTarget").filter(|word| word != "None") else { return Ok(None) };
    let device = device(&word).ok_or(word)?;
    let url = url(now).filter(|_| device == BootDevice::Http);
    Ok(Some(BootOverride { device, persistence, efi: is_efi(now), url }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_read() {
        let check = |boot: &str, expected: std::result::Result<Option<BootOverride>, String>| {
            let now = Document::parse(format!("{{\"Boot\": {boot}}}").as_bytes()).unwrap();
            assert_eq!(read_from(&now), expected, "{boot}");
        };
        let (device, persistence) = (BootDevice::Network, Persistence::Once);
        check(
            r#"{"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe"}"#,
            Ok(Some(BootOverride { device, persistence, efi: false, url: None })),
        );
        check(
            r#"{"BootSourceOverrideEnabled": "Continuous", "BootSourceOverrideTarget": "UefiHttp", "BootSourceOverrideMode": "UEFI", "HttpBootUri": "http://a/b.efi"}"#,
            Ok(Some(BootOverride {
                device: BootDevice::Http,
                persistence: Persistence::Always,
                efi: true,
                url: Some("http://a/b.efi".into()),
            })),
        );
        check(r#"{"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "Pxe"}"#, Ok(None));
        check(r#"{"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "None"}"#, Ok(None));
        check(r#"{"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Diags"}"#, Err("Diags".into()));
        check("null", Ok(None));
    }
}
