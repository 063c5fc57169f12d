//! Modules that are built in. Their methods are functions of ours, and end in the same plans for machines as the commands'
//! do: things that must be true, what is, the steps between. A module is its `plugins/modules/NAME/module.toml`, an
//! implementation of [`Builtin`] and its line in [`ALL`].

mod docker_host;
mod etcd;
mod machines;
mod monitoring;
mod network;
mod node_base;
mod registry;
mod work;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tables::Node;
use tokio::sync::Mutex;

use super::contract::{Change, Finding, Request};
use super::manifest::{Manifest, Method, Way};
use super::state::Document;
use super::{Module, state};
use crate::context::Context;
use crate::docker_host::Certificates;
use crate::failure::Failure;
pub(crate) use machines::{has_left, wants_own};
use work::Work;

static ALL: [&(dyn Builtin + Sync); 6] = [
    &docker_host::DockerHost,
    &network::Network,
    &registry::Registry,
    &node_base::NodeBase,
    &monitoring::Monitoring,
    &etcd::Etcd,
];

/// What stands at the end of a plan for a machine that has nothing to be done and is not known yet.
const TAKEN_IN: &str = "nothing is to be done there; that it belongs to the module is noted";

/// Held by what works on one machine after the other.
static TURN: Mutex<()> = Mutex::const_new(());

/// A module whose methods are functions.
#[async_trait(?Send)]
pub(crate) trait Builtin {
    /// Its `module.toml`.
    fn text(&self) -> &'static str;

    /// Values for a config to begin with.
    fn proposal(&self, job: &Job<'_>) -> Result<Value, Failure>;

    /// Machines that it works on beside those of its config.
    fn further(&self, _cx: &Context, _known: &Known<'_>) -> Result<Vec<Node>, Failure> {
        Ok(Vec::new())
    }

    /// Why it cannot be said yet what is to be done, where another module has to be applied before.
    async fn deferred(&self, _job: &Job<'_>) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    /// What is to be done; with [`Certificates::Find`] nothing is made, here or there.
    async fn work(&self, job: &Job<'_>, certificates: Certificates) -> Result<Work, Failure>;

    /// What comes before the first change of a machine.
    async fn begin(&self, _job: &Job<'_>) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether a machine's turn comes only when those before it are done.
    fn is_one_by_one(&self, _job: &Job<'_>) -> Result<bool, Failure> {
        Ok(false)
    }

    /// What is remembered when it is done.
    fn state(&self, job: &Job<'_>) -> Result<Value, Failure>;

    /// What an audit finds beside that something would have to be done.
    async fn findings(&self, _job: &Job<'_>) -> Result<Vec<Finding>, Failure> {
        Ok(Vec::new())
    }

    /// What it answers to a method that its manifest need not have.
    async fn optional(&self, _method: Method, _job: &Job<'_>) -> Result<Value, Failure> {
        Err(Failure::refused("it has no such method"))
    }
}

/// What a module is asked.
pub(crate) struct Job<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) request: &'a Request<'a>,
    pub(crate) node: Option<&'a Node>,
}

/// What is known before a module is asked: its config, the states of the others, its own.
pub(crate) struct Known<'a> {
    pub(crate) config: &'a Map<String, Value>,
    pub(crate) states: &'a Map<String, Value>,
    pub(crate) document: &'a Document,
}

/// The manifests of all of them.
pub(crate) fn manifests() -> Vec<Manifest> {
    let read = |builtin: &&(dyn Builtin + Sync)| Manifest::read(builtin.text()).expect("a test reads each");
    ALL.iter().map(read).collect()
}

/// The functions behind a module, if it is built in or is a site's own that calls them.
pub(crate) fn of(module: &Module) -> Option<&'static (dyn Builtin + Sync)> {
    let calls = module.manifest.methods.get(&Method::Plan).is_some_and(|run| run.way == Way::Builtin);
    if calls { find(module.manifest.name()) } else { None }
}

/// Whether a method is asked for each of the targets; others look at the module as a whole.
pub(crate) fn is_of_each(method: Method) -> bool {
    matches!(method, Method::Plan | Method::Apply | Method::Audit | Method::Scale | Method::Test)
}

fn find(name: &str) -> Option<&'static (dyn Builtin + Sync)> {
    let named =
        |builtin: &&&(dyn Builtin + Sync)| Manifest::read(builtin.text()).is_ok_and(|manifest| manifest.name() == name);
    ALL.iter().find(named).copied()
}

