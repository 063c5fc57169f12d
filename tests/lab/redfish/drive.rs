//! A virtual drive of a BMC: what it tells, and how it wants to be told.

use serde_json::{Value, json};

/// How a drive takes images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriveManner {
    /// By an action that takes all that the schema has.
    Action,
    /// By one that knows the image and nothing else.
    Bare,
    /// By one that wants to be told how to fetch it.
    Told,
    /// By its members, without any action.
    Members,
    /// Says yes, and nothing comes of it.
    Lies,
}

/// A virtual drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedfishDrive {
    pub id: String,
    pub types: Vec<String>,
    pub image: Option<String>,
    pub manner: DriveManner,
}

impl RedfishDrive {
    /// An empty one.
    pub fn new(id: &str, types: &[&str], manner: DriveManner) -> Self {
        Self { id: id.into(), types: types.iter().map(|&word| word.into()).collect(), image: None, manner }
    }

    pub(super) fn tell(&self, path: &str) -> Value {
        let mut drive = json!({ "@odata.id": path, "MediaTypes": self.types, "Image": self.image, "Inserted": self.image.is_some() });
        if self.manner != DriveManner::Members {
            let target = |what: &str| json!({ "target": format!("{path}/Actions/VirtualMedia.{what}") });
            drive["Actions"] = json!({
                "#VirtualMedia.InsertMedia": target("InsertMedia"), "#VirtualMedia.EjectMedia": target("EjectMedia"),
            });
        }
        drive
    }

    /// Status of the answer to what changes it; `action` is what comes behind its path.
    pub(super) fn act(&mut self, method: &str, action: &str, body: &Value) -> u16 {
        let image = || body["Image"].as_str().map(str::to_owned);
        let members = body.as_object().map_or(0, serde_json::Map::len);
        match (method, action, self.manner) {
            ("PATCH", "", DriveManner::Members) => self.image = image(),
            ("POST", "/Actions/VirtualMedia.EjectMedia", DriveManner::Members) => return 405,
            ("POST", "/Actions/VirtualMedia.EjectMedia", _) => self.image = None,
            ("POST", "/Actions/VirtualMedia.InsertMedia", manner) => match manner {
                DriveManner::Members => return 405,
                DriveManner::Bare if members > 1 => return 400,
                DriveManner::Told if body["TransferProtocolType"].as_str() != Some("HTTP") => return 400,
                // One disc at a time.
                _ if self.image.is_some() => return 409,
                DriveManner::Lies => {}
                DriveManner::Action | DriveManner::Bare | DriveManner::Told => self.image = image(),
            },
            _ => return 405,
        }
        204
    }
}
