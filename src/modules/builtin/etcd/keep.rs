//! A backup of a cluster, back to it, and whether it works.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use plugins::services::etcd::{Member, keep};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tables::Node;

use super::{Cluster, Job, at};
use crate::failure::Failure;
use crate::modules::contract::Trial;
use crate::modules::plan::all_of;

/// What is kept: all that was in the cluster at one moment.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Of the snapshot as it is packed.
    sha256: String,
    /// Packed by gzip, in base64.
    snapshot: String,
}

/// Any member has all of it: the first that can say it does.
pub(super) async fn backup(job: &Job<'_>) -> Result<Value, Failure> {
    let cluster = Cluster::of(job)?;
    let mut failures = Vec::new();
    for (node, member) in &cluster.members {
        match at(job, node, "take a snapshot", &keep::save(cluster.ports, member), &[]).await {
            Ok(snapshot) => {
                let sha256 = plugins::hex(&Sha256::digest(&snapshot));
                return Ok(json!({ "backup": Kept { sha256, snapshot: STANDARD.encode(snapshot) } }));
            }
            Err(failure) => failures.push(failure),
        }
    }
    Err(all_of(failures))
}

/// All members have it beside what they have before the first of them is stopped. A run that was cut off is done by another
/// from its beginning.
pub(super) async fn restore(job: &Job<'_>) -> Result<Value, Failure> {
    let snapshot = snapshot(job)?;
    let cluster = Cluster::of(job)?;
    let (ports, members) = (cluster.ports, cluster.members());
    let token = token();
    let prepare = |member: &Member| keep::prepare(ports, member, &members, &token);
    at_all(job, &cluster, "take the snapshot; nothing was stopped", prepare, &snapshot).await?;
    if let Err(failure) = at_all(job, &cluster, "stop", |_| keep::stop(), &[]).await {
        // Half of them with the old and half with the new would be no cluster.
        let started = at_all(job, &cluster, "start again", |_| keep::start(), &[]).await;
        return Err(all_of([failure].into_iter().chain(started.err()).collect()));
    }
    at_all(job, &cluster, "exchange what it has", |_| keep::exchange(), &[]).await.map_err(again)?;
    let finish = |member: &Member| keep::finish(ports, member);
    at_all(job, &cluster, "say that it is healthy", finish, &[]).await.map_err(again)?;
    Ok(json!({}))
}

fn again(failure: Failure) -> Failure {
    failure.hint("not all members are exchanged; the same restore, run again, exchanges all of them")
}

/// The snapshot of a request, if it is what was kept.
fn snapshot(job: &Job<'_>) -> Result<Vec<u8>, Failure> {
    let kept = job.request.backup.cloned().unwrap_or_default();
    let damaged = |why: String| Failure::refused(format!("the backup is damaged: {why}; nothing was stopped"));
    let kept: Kept = serde_json::from_value(kept).map_err(|error| damaged(error.to_string()))?;
    let snapshot = STANDARD.decode(kept.snapshot).map_err(|error| damaged(error.to_string()))?;
    match plugins::hex(&Sha256::digest(&snapshot)) == kept.sha256 {
        true => Ok(snapshot),
        false => Err(damaged("its digest is another one".to_owned())),
    }
}

/// Runs a program at all members at once; what failed is told of each.
async fn at_all(
    job: &Job<'_>,
    cluster: &Cluster,
    doing: &str,
    program: impl Fn(&Member) -> Vec<String>,
    stdin: &[u8],
) -> Result<(), Failure> {
    let ask = async |(node, member): &(Node, Member)| at(job, node, doing, &program(member), stdin).await;
    let failures: Vec<Failure> =
        join_all(cluster.members.iter().map(ask)).await.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() { Ok(()) } else { Err(all_of(failures)) }
}

/// Whether the machine of a job is a member that works.
pub(super) async fn test(job: &Job<'_>) -> Result<Value, Failure> {
    let (node, cluster) = (job.node()?, Cluster::of(job)?);
    let trial = |what: &str, fault: Option<String>| Trial { what: what.to_owned(), fault };
    let Some((_, own)) = cluster.members.iter().find(|(member, _)| member.name() == node.name()) else {
        let fault = "it is not in the cluster yet: xcrane module scale etcd";
        return Ok(json!({ "tests": [trial("it is a member", Some(fault.to_owned()))] }));
    };
    let health = at(job, node, "say that it is healthy", &keep::is_healthy(cluster.ports, own), &[]).await;
    let program = keep::write_and_read(cluster.ports, own, &cluster.members(), &token());
    let key = at(job, node, "write and read a key", &program, &[]).await;
    let fault = |ran: Result<Vec<u8>, Failure>| ran.err().map(|failure| failure.message);
    Ok(
        json!({ "tests": [trial("it is healthy", fault(health)), trial("what it writes is read at all members", fault(key))] }),
    )
}

/// What was never said before.
fn token() -> String {
    format!("xcrane-{}", jiff::Timestamp::now().as_nanosecond())
}
