//! Our registries, asked what their tags mean.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use plugins::registry::{Client, Config};
use plugins::{Digest, Reference};
use tables::Node;
use tokio::sync::OnceCell;

use crate::context::Context;
use crate::docker_host::Certificates;
use crate::failure::Failure;
use crate::registry::{entries, passwords};

/// A registry of the site.
pub(crate) struct Ours {
    pub(crate) config: Config,
    /// It runs there.
    pub(crate) node: Node,
    pub(crate) client: Client,
}

/// What a tag means, None for one that is not there, or why nobody could tell.
type Asked = OnceCell<Result<Option<Digest>, String>>;

/// The registries of the site, each question asked once.
pub(crate) struct Registries {
    ours: Vec<Ours>,
    asked: Mutex<HashMap<Reference, Arc<Asked>>>,
}

impl Context {
    /// Every registry that is defined well enough to be asked.
    pub(crate) fn registries(&self) -> Result<Registries, Failure> {
        let tables = self.tables()?;
        let (all, passwords) = (entries(tables)?, passwords(tables)?);
        let limit = self.settings()?.connect_limit;
        let mut ours = Vec::new();
        for entry in &all {
            let Ok(node) = self.registry_node(entry) else { continue };
            let Ok(config) = entry.config(&node, &passwords, &all) else { continue };
            let config = self.certified(config, Certificates::Find)?;
            let Ok(client) = Client::new(&config, limit) else { continue };
            ours.push(Ours { config, node, client });
        }
        Ok(Registries { ours, asked: Mutex::default() })
    }
}

impl Registries {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Ours> {
        self.ours.iter()
    }

    /// The one whose image that is.
    pub(crate) fn of(&self, image: &Reference) -> Option<&Ours> {
        let place = image.registry()?;
        self.ours.iter().find(|registry| registry.client.place() == place)
    }

    /// What the tag of an image means now; None where no registry of ours has it, the error in words where it does not
    /// answer.
    pub(crate) async fn meaning(&self, image: &Reference) -> Result<Option<Digest>, String> {
        let Some(registry) = self.of(image) else { return Ok(None) };
        let cell = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.entry(image.clone()).or_default().clone()
        };
        let ask = async || {
            let answer = registry.client.head(image.repository(), image.tag_or_latest()).await;
            answer.map_err(|error| Failure::from(error).message)
        };
        cell.get_or_init(ask).await.clone()
    }
}
