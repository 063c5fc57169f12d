//! daemon.json: our keys merged into what is there.

use serde_json::{Map, Value, json};

use super::config::DATA_ROOT;
use super::files::{self, AUTHORITY, CERTIFICATE, KEY};
use super::pools::{self, Pool};
use super::record::Record;
use super::{Config, DAEMON, ROUTES, text, wrong};
use crate::setup::{FileState, Observed};
use crate::{Error, Result};

/// Keys that the engine takes up on SIGHUP.
const RELOADED: [&str; 4] = ["live-restore", "registry-mirrors", "insecure-registries", "shutdown-timeout"];
/// The key whose own keys are merged one by one.
const LOG_OPTIONS: &str = "log-opts";
const POOLS: &str = "default-address-pools";

/// daemon.json as it shall be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) text: String,
    /// No changed key needs a restart.
    pub(super) reload_is_enough: bool,
    pub(super) live_restore: bool,
}

/// Our keys: what the attributes say, and defaults for what neither they nor an admin's own hand have set.
pub(super) fn settings(config: &Config, record: &Record, observed: &Observed) -> Result<Map<String, Value>> {
    let there = read(text(observed, DAEMON))?;
    let theirs = |key: &str| there.get(key).filter(|_| !record.daemon.contains_key(key));
    let mut ours = Map::new();
    if let Some(pools) = address_pools(config, &there, record, observed)? {
        ours.insert(POOLS.into(), pools.into_iter().map(Pool::json).collect());
    }
    if let Some(mtu) = config.mtu {
        ours.insert("mtu".into(), mtu.into());
    }
    if let Some(options) = log_options(config, &there, record) {
        ours.insert(LOG_OPTIONS.into(), options);
    }
    if let Some(keep) = live_restore(config, theirs("live-restore").is_some(), observed)? {
        ours.insert("live-restore".into(), keep.into());
    }
    if let Some(seconds) = config.shutdown_timeout {
        ours.insert("shutdown-timeout".into(), seconds.into());
    }
    for (key, list) in [("registry-mirrors", &config.mirrors), ("insecure-registries", &config.insecure)] {
        if !list.is_empty() {
            ours.insert(key.into(), json!(list));
        }
    }
    if let Some(root) = &config.data_root {
        ours.insert("data-root".into(), root.as_str().into());
    }
    if config.listen.is_some() {
        if there.contains_key("hosts") {
            let why = "it has 'hosts', beside which the -H of the engine's unit is refused; take it out, docker.socket will listen";
            return Err(refused(why.into()));
        }
        let paths = [("tlscacert", AUTHORITY), ("tlscert", CERTIFICATE), ("tlskey", KEY)];
        ours.extend(paths.map(|(key, name)| (key.to_owned(), files::own(name).into())));
        ours.extend([("tls".to_owned(), true.into()), ("tlsverify".to_owned(), true.into())]);
    }
    Ok(ours)
}

fn refused(why: String) -> Error {
    Error::Refused { what: DAEMON.into(), why }
}

fn read(text: Option<&str>) -> Result<Map<String, Value>> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(Map::new()) };
    serde_json::from_str(text).map_err(|error| refused(format!("it cannot be read ({error}); mend it or take it away")))
}

/// Pools that are there stay as long as nothing is in their way: networks have been made from them.
fn address_pools(
    config: &Config,
    there: &Map<String, Value>,
    record: &Record,
    observed: &Observed,
) -> Result<Option<Vec<Pool>>> {
    let mut taken = pools::routes(text(observed, ROUTES).unwrap_or_default());
    taken.extend(config.networks.iter().map(|(name, network)| (format!("network {name}"), *network)));
    let clash = |pools: &[Pool]| {
        pools.iter().find_map(|pool| {
            let (what, network) = pools::overlap(pool, &taken)?;
            Some(format!("pool {} overlaps with {network}, {what}", pool.base))
        })
    };
    let propose =
        || pools::choose(&taken).map_or_else(String::new, |pool| format!("; free is {}:{}", pool.base, pool.size));
    if let Some(pools) = &config.pools {
        return match clash(pools) {
            Some(why) => Err(wrong("dockerpools", format!("{why}{}", propose()))),
            None => Ok(Some(pools.clone())),
        };
    }
    let theirs = there.get(POOLS).filter(|_| !record.daemon.contains_key(POOLS));
    let kept = |pools: Option<&Value>| pools.and_then(pools::of_daemon).filter(|pools| clash(pools).is_none());
    match (kept(theirs), kept(record.daemon.get(POOLS))) {
        (Some(_), _) => Ok(None),
        (None, Some(pools)) => Ok(Some(pools)),
        (None, None) => match pools::choose(&taken) {
            Some(pool) => Ok(Some(vec![pool])),
            None => Err(wrong("dockerpools", "is not set, and no private network is free for the engine's own")),
        },
    }
}

