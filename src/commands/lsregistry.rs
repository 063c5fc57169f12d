//! `lsregistry`: the registries of the site, and how they stand.

use std::collections::BTreeMap;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use plugins::registry::{self, Config, State};
use serde_json::json;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::docker_host::Certificates;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::registry::{entries, find, passwords};
use crate::reply::{Answer, Body, Reply};
use crate::size::size;

/// A certificate that ends sooner is worth a warning.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// List registries, or ask them how they are
#[derive(Debug, Args)]
#[command(
    after_help = "Without --check the tables answer: node, HOST:PORT as it stands in names of images, storage, users. With it
each registry is asked as a client asks it, and its node for disk and certificate; the exit code is 1
if one does not serve.

Examples:
  lsregistry
  lsregistry --check
  lsregistry h1 --check --json | jq ."
)]
pub(crate) struct Lsregistry {
    /// The registry; default is all
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Ask each whether it serves, how many repositories it has, and its node for certificate and disk
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Lsregistry {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let all = entries(cx.tables()?)?;
        let chosen = match &self.name {
            Some(name) => vec![find(&all, name)?],
            None => all.clone(),
        };
        let passwords = passwords(cx.tables()?)?;
        let mut by_node: BTreeMap<String, Vec<Config>> = BTreeMap::new();
        let mut nodes: Vec<Node> = Vec::new();
        for entry in &chosen {
            let node = cx.registry_node(entry)?;
            let config = cx.certified(entry.config(&node, &passwords, &all)?, Certificates::Find)?;
            let known = by_node.entry(node.name().to_owned()).or_default();
            if known.is_empty() {
                nodes.push(node);
            }
            known.push(config);
        }
        if !self.check {
            by_node.values().flatten().for_each(|config| self.list(cx, config));
            cx.ui.finish_folding();
            return Ok(Outcome::Done);
        }
        let ask = async |node: Node| check(cx, &node, &by_node[node.name()]).await;
        Ok(cx.each(nodes, Manner::from(&self.shape), ask).await.into())
    }
}

impl Lsregistry {
    fn list(&self, cx: &Context, config: &Config) {
        let summary = config.summary();
        let who = if summary.users.is_empty() { "everyone".to_owned() } else { summary.users.join(",") };
        let mut line = format!("on {} at {}, in {}, lets in {who}", summary.node, summary.place, summary.storage);
        if let Some(image) = &summary.image {
            line.push_str(&format!(", runs from image {image}"));
        }
        if let Some(url) = &summary.upstream {
            line.push_str(&format!(", mirrors {url}"));
        }
        let body = Body::Answer(Answer { data: Some(json!(summary)), ..Answer::line(line) });
        cx.ui.reply(self.shape.format(), Reply { node: Some(summary.name), body });
    }
}

/// Asks the registries of a node; those that serve are told even if another does not.
async fn check(cx: &Context, node: &Node, configs: &[Config]) -> Result<Answer, Failure> {
    let limit = cx.settings()?.connect_limit;
    let host = cx.backends()?.host(node).await?;
    let mut answer = Answer::default();
    let mut data = Vec::new();
    let mut failed = None;
    for config in configs {
        let state = registry::state(&host, config).await?;
        answer.warnings.extend(ends_soon(config, &state, Timestamp::now()));
        answer.warnings.extend(ails(config, &state));
        match registry::repositories(config, limit).await {
            Ok(names) => {
                answer.lines.push(told(config, &state, names.len()));
                data.push(json!({ "registry": config.summary(), "state": state, "repositories": names }));
            }
            Err(error) => {
                let failure = Failure::from(error);
                data.push(json!({ "registry": config.summary(), "state": state, "error": failure.message }));
                failed = Some(failure.hint(format!("mend it with: mkregistry {} --name {}", config.node, config.name)));
            }
        }
    }
    answer.data = Some(data.into());
    match failed {
        Some(failure) => Err(failure.after(answer)),
        None => Ok(answer),
    }
}

fn told(config: &Config, state: &State, repositories: usize) -> String {
    let expires = state.expires.as_deref().and_then(|time| time.get(..10)).unwrap_or("unknown");
    format!(
        "{}: serves at {}, {repositories} repositories, {} used, {} free, certificate until {expires}",
        config.name,
        config.place(),
        size(state.used),
        size(state.free)
    )
}

/// What is wrong although it serves, and what mends it.
fn ails(config: &Config, state: &State) -> Vec<String> {
    let Config { name, node, .. } = config;
    let mut said = Vec::new();
    if state.is_nearly_full() {
        let left = size(state.free);
        said.push(format!(
            "registry {name}: {left} of {} are left where its images are, and pushes fail when it is full; make room with: \
             rmimage, then mkregistry {node} --name {name} --gc",
            size(state.size)
        ));
    }
    match (&config.upstream, state.upstream_answers, state.read_only) {
        (Some(upstream), Some(false), _) => {
            said.push(format!(
                "registry {name}: {} does not answer {node}; what is kept of it is served",
                upstream.url
            ));
        }
        (Some(_), _, true) => said.push(format!("registry {name} serves only what it keeps; it will fetch again soon")),
        (None, _, true) => said.push(format!("registry {name} is being cleaned up; pushes are refused meanwhile")),
        _ => {}
    }
    said
}

fn ends_soon(config: &Config, state: &State, now: Timestamp) -> Option<String> {
    let expires: Timestamp = state.expires.as_deref()?.parse().ok()?;
    if expires.duration_since(now) > SOON {
        return None;
    }
    let mend = format!("mkregistry {} --name {}", config.node, config.name);
    let verb = if expires <= now { "ended" } else { "ends" };
    Some(format!("the certificate of registry {} {verb} at {expires}; renew it with: {mend}", config.name))
}
