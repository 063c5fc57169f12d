//! What becomes of networks on the hosts that carry them, and on those that did: what mknet and module network share.

use std::collections::BTreeMap;

use plugins::networks::survey::Survey;
use plugins::networks::{self, Uplink};
use tables::Node;

use super::work::Deeds;
use super::{Defined, Made, Task, Work, check_mtu, made, settle, site};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;

/// What the hosts have said of their uplinks: by network and host.
type Uplinks = BTreeMap<String, BTreeMap<String, Uplink>>;

/// What the hosts that could be reached have said.
#[derive(Debug, Default)]
struct Answers {
    uplinks: Uplinks,
    reached: BTreeMap<String, Survey>,
}

/// Looks at all hosts of these networks for what is to be done there; `install` lets packages be installed.
pub(crate) async fn deeds(cx: &Context, defined: &[Defined], install: bool, manner: Manner) -> Result<Deeds, Failure> {
    let made = made(cx, |name| defined.iter().any(|defined| defined.network.name == name))?;
    let (answers, asked) = ask(cx, defined, manner).await?;
    let work = work(cx, defined, install, &made, &answers)?;
    cx.plan_networks(work, asked, manner).await
}

fn work(
    cx: &Context,
    defined: &[Defined],
    install: bool,
    made: &BTreeMap<String, Made>,
    answers: &Answers,
) -> Result<Work, Failure> {
    let mut work = Work::default();
    for defined in defined {
        let name = &defined.network.name;
        let (made, nothing) = (made.get(name), BTreeMap::new());
        let uplinks = answers.uplinks.get(name).unwrap_or(&nothing);
        let network = settle(defined, made, uplinks);
        site::check(cx.tables()?, &network, &answers.reached)?;
        for host in defined.hosts.iter().filter(|host| answers.reached.contains_key(host.name())) {
            if let Some(why) = networks::unfit(&network, &answers.reached[host.name()]) {
                let what = format!("nothing was done: {name} on {}: {why}", host.name());
                return Err(Failure::refused(what));
            }
            check_mtu(&network, host.name(), uplinks.get(host.name()))?;
            let was = made.and_then(|made| made.get(host.name())).cloned().map(Box::new);
            work.add(host, Task::Carry { network: network.clone(), was, install });
        }
        let stays = |host: &str| network.members.iter().any(|member| member.host == host);
        for (host, was) in made.into_iter().flatten().filter(|(host, _)| !stays(host)) {
            work.leave(cx, host, was, false)?;
        }
    }
    Ok(work)
}

/// Asks all hosts of their uplinks, which shows who answers; networks without a way to another host have none.
async fn ask(cx: &Context, defined: &[Defined], manner: Manner) -> Result<(Answers, Outcome), Failure> {
    let backends = cx.backends()?;
    let mut hosts: BTreeMap<&str, &Node> = BTreeMap::new();
    hosts.extend(defined.iter().flat_map(|defined| &defined.hosts).map(|host| (host.name(), host)));
    let nodes = hosts.into_values().cloned().collect();
    let question = async |node: Node| {
        let survey = backends.survey(&node).await?;
        let host = backends.host(&node).await?;
        let mut found = Vec::new();
        for Defined { network, .. } in defined {
            let Some(member) = network.members.iter().find(|member| member.host == node.name()) else { continue };
            found.push((network.name.clone(), networks::uplink(&host, network, member).await?));
        }
        Ok((survey, found))
    };
    let seen = cx.look_at(nodes, manner, question).await?;
    let mut answers = Answers::default();
    for (host, (survey, found)) in seen.ready {
        for (network, uplink) in found {
            answers.uplinks.entry(network).or_default().extend(uplink.map(|uplink| (host.clone(), uplink)));
        }
        answers.reached.insert(host, survey);
    }
    Ok((answers, seen.looked))
}
