//! `lsnet`: the networks that hosts carry, and how they stand there.

use std::collections::BTreeMap;

use clap::Args;
use plugins::networks::Network;
use serde_json::json;
use tables::Node;
use tables::noderange::fold;

use super::{Run, Shape};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::names::names;
use crate::network::{self, Made, Standing, Task, Work};
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};

/// List networks, or how networks stand on their hosts
#[derive(Debug, Args)]
#[command(
    after_help = "Without names the tables answer: what is defined and where it was made. With names every host is asked: made, missing,
differs (with what mknet would do) or left over from a definition that has changed.

Examples:
  lsnet
  lsnet blue -b              hosts in the same state in one line
  lsnet blue -l              with the containers on it"
)]
pub(crate) struct Lsnet {
    /// The networks, by comma
    #[arg(value_name = "NETWORKS")]
    networks: Option<String>,
    /// Also the containers that are on it
    #[arg(short, long, requires = "networks")]
    long: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Lsnet {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let named = self.networks.as_deref().map(|list| names(list, "network")).transpose()?;
        let made = network::made(cx, |name| named.iter().flatten().any(|meant| meant == name))?;
        match named {
            None => self.list(cx, &made),
            Some(names) => self.ask(cx, &names, &made).await,
        }
    }
}

impl Lsnet {
    /// What the tables say.
    fn list(&self, cx: &Context, made: &BTreeMap<String, Made>) -> Result<Outcome, Failure> {
        let tables = cx.tables()?;
        let mut names = network::names(tables)?;
        names.extend(made.keys().cloned());
        names.sort_unstable();
        names.dedup();
        let mut outcome = Outcome::Done;
        for name in names {
            let body = match (network::is_defined(tables, &name)?, made.get(&name)) {
                (true, made) => match network::defined(tables, &name) {
                    Ok(defined) => Body::Answer(described(&defined.network, made)),
                    Err(failure) => {
                        outcome = Outcome::SomeFailed;
                        Body::Error(failure.message)
                    }
                },
                (false, made) => Body::Warning(format!("not defined any more, but made on {}", hosts(made))),
            };
            cx.ui.reply(self.shape.format(), Reply { node: Some(name), body });
        }
        cx.ui.finish_folding();
        Ok(outcome)
    }

    /// What the hosts say.
    async fn ask(&self, cx: &Context, names: &[String], made: &BTreeMap<String, Made>) -> Result<Outcome, Failure> {
        let mut work = Work::default();
        for name in names {
            add(cx, &mut work, name, made.get(name))?;
        }
        let backends = cx.backends()?;
        let question = async |node: Node| {
            let mut answer = Answer::default();
            let mut data = Vec::new();
            for task in work.of(&node) {
                let standing =
                    network::stand(backends, &node, task).await.map_err(|failure| failure.after(answer.clone()))?;
                answer.lines.extend(self.lines(&standing));
                data.push(json!(standing));
            }
            answer.data = Some(data.into());
            Ok(answer)
        };
        Ok(cx.each(work.nodes(), Manner::from(&self.shape), question).await.into())
    }

    fn lines(&self, standing: &Standing) -> Vec<String> {
        let Standing { network, state, differences, containers } = standing;
        let mut lines = vec![match differences.as_slice() {
            [] => format!("{network}: {state}"),
            differences => format!("{network}: {state}: {}", differences.join("; ")),
        }];
        if self.long && !containers.is_empty() {
            lines.push(format!("{network}: with {}", fold(containers)));
        }
        lines
    }
}

/// What is to be asked of a network: hosts that carry it, and hosts that should no longer.
fn add(cx: &Context, work: &mut Work, name: &str, made: Option<&Made>) -> Result<(), Failure> {
    let nothing = Made::new();
    let made = made.unwrap_or(&nothing);
    let mut left: Vec<&String> = made.keys().collect();
    match network::defined(cx.tables()?, name) {
        Ok(defined) => {
            let network = network::settle(&defined, Some(made), &BTreeMap::new());
            for host in &defined.hosts {
                let was = made.get(host.name()).cloned().map(Box::new);
                work.add(host, Task::Carry { network: network.clone(), was, install: false });
            }
            left.retain(|host| !network.members.iter().any(|member| member.host == **host));
        }
        Err(failure) if made.is_empty() => return Err(network::named(name, failure)),
        Err(_) => (),
    }
    left.into_iter().try_for_each(|host| work.leave(cx, host, &made[host], true))
}

fn described(network: &Network, made: Option<&Made>) -> Answer {
    let members: Vec<String> = network.members.iter().map(|member| member.host.clone()).collect();
    let made_on: Vec<&String> = made.into_iter().flat_map(BTreeMap::keys).collect();
    let line =
        format!("{} {} hosts {}, made on {}", network.driver.word(), network.subnet, fold(&members), hosts(made));
    let data = json!({ "network": network, "made": made_on });
    Answer { data: Some(data), ..Answer::line(line) }
}

fn hosts(made: Option<&Made>) -> String {
    let hosts: Vec<String> = made.into_iter().flat_map(BTreeMap::keys).cloned().collect();
    if hosts.is_empty() { "none".into() } else { fold(&hosts) }
}
