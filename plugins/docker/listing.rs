//! All containers of a host by one request, shared by every node that asks at about the same time: the power state of
//! two hundred nodes on four hosts is four requests.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Mutex;

use super::engine::Engine;
use crate::{Error, Result};

/// How old an answer may be. Long enough that a command's nodes share it, too short for a person to notice.
const FRESH: Duration = Duration::from_millis(250);

/// One container in the engine's list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) names: Vec<String>,
    pub(super) state: String,
    pub(super) status: String,
    pub(super) image: String,
    #[serde(rename = "ImageID", default)]
    pub(super) image_id: String,
    pub(super) command: String,
    pub(super) created: i64,
    #[serde(default)]
    pub(super) labels: HashMap<String, String>,
    #[serde(default)]
    network_settings: Option<Networks>,
    #[serde(default)]
    host_config: HostConfig,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    /// The network that it was made in.
    #[serde(default)]
    network_mode: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Networks {
    #[serde(default)]
    networks: Option<HashMap<String, Place>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Place {
    #[serde(rename = "IPAddress", default)]
    address: String,
    #[serde(rename = "IPAMConfig", default)]
    wanted: Option<Wanted>,
}

#[derive(Debug, Clone, Deserialize)]
struct Wanted {
    #[serde(rename = "IPv4Address", default)]
    address: String,
}

impl Listed {
    /// The container's own name; names with a further slash are links into it.
    pub(super) fn name(&self) -> &str {
        let names = self.names.iter().map(|name| name.trim_start_matches('/'));
        names.clone().find(|name| !name.contains('/')).or_else(|| names.clone().next()).unwrap_or_default()
    }

    /// The address it has, or will have once it runs: that in its own network, if it has one there.
    pub(super) fn ip(&self) -> Option<String> {
        let places = self.network_settings.as_ref()?.networks.as_ref()?;
        let wanted = |place: &Place| place.wanted.as_ref().map(|wanted| wanted.address.clone());
        let found =
            |place: &Place| Some(place.address.clone()).filter(|address| !address.is_empty()).or_else(|| wanted(place));
        let own = places.get(&self.host_config.network_mode);
        own.into_iter().chain(places.values()).find_map(|place| found(place).filter(|address| !address.is_empty()))
    }
}

/// A host's containers by name.
pub(super) type Listing = Arc<HashMap<String, Listed>>;

/// The last listing, and how often this program has changed something since it began.
#[derive(Default)]
pub(super) struct Listings {
    last: Mutex<Option<Taken>>,
    changes: AtomicU64,
}

struct Taken {
    at: Instant,
    changes: u64,
    result: std::result::Result<Listing, Arc<Error>>,
}

impl Listings {
    /// What was listed before no longer holds.
    pub(super) fn outdate(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }
}

/// The containers of the engine's host, running or not, not older than our own last change.
pub(super) async fn list(engine: &Engine) -> Result<Listing> {
    // Whoever holds the lock asks for all who wait for it.
    let mut last = engine.listings.last.lock().await;
    let changes = engine.listings.changes.load(Ordering::SeqCst);
    if let Some(taken) = last.as_ref().filter(|taken| taken.changes == changes && taken.at.elapsed() < FRESH) {
        return taken.result.clone().map_err(|error| error.again());
    }
    let result = fetch(engine).await.map_err(Arc::new);
    *last = Some(Taken { at: Instant::now(), changes, result: result.clone() });
    result.map_err(|error| error.again())
}

async fn fetch(engine: &Engine) -> Result<Listing> {
    let listed: Vec<Listed> = engine.fetch("/containers/json?all=1", "list containers").await?;
    Ok(Arc::new(listed.into_iter().map(|container| (container.name().to_owned(), container)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(json: &str) -> Listed {
        serde_json::from_str(json).expect("as the engine writes it")
    }

    #[test]
    fn links_are_not_names() {
        let container = listed(
            r#"{"Id":"1","Names":["/n2/db","/n1"],"State":"running","Status":"Up","Image":"a","Command":"c","Created":1}"#,
        );
        assert_eq!(container.name(), "n1");
        assert_eq!(container.ip(), None);
    }

    #[test]
    fn the_wanted_address_until_there_is_one() {
        let container = |address: &str| {
            listed(&format!(
                r#"{{"Id":"1","Names":["/n1"],"State":"created","Status":"Created","Image":"a","Command":"c","Created":1,
                "Labels":{{}},"NetworkSettings":{{"Networks":
                {{"t":{{"IPAMConfig":{{"IPv4Address":"10.1.0.1"}},"IPAddress":"{address}"}}}}}}}}"#
            ))
        };
        assert_eq!(container("").ip().as_deref(), Some("10.1.0.1"));
        assert_eq!(container("10.1.0.2").ip().as_deref(), Some("10.1.0.2"));
    }

    #[test]
    fn the_address_in_its_own_network() {
        for own in ["a", "b", "c"] {
            let places = ["a", "b", "c"].map(|name| format!(r#""{name}":{{"IPAddress":"in {name}"}}"#)).join(",");
            let container = listed(&format!(
                r#"{{"Id":"1","Names":["/n1"],"State":"running","Status":"Up","Image":"a","Command":"c","Created":1,
                "HostConfig":{{"NetworkMode":"{own}"}},"NetworkSettings":{{"Networks":{{{places}}}}}}}"#
            ));
            assert_eq!(container.ip(), Some(format!("in {own}")));
        }
    }
}
