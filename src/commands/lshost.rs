//! `lshost`: what the engines of hosts are, and whether the hosts are as they should be.

use std::collections::BTreeSet;

use clap::Args;
use plugins::dockerhost::{self, Config, Finding};
use plugins::setup::Step;
use plugins::{Error, Host, HostState};
use serde_json::json;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::docker_host::{self, Certificates};
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::size::size;

/// List Docker hosts, or audit them
#[derive(Debug, Args)]
#[command(
    after_help = "Without --audit, a line a host: version and API of the engine, running and all containers, storage
driver, live-restore, address pools, free space of the data root.

With --audit, what mkhost would change and what would go wrong at a shutdown or a boot (stop
timeouts against the engine's and the service manager's, restart policies), each with the
command that mends it. The exit code is 2 if there is anything.

Examples:
  lshost                     every host that some node's vmhost names
  lshost h[1-40] --audit -b  equal findings folded
  lshost --json | jq .       for scripts"
)]
pub(crate) struct Lshost {
    /// The hosts; default is those that carry nodes or have a dockerendpoint
    #[arg(value_name = "NODERANGE")]
    noderange: Option<String>,
    /// Show what is not as it should be, and what mends it
    #[arg(long)]
    audit: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Lshost {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = match &self.noderange {
            Some(range) => cx.nodes(range)?,
            None => known_hosts(cx)?,
        };
        cx.check(self.shape.format(), &nodes, |node| Ok(Config::of(node).map(drop)?))?;
        if self.audit {
            return self.audit(cx, nodes).await;
        }
        let backends = cx.backends()?;
        let ask = async |node: Node| {
            let state = backends.hosts(&node)?.state(&node).await.map_err(unanswered)?;
            let space = space(&backends.host(&node).await?, &state.data_root).await?;
            Ok(listed(&state, space))
        };
        Ok(cx.each(nodes, Manner::from(&self.shape), ask).await.into())
    }
}

impl Lshost {
    async fn audit(&self, cx: &Context, nodes: Vec<Node>) -> Result<Outcome, Failure> {
        let configs = cx.docker_hosts(&nodes, Certificates::Find)?;
        let backends = cx.backends()?;
        let off = std::cell::Cell::new(false);
        let ask = async |node: Node| {
            let config = configs.iter().find(|config| config.name == node.name()).expect("there is one for each node");
            let looked = docker_host::look(backends, &node, config).await?;
            let wanted = dockerhost::wanted(config, &looked.observed)?;
            let steps = docker_host::steps(&looked.host, &wanted).await?;
            let findings = docker_host::findings(backends, &node, &looked).await?;
            off.set(off.get() || !steps.is_empty() || !findings.is_empty());
            Ok(audited(node.name(), &steps, &findings))
        };
        let ended = Outcome::from(cx.each(nodes, Manner::from(&self.shape), ask).await);
        Ok(if ended == Outcome::Done && off.get() { Outcome::Code(2) } else { ended })
    }
}

fn unanswered(error: Error) -> Failure {
    let unreachable = error.is_unreachable();
    let failure = Failure::from(error);
    if unreachable { failure.hint("what is no Docker host yet becomes one by: mkhost NODERANGE") } else { failure }
}

/// The nodes that others name as their host, and those that say where their engine is.
fn known_hosts(cx: &Context) -> Result<Vec<Node>, Failure> {
    let tables = cx.tables()?;
    let carrying: BTreeSet<String> = tables.guest_hosts()?;
    let nodes = tables.resolve(&tables.node_names(true)?.to_vec())?;
    let is_host = |node: &Node| {
        !plugins::is_container(node) && (carrying.contains(node.name()) || node.get("dockerendpoint").is_some())
    };
    let hosts: Vec<Node> = nodes.into_iter().filter(is_host).collect();
    match hosts.is_empty() {
        true => Err(Failure::refused("no node is a Docker host yet").hint("make one with: mkhost NODERANGE")),
        false => Ok(hosts),
    }
}

/// Bytes of the data root's file system: free, and all.
async fn space(host: &Host, data_root: &str) -> Result<(u64, u64), Failure> {
    let said = docker_host::said(host, &["df", "-P", "-k", data_root]).await?;
    let words: Vec<u64> =
        said.lines().nth(1).into_iter().flat_map(str::split_whitespace).filter_map(|word| word.parse().ok()).collect();
    match words.as_slice() {
        [all, _, free, ..] => Ok((free * 1024, all * 1024)),
        _ => Err(Failure::refused(format!("df of {data_root} makes no sense: {said}"))),
    }
}

fn listed(state: &HostState, (free, all): (u64, u64)) -> Answer {
    let pools = if state.pools.is_empty() { "built-in".to_owned() } else { state.pools.join(",") };
    let live = if state.live_restore { "yes" } else { "no" };
    let line = format!(
        "{} api={} containers={}/{} storage={} live-restore={live} pools={pools} free={}/{}",
        state.engine,
        state.api,
        state.running,
        state.guests,
        state.storage_driver,
        size(free),
        size(all)
    );
    let mut data = json!(state);
    data["free"] = free.into();
    data["size"] = all.into();
    Answer { lines: vec![line], data: Some(data), ..Answer::default() }
}

fn audited(host: &str, steps: &[Step], findings: &[Finding]) -> Answer {
    let mend = format!("mkhost {host}");
    let mut lines = Vec::new();
    for step in steps {
        lines.push(format!("not as defined: {}", step.title()));
        lines.extend(step.diff().iter().flat_map(|diff| diff.lines()).map(|line| format!("    {line}")));
    }
    if !steps.is_empty() {
        lines.push(format!("    mend: {mend}"));
    }
    for finding in findings {
        lines.extend([finding.what.clone(), format!("    mend: {}", finding.mend)]);
    }
    if lines.is_empty() {
        lines.push("in order".into());
    }
    let changed: Vec<_> =
        steps.iter().map(|step| json!({ "what": step.title(), "diff": step.diff(), "mend": mend })).collect();
    Answer { lines, data: Some(json!({ "changed": changed, "findings": findings })), ..Answer::default() }
}
