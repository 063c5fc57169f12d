//! A cluster of etcd: three free machines to begin with, and whoever is added or taken out later.

mod keep;
mod scale;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use plugins::authority::{self, Authority, Issued, Purpose, Subject};
use plugins::services::etcd::{self, Entry, Member, Ports};
use serde::Deserialize;
use serde_json::{Value, json};
use tables::Node;

use super::work::Work;
use super::{Builtin, Job, Known, TURN, machines};
use crate::context::Context;
use crate::docker_host::Certificates;
use crate::failure::Failure;
use crate::modules::manifest::Method;
use crate::modules::state::Document;

/// How many members a cluster begins with.
const FIRST: usize = 3;
/// Two years, of which the last third is time to renew it.
const LIFETIME: Duration = Duration::from_secs(2 * 365 * 24 * 3600);

pub(super) struct Etcd;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Config {
    nodes: String,
    client_port: u16,
    peer_port: u16,
    metrics_port: u16,
    package_directory: String,
}

impl Config {
    fn ports(&self) -> Ports {
        Ports { client: self.client_port, peer: self.peer_port, metrics: self.metrics_port }
    }
}

#[async_trait(?Send)]
impl Builtin for Etcd {
    fn text(&self) -> &'static str {
        include_str!("../../../plugins/modules/etcd/module.toml")
    }

    fn proposal(&self, job: &Job<'_>) -> Result<Value, Failure> {
        let members = job.document()?.map(|document| members_of(&document)).unwrap_or_default();
        if !members.is_empty() {
            return Ok(json!({ "nodes": machines::range(&machines::of_names(job.cx, &members)?) }));
        }
        let free = machines::free(job.cx, job.request.states)?;
        Ok(json!({ "nodes": machines::range(free.iter().take(FIRST)) }))
    }

    /// Those that are to leave.
    fn further(&self, cx: &Context, known: &Known<'_>) -> Result<Vec<Node>, Failure> {
        machines::of_names(cx, &members_of(known.document))
    }

    async fn work(&self, job: &Job<'_>, certificates: Certificates) -> Result<Work, Failure> {
        let config: Config = job.config()?;
        let things = match member(job, &config, certificates)? {
            Some(member) => etcd::wanted(&member),
            None => etcd::unwanted(),
        };
        Work::of(job, &things, &config.package_directory).await
    }

    /// A cluster that runs must not lose its majority because all members start anew at once, and takes in one after the
    /// other. Those that found it wait for each other.
    fn is_one_by_one(&self, job: &Job<'_>) -> Result<bool, Failure> {
        let founds = |member: &etcd::Config| matches!(member.entry, Entry::Founds(_));
        Ok(!member(job, &job.config()?, Certificates::Find)?.as_ref().is_some_and(founds))
    }

    fn state(&self, job: &Job<'_>) -> Result<Value, Failure> {
        let config: Config = job.config()?;
        Ok(match member(job, &config, Certificates::Find)? {
            None => json!({ "left": true }),
            Some(member) => {
                let (cluster, joined) = member.cluster();
                let (endpoint, metrics) =
                    (config.ports().endpoint(&member.member), config.ports().numbers(&member.member));
                json!({ "endpoint": endpoint, "metrics": [metrics], "cluster": cluster, "joined": joined })
            }
        })
    }

    async fn optional(&self, method: Method, job: &Job<'_>) -> Result<Value, Failure> {
        match method {
            Method::Backup => keep::backup(job).await,
            Method::Restore => keep::restore(job).await,
            Method::Scale => scale::scale(self, job).await,
            Method::Test => keep::test(job).await,
            _ => Err(Failure::refused("it has no such method")),
        }
    }
}

/// The cluster as it is: its members with their nodes.
struct Cluster {
    ports: Ports,
    members: Vec<(Node, Member)>,
}

impl Cluster {
    fn of(job: &Job<'_>) -> Result<Self, Failure> {
        let present = job.document()?.map(|document| members_of(&document)).unwrap_or_default();
        let nodes = machines::of_names(job.cx, &present)?;
        let members = nodes.into_iter().map(|node| Ok((node.clone(), member_at(&node)?)));
        Ok(Self { ports: job.config::<Config>()?.ports(), members: members.collect::<Result<_, Failure>>()? })
    }