/// What a method answers, as a program would say it, and its warnings.
pub(crate) async fn answer(method: Method, job: &Job<'_>) -> Result<(Value, Vec<String>), Failure> {
    let name = job.request.module;
    let Some(builtin) = find(name) else {
        return Err(Failure::refused("no such module is built in, and way 'builtin' is only for those"));
    };
    let result = match method {
        Method::Metadata => json!({ "labels": { "name": name, "version": job.request.version } }),
        Method::Init => json!({ "config": builtin.proposal(job)? }),
        Method::Plan => {
            if let Some(why) = builtin.deferred(job).await? {
                return Ok((json!({ "deferred": why }), Vec::new()));
            }
            let work = builtin.work(job, Certificates::Find).await?;
            return Ok((json!({ "changes": changes(job, &work) }), work.warnings()));
        }
        Method::Apply => return apply(builtin, job).await,
        Method::Audit => {
            let mut findings = builtin.work(job, Certificates::Find).await?.findings();
            findings.extend(builtin.findings(job).await?);
            json!({ "findings": findings })
        }
        Method::Backup | Method::Restore | Method::Update | Method::Scale | Method::Test => {
            builtin.optional(method, job).await?
        }
    };
    Ok((result, Vec::new()))
}

/// Does what was planned and no more: what has come up since is for another plan.
async fn apply(builtin: &(dyn Builtin + Sync), job: &Job<'_>) -> Result<(Value, Vec<String>), Failure> {
    let _turn = if builtin.is_one_by_one(job)? { Some(TURN.lock().await) } else { None };
    let planned = builtin.work(job, Certificates::Find).await?;
    if let Some(what) = planned.beyond(job.request.changes) {
        return Err(Failure::refused(format!("the plan is old: now it would also have to {what}"))
            .hint(format!("see what is to be done now: xcrane module plan {}", job.request.module)));
    }
    builtin.begin(job).await?;
    let work = builtin.work(job, Certificates::Make).await?;
    let warnings = work.warnings();
    work.carry_out(job.cx).await?;
    Ok((json!({ "state": builtin.state(job)? }), warnings))
}

/// The changes of a piece of work; that a machine is known from now on is one too.
fn changes(job: &Job<'_>, work: &Work) -> Vec<Change> {
    let changes = work.changes();
    let is_known = !job.request.state.is_null() && !machines::has_left(job.request.state);
    match changes.is_empty() && !is_known && !work.is_of_nobody() {
        true => vec![Change { what: TAKEN_IN.into(), from: None, to: None }],
        false => changes,
    }
}

impl<'a> Job<'a> {
    /// The config as the module has it.
    fn config<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let config = Value::Object(self.request.config.clone());
        serde_json::from_value(config).map_err(|error| Failure::refused(format!("its config cannot be read: {error}")))
    }

    /// The machine that it is about.
    fn node(&self) -> Result<&'a Node, Failure> {
        self.node.ok_or_else(|| Failure::refused("it is a question about a machine, and none is named"))
    }

    /// What the module knows of its machines by now.
    fn document(&self) -> Result<Option<Document>, Failure> {
        state::document(self.cx, self.request.module)
    }
}

/// Words of a config, each read as what it stands for.
fn parsed<T: std::str::FromStr<Err = String>>(key: &str, words: &[String]) -> Result<Vec<T>, Failure> {
    let read = |word: &String| word.parse().map_err(|why| Failure::refused(format!("config {key}: {why}")));
    words.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_it_is_and_all_its_methods_are_ours() {
        let manifests = manifests();
        for manifest in &manifests {
            assert!(manifest.methods.values().all(|run| run.way == Way::Builtin), "{}", manifest.name());
            assert!(!manifest.label("short").is_empty() && !manifest.label("kind").is_empty(), "{}", manifest.name());
            assert!(find(manifest.name()).is_some());
        }
        let places = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/modules")).unwrap();
        assert_eq!(places.count(), manifests.len(), "each directory of plugins/modules is one of them");
    }
}