/// Other log drivers know other options, and refuse ours.
fn log_options(config: &Config, there: &Map<String, Value>, record: &Record) -> Option<Value> {
    let driver = there.get("log-driver").and_then(Value::as_str).unwrap_or("json-file");
    if !["json-file", "local"].contains(&driver) {
        return None;
    }
    let mut options = Map::new();
    let said = [
        ("max-size", config.log_max_size.is_some(), config.log_max_size()),
        ("max-file", config.log_max_file.is_some(), config.log_max_file()),
    ];
    for (key, given, value) in said {
        let recorded = record.daemon.get(LOG_OPTIONS).is_some_and(|options| options.get(key).is_some());
        let theirs = there.get(LOG_OPTIONS).is_some_and(|options| options.get(key).is_some()) && !recorded;
        if given || !theirs {
            options.insert(key.into(), value.into());
        }
    }
    (!options.is_empty()).then_some(Value::Object(options))
}

/// A member of a swarm cannot have it.
fn live_restore(config: &Config, theirs: bool, observed: &Observed) -> Result<Option<bool>> {
    let state = format!("{}/swarm/docker-state.json", config.data_root());
    let swarm = observed.files.get(&state).is_some_and(|state| *state != FileState::Absent);
    match config.live_restore {
        Some(true) if swarm => {
            Err(wrong("dockerliverestore", "an engine in a swarm cannot keep its containers; set it to no"))
        }
        Some(keep) => Ok(Some(keep)),
        None if theirs || swarm => Ok(None),
        None => Ok(Some(true)),
    }
}

/// Puts our keys into the text and takes out those that were ours and are no more. A text that says the same already
/// stays as it is.
pub(super) fn merge(before: Option<&str>, record: &Map<String, Value>, ours: &Map<String, Value>) -> Result<Merged> {
    let there = read(before)?;
    let merged = join(without(there.clone(), record, ours), ours);
    let differs = |key: &&String| there.get(*key) != merged.get(*key);
    let changed: Vec<&String> = there.keys().chain(merged.keys()).filter(differs).collect();
    let text = match before {
        Some(text) if changed.is_empty() => text.to_owned(),
        _ => written(&merged),
    };
    // What is said no more is not forgotten by a reload.
    let reloaded = |key: &&String| RELOADED.contains(&key.as_str()) && merged.contains_key(*key);
    let reload_is_enough = changed.iter().all(reloaded);
    let live_restore = merged.get("live-restore") == Some(&Value::Bool(true));
    Ok(Merged { text, reload_is_enough, live_restore })
}

/// What is left of daemon.json without us; None where nothing is.
pub(super) fn unmerge(before: &str, record: &Map<String, Value>) -> Result<Option<String>> {
    let there = read(Some(before))?;
    let left = without(there.clone(), record, &Map::new());
    match () {
        () if left.is_empty() => Ok(None),
        () if left == there => Ok(Some(before.to_owned())),
        () => Ok(Some(written(&left))),
    }
}

/// Whether an engine with this daemon.json keeps its containers.
pub(super) fn is_live_restore(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|daemon| daemon["live-restore"] == true)
}

/// Where an engine with this daemon.json keeps its data.
pub(super) fn data_root(text: &str) -> String {
    data_root_of(&serde_json::from_str(text).unwrap_or_default())
}

pub(super) fn data_root_of(settings: &Map<String, Value>) -> String {
    let root = settings.get("data-root").and_then(Value::as_str).map(|root| root.trim_end_matches('/'));
    root.filter(|root| root.starts_with('/')).unwrap_or(DATA_ROOT).to_owned()
}

fn written(settings: &Map<String, Value>) -> String {
    let text = serde_json::to_string_pretty(settings).expect("plain data");
    format!("{text}\n")
}

/// A key that an admin has changed since is theirs now.
fn without(
    mut there: Map<String, Value>,
    record: &Map<String, Value>,
    ours: &Map<String, Value>,
) -> Map<String, Value> {
    for (key, value) in record {
        match (there.get_mut(key), value, ours.get(key)) {
            (Some(Value::Object(inner)), Value::Object(were), ours) if key == LOG_OPTIONS => {
                let empty = Map::new();
                let ours = ours.and_then(Value::as_object).unwrap_or(&empty);
                *inner = without(std::mem::take(inner), were, ours);
                if inner.is_empty() && ours.is_empty() {
                    there.shift_remove(key);
                }
            }
            (Some(is), was, None) if is == was => drop(there.shift_remove(key)),
            _ => (),
        }
    }
    there
}

fn join(mut there: Map<String, Value>, ours: &Map<String, Value>) -> Map<String, Value> {
    for (key, value) in ours {
        match (there.get_mut(key), value) {
            (Some(Value::Object(inner)), Value::Object(ours)) if key == LOG_OPTIONS => {
                inner.extend(ours.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            _ => drop(there.insert(key.clone(), value.clone())),
        }
    }
    there
}