    fn members(&self) -> Vec<Member> {
        self.members.iter().map(|(_, member)| member.clone()).collect()
    }
}

fn member_at(node: &Node) -> Result<Member, Failure> {
    Ok(Member { node: node.name().to_owned(), address: machines::address(node)? })
}

/// Runs a program at a member; what it prints.
async fn at(job: &Job<'_>, node: &Node, doing: &str, argv: &[String], stdin: &[u8]) -> Result<Vec<u8>, Failure> {
    let host = job.cx.backends()?.host(node).await.map_err(|error| of_node(node, error.into()))?;
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let ran = host.try_run(&argv, stdin).await.map_err(|error| match error {
        // What cannot be reached names all that was to be run there.
        plugins::Error::Unreachable { .. } => Failure::refused(format!("{}: the connection was lost", node.name())),
        error => of_node(node, error.into()),
    })?;
    match ran.fault() {
        None => Ok(ran.stdout),
        Some(why) => Err(Failure::refused(format!("{}: cannot {doing}: {why}", node.name()))),
    }
}

fn of_node(node: &Node, failure: Failure) -> Failure {
    Failure { message: format!("{}: {}", node.name(), failure.message), ..failure }
}

/// The names of those that are members.
fn members_of(document: &Document) -> BTreeSet<String> {
    let members = document.targets.iter().filter(|(_, said)| said.get("cluster").is_some());
    members.map(|(name, _)| name.clone()).collect()
}

/// What the machine of a job is to be; none if it is to be no member.
fn member(job: &Job<'_>, config: &Config, certificates: Certificates) -> Result<Option<etcd::Config>, Failure> {
    let node = job.node()?;
    let known = job.document()?;
    let present = known.as_ref().map(members_of).unwrap_or_default();
    let nodes = together(job.cx.nodes(&config.nodes)?, machines::of_names(job.cx, &present)?);
    let members: Vec<Member> = nodes.iter().map(member_at).collect::<Result<_, Failure>>()?;
    let Some(own) = members.iter().find(|member| member.node == node.name()).cloned() else { return Ok(None) };
    let said = known.as_ref().map_or(&Value::Null, |document| document.of(node.name()));
    let sweeps = members.iter().find(|it| present.contains(&it.node)).is_some_and(|first| first.node == own.node);
    Ok(Some(etcd::Config {
        entry: entry(&own, &members, known.as_ref(), said),
        certificate: certificate(job, node, certificates)?,
        ports: config.ports(),
        sweeps,
        member: own,
        members,
    }))
}

/// Who is to be a member, by name. While somebody joins nobody leaves: who joins is told of all that are members at that
/// moment. Those that are to leave do so by the next plan.
fn together(wanted: Vec<Node>, present: Vec<Node>) -> Vec<Node> {
    let names = |nodes: &[Node]| nodes.iter().map(|node| node.name().to_owned()).collect::<BTreeSet<_>>();
    let (meant, there) = (names(&wanted), names(&present));
    let joins = !there.is_empty() && !meant.is_subset(&there);
    let leaving = present.into_iter().filter(|node| joins && !meant.contains(node.name()));
    let mut nodes: Vec<Node> = wanted.into_iter().chain(leaving).collect();
    nodes.sort_by(|one, other| one.name().cmp(other.name()));
    nodes
}

/// How a machine comes in. Those that found a cluster know of each other, so that whoever of them is late is known by
/// what the others have been told.
fn entry(own: &Member, members: &[Member], known: Option<&Document>, said: &Value) -> Entry {
    let told = |said: &Value| Some((said["cluster"].as_str()?.to_owned(), said["joined"] == true));
    if let Some((cluster, joined)) = told(said) {
        return Entry::Is { cluster, joined };
    }
    let clusters: Vec<(String, bool)> =
        known.into_iter().flat_map(|document| document.targets.values().filter_map(told)).collect();
    let is_meant = |cluster: &str| cluster.split(',').any(|word| word.starts_with(&format!("{}=", own.node)));
    let founded = clusters.iter().find(|(cluster, joined)| !joined && is_meant(cluster));
    match founded.filter(|_| !machines::has_left(said)) {
        Some((cluster, _)) => Entry::Is { cluster: cluster.clone(), joined: false },
        None if clusters.is_empty() => Entry::Founds(members.to_vec()),
        None => {
            let present = known.map(members_of).unwrap_or_default();
            // Of those that join together each finds the ones before it in the cluster.
            let before = |other: &&Member| present.contains(&other.node) || other.node < own.node;
            Entry::Joins(members.iter().filter(|other| **other != *own).filter(before).cloned().collect())
        }
    }
}

