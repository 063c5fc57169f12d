//! What a BMC says that it and its machine are.

use async_trait::async_trait;
use tables::Node;

use super::Redfish;
use super::document::Document;
use crate::{Fact, Inventory, Part, Result};

const DOING: &str = "read the inventory";

#[async_trait]
impl Inventory for Redfish {
    async fn inventory(&self, node: &Node, parts: &[Part]) -> Result<Vec<Fact>> {
        let mut machine = self.machine(node).await?;
        let of_controller = parts.iter().any(|part| matches!(part, Part::Firmware | Part::Controller));
        let manager = if of_controller { machine.beside(DOING, "ManagedBy", "Managers").await? } else { None };
        let manager = manager.map(|(_, manager)| manager);
        let known = Known { system: &machine.now, manager: manager.as_ref(), root: &machine.session.root };
        Ok(parts.iter().flat_map(|part| known.facts(*part)).collect())
    }
}

struct Known<'a> {
    system: &'a Document,
    manager: Option<&'a Document>,
    root: &'a Document,
}

impl Known<'_> {
    /// With the labels that a machine's own store of IPMI has for the same.
    fn facts(&self, part: Part) -> Vec<Fact> {
        let system = |member: &str| self.system.text(&[member]);
        let manager = |member: &str| self.manager?.text(&[member]);
        let pairs = match part {
            Part::Model => vec![
                ("System Manufacturer", system("Manufacturer")),
                ("System Model/MTM", system("Model")),
                ("System Revision", system("SubModel")),
                ("System Part Number", system("PartNumber")),
                ("System SKU", system("SKU")),
            ],
            Part::Serial => vec![("Serial Number", system("SerialNumber"))],
            Part::Asset => vec![("Asset Number", system("AssetTag"))],
            Part::Firmware => {
                vec![("BMC Firmware", manager("FirmwareVersion")), ("BIOS Version", system("BiosVersion"))]
            }
            Part::Guid => vec![("UUID/GUID", system("UUID").map(|uuid| uuid.to_lowercase()))],
            Part::Controller => {
                vec![("BMC Model", manager("Model")), ("Redfish Version", self.root.text(&["RedfishVersion"]))]
            }
        };
        pairs.into_iter().filter_map(|(label, value)| Some(Fact { label, value: value? })).collect()
    }
}
