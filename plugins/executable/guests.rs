//! Guests by an executable: methods `create`, `remove`, `list` and `inspect`.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tables::Node;

use super::Executable;
use super::mask::Mask;
use crate::{
    Changed, Created, Error, Guest, GuestState, Guests, Health, Life, Port, Power, PowerState, Result, Vitals,
    WantedImage,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Done {
    /// False where there was nothing to do: one to make was there, one to remove was not.
    changed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    guests: Vec<One>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    name: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    image: String,
    #[serde(default)]
    ip: Option<String>,
}

#[async_trait]
impl Guests for Executable {
    fn check(&self, _: &Node) -> Result<()> {
        self.metadata().map(drop)
    }

    fn ports(&self, _: &Node) -> Result<Vec<Port>> {
        Ok(Vec::new())
    }

    fn image(&self, _: &Node) -> Result<Option<WantedImage>> {
        Ok(None)
    }

    async fn create(&self, node: &Node, force: bool) -> Result<Created> {
        let made: Done = self.ask("create", node, json!({ "force": force })).await?;
        Ok(match (made.changed, force) {
            (false, _) => Created::Unchanged,
            (true, false) => Created::Created,
            (true, true) => Created::Recreated,
        })
    }

    async fn remove(&self, node: &Node, force: bool, purge: bool) -> Result<()> {
        let gone: Done = self.ask("remove", node, json!({ "force": force, "purge": purge })).await?;
        match gone.changed {
            true => Ok(()),
            false => Err(Error::Absent { host: node.host().map_or("this machine", Node::name).to_owned() }),
        }
    }

    async fn change(&self, _: &Node, _: bool) -> Result<Changed> {
        Err(self.unable("changing guests"))
    }

    async fn list(&self, host: &Node) -> Result<Vec<Guest>> {
        let listed: Listed = self.ask("list", host, json!({})).await?;
        let guest = |one: One| Guest {
            status: one.state.clone(),
            name: one.name,
            state: one.state,
            image: one.image,
            image_id: String::new(),
            ip: one.ip,
            id: String::new(),
            command: String::new(),
            created: 0,
            managed: true,
        };
        Ok(listed.guests.into_iter().map(guest).collect())
    }

    async fn log(&self, _: &Node, _: Option<usize>) -> Result<String> {
        Err(self.unable("a log"))
    }

    async fn differences(&self, _: &Node) -> Result<Vec<String>> {
        Err(self.unable("comparing guests"))
    }

    async fn vitals(&self, node: &Node) -> Result<Vitals> {
        let life = match Power::state(self, node).await?.state {
            PowerState::On => Life::Running,
            PowerState::Off => Life::Off,
            PowerState::Suspended => Life::Suspended,
            PowerState::Other => Life::Restarting,
        };
        Ok(Vitals { image: String::new(), life, restarts: 0, exit_code: 0, health: None::<Health> })
    }

    async fn inspect(&self, node: &Node) -> Result<GuestState> {
        let raw: Map<String, Value> = self.ask("inspect", node, json!({})).await?;
        let mask = Mask::of(node);
        let raw: Map<String, Value> = raw.into_iter().map(|(label, value)| (label, mask.over_value(value))).collect();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // Labels live as long as the program: they are few, and those of one answer.
        let lines = raw.iter().map(|(label, value)| (&*label.clone().leak(), text(value))).collect();
        Ok(GuestState { lines, raw: Value::Object(raw) })
    }
}
