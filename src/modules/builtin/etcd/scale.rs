//! Members come and go while the cluster works, one by one.

use std::collections::BTreeSet;

use plugins::services::etcd::{self, Entry, keep};
use serde_json::{Value, json};

use super::{Cluster, Config, Etcd, Job, TURN, at, member, member_at, members_of};
use crate::docker_host::Certificates;
use crate::failure::Failure;
use crate::modules::builtin::Builtin;
use crate::modules::builtin::work::Work;
use crate::modules::plan::all_of;

/// Brings one machine in or out. Those that stay are left as they are.
pub(super) async fn scale(builtin: &Etcd, job: &Job<'_>) -> Result<Value, Failure> {
    let _turn = TURN.lock().await;
    let (node, config) = (job.node()?, job.config::<Config>()?);
    let meant: BTreeSet<String> = job.cx.nodes(&config.nodes)?.iter().map(|node| node.name().to_owned()).collect();
    let present = job.document()?.map(|document| members_of(&document)).unwrap_or_default();
    match (meant.contains(node.name()), present.contains(node.name())) {
        (true, true) => Ok(json!({})),
        (true, false) => join(builtin, job, &config, &present).await,
        (false, _) => leave(job, &config, &meant, &present).await,
    }
}

async fn join(builtin: &Etcd, job: &Job<'_>, config: &Config, present: &BTreeSet<String>) -> Result<Value, Failure> {
    let own = member(job, config, Certificates::Make)?
        .ok_or_else(|| Failure::refused("it is none of the machines of the config"))?;
    if let Entry::Joins(others) = &own.entry
        && let Some(absent) = others.iter().find(|other| !present.contains(&other.node))
    {
        return Err(Failure::refused(format!("{} is to join before it, and is no member yet", absent.node)));
    }
    // Who goes is the matter of its own turn.
    let things = etcd::wanted(&etcd::Config { sweeps: false, ..own });
    Work::of(job, &things, &config.package_directory).await?.carry_out(job.cx).await?;
    Ok(json!({ "state": builtin.state(job)? }))
}

/// The cluster forgets it first, asked at whoever of the others answers.
async fn leave(
    job: &Job<'_>,
    config: &Config,
    meant: &BTreeSet<String>,
    present: &BTreeSet<String>,
) -> Result<Value, Failure> {
    let node = job.node()?;
    if let Some(absent) = meant.difference(present).next() {
        return Err(Failure::refused(format!("it stays until all others are members, and {absent} is none yet")));
    }
    let Cluster { ports, members } = Cluster::of(job)?;
    let others: Vec<_> = members.into_iter().filter(|(other, _)| meant.contains(other.name())).collect();
    let names: Vec<_> = others.iter().map(|(_, member)| member.clone()).collect();
    let program = keep::leave(ports, &names, &member_at(node)?);
    let mut failures = Vec::new();
    for (other, _) in &others {
        if let Err(error) = job.cx.backends()?.host(other).await {
            failures.push(error.into());
            continue;
        }
        at(job, other, &format!("take {} out", node.name()), &program, &[]).await?;
        Work::of(job, &etcd::unwanted(), &config.package_directory).await?.carry_out(job.cx).await?;
        return Ok(json!({ "state": { "left": true } }));
    }
    Err(all_of(failures))
}
