//! Power by an executable: method `power`, with an `action`.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use tables::Node;

use super::Executable;
use super::mask::Mask;
use crate::{Power, PowerAction, PowerReading, PowerState, Powered, Result};

/// What it says of a node.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    state: State,
    /// Its own word for that.
    word: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    On,
    Off,
    Suspended,
    Other,
}

/// What it did.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Done {
    changed: bool,
    warning: Option<String>,
}

#[async_trait]
impl Power for Executable {
    fn check(&self, _: &Node, action: PowerAction) -> Result<()> {
        match self.metadata()?.actions.contains(&action) {
            true => Ok(()),
            false => Err(self.unable(action.word())),
        }
    }

    async fn state(&self, node: &Node) -> Result<PowerReading> {
        let said: Said = self.ask("power", node, json!({ "action": "stat" })).await?;
        let (state, word) = match said.state {
            State::On => (PowerState::On, "on"),
            State::Off => (PowerState::Off, "off"),
            State::Suspended => (PowerState::Suspended, "suspended"),
            State::Other => (PowerState::Other, "other"),
        };
        let word = said.word.map_or_else(|| word.to_owned(), |word| Mask::of(node).over(&word));
        Ok(PowerReading { state, word })
    }

    async fn apply(&self, node: &Node, action: PowerAction) -> Result<Powered> {
        Power::check(self, node, action)?;
        let done: Done = self.ask("power", node, json!({ "action": action.word() })).await?;
        let warning = done.warning.map(|warning| Mask::of(node).over(&warning));
        Ok(Powered { word: action.word(), changed: done.changed, under_way: true, warning })
    }
}