fn certificate(job: &Job<'_>, node: &Node, certificates: Certificates) -> Result<Option<(Issued, String)>, Failure> {
    let directory = job.cx.settings()?.tls_directory;
    let authority = match certificates {
        Certificates::Make => Some(Authority::open_or_create(&directory)?),
        Certificates::Find => Authority::open(&directory)?,
    };
    let Some(authority) = authority else { return Ok(None) };
    let names = authority::names(node.get("ip").into_iter().chain([node.name()]));
    let (name, subject) = (format!("etcd-{}", node.name()), Subject { names, purpose: Purpose::Peer });
    let issued = match certificates {
        Certificates::Make => Some(authority.keep(&name, &subject, LIFETIME)?),
        Certificates::Find => authority.find(&name, &subject)?,
    };
    Ok(issued.map(|issued| (issued, authority.certificate().to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(numbers: &[u8]) -> Vec<Member> {
        let member = |number: &u8| Member { node: format!("h{number}"), address: [10, 0, 0, *number].into() };
        numbers.iter().map(member).collect()
    }

    fn document(targets: &[(&str, Value)]) -> Document {
        let mut document: Document = serde_json::from_str(r#"{"name":"etcd","labels":{}}"#).unwrap();
        targets.iter().for_each(|(name, said)| document.remember(name, said.clone()));
        document
    }

    #[test]
    fn nobody_leaves_while_somebody_joins() {
        let nodes = |names: &[&str]| names.iter().map(|name| Node::new(name, [].into(), None)).collect::<Vec<_>>();
        let check = |wanted: &[&str], present: &[&str], expected: &[&str]| {
            let all: Vec<String> =
                together(nodes(wanted), nodes(present)).iter().map(|node| node.name().to_owned()).collect();
            assert_eq!(all, expected);
        };
        check(&["h2", "h1"], &[], &["h1", "h2"]);
        check(&["h2", "h3", "h4"], &["h1", "h2", "h3"], &["h1", "h2", "h3", "h4"]);
        check(&["h2", "h3", "h4"], &["h1", "h2", "h3", "h4"], &["h2", "h3", "h4"]);
    }

    fn founder() -> Value {
        json!({ "cluster": "h1=a,h2=b,h3=c", "joined": false })
    }

    #[test]
    fn the_first_ones_found_it_also_those_that_come_late() {
        let all = members(&[1, 2, 3]);
        assert_eq!(entry(&all[1], &all, None, &Value::Null), Entry::Founds(all.clone()));
        let known = document(&[("h1", founder())]);
        let late = Entry::Is { cluster: "h1=a,h2=b,h3=c".into(), joined: false };
        assert_eq!(entry(&all[1], &all, Some(&known), &Value::Null), late);
        assert_eq!(entry(&all[0], &all, Some(&known), known.of("h1")), late);
    }

    #[test]
    fn later_ones_join_those_that_are_there_and_those_before_them() {
        let all = members(&[1, 2, 3, 4, 5]);
        let known = document(&[("h1", founder()), ("h2", founder()), ("h3", founder())]);
        let joins = |own: usize, others: &[u8]| {
            assert_eq!(entry(&all[own], &all, Some(&known), &Value::Null), Entry::Joins(members(others)));
        };
        joins(3, &[1, 2, 3]);
        joins(4, &[1, 2, 3, 4]);
        // Who was a founder, and left, comes back as anybody else.
        let left = document(&[("h1", founder()), ("h2", founder()), ("h3", json!({ "left": true }))]);
        let three = members(&[1, 2, 3]);
        assert_eq!(entry(&three[2], &three, Some(&left), left.of("h3")), Entry::Joins(members(&[1, 2])));
        assert_eq!(members_of(&left).len(), 2);
    }
}
