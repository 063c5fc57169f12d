//! `chknet`: prove that networks work, or name the broken link and its likely cause.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use clap::Args;
use plugins::networks::proof::{self, Answers, Judged, Plan, Samples};
use plugins::networks::survey::{Attached, Survey};
use tables::Node;
use tables::definitions::words;

use super::Run;
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::{DEFAULT_FANOUT, Ended, Interrupted, Manner};
use crate::names::names;
use crate::network::{self, Defined, Made, links};
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// Prove that networks work: who reaches whom, and the cause where not
#[derive(Debug, Args)]
#[command(
    after_help = "Every pair of hosts and pairs of running containers are asked by ping with packets as large as the network's MTU, which
nobody may break up. Forwarding entries, bridges, packet filters, MTUs and addresses that somebody else has are looked
at too. A container's probes are sent from its host, within its network: its image needs no ping. Exit code 1 when
anything is wrong.

A noderange picks the hosts, or the guests, whose networks are proved; of guests only their own links. A name that is
both a network's and a node's is the network's.

Examples:
  chknet blue                all of network blue
  chknet h[1-4]              the networks of these hosts, between them
  chknet c[1-8] --all        every pair of these guests
  chknet blue --mtu 1400     would smaller packets pass?"
)]
pub(crate) struct Chknet {
    /// Networks by comma, or hosts and guests
    #[arg(value_name = "NETWORKS|NODERANGE")]
    what: String,
    /// Ask every pair of containers
    #[arg(long, conflicts_with = "samples")]
    all: bool,
    /// Pairs of containers for each pair of hosts; each container is asked at least once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    samples: u16,
    /// The greatest packet to try, instead of the network's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(68..=65_535))]
    mtu: Option<u32>,
    /// Print one JSON object a link
    #[arg(long)]
    json: bool,
}

/// A network, and what of it is to be proved.
struct Wanted {
    defined: Defined,
    hosts: Vec<Node>,
    /// Hosts all of whose containers are meant; on others these guests are.
    whole: BTreeSet<String>,
    guests: BTreeSet<String>,
}

/// What the hosts have said: facts, and who is in which network.
type Told = BTreeMap<String, (Survey, BTreeMap<String, Vec<Attached>>)>;

impl Run for Chknet {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let format = if self.json { Format::Json } else { Format::Lines };
        let manner = Manner { format, fanout: DEFAULT_FANOUT, interrupted: Interrupted::Leave };
        let wanted = self.wanted(cx, format)?;
        let (told, looked) = look(cx, &wanted, manner).await?;
        let mut outcome = Outcome::from(looked);
        let made = network::made(cx, |name| wanted.iter().any(|wanted| wanted.defined.network.name == name))?;
        for wanted in &wanted {
            let plan = self.plan(wanted, made.get(&wanted.defined.network.name), &told);
            if is_too_much(cx, &plan) {
                outcome = outcome.and(Outcome::SomeFailed);
                continue;
            }
            let (answers, asked) = ask(cx, wanted, &plan, manner).await?;
            let judged = proof::judge(&plan, &answers);
            show(cx, format, &plan, &judged, &answers);
            outcome = outcome.and(asked.into());
            if !is_well(&judged) {
                outcome = outcome.and(Outcome::SomeFailed);
            }
        }
        Ok(outcome)
    }
}

impl Chknet {
    /// The networks of these names, else those that the nodes of a range are on.
    fn wanted(&self, cx: &Context, format: Format) -> Result<Vec<Wanted>, Failure> {
        let tables = cx.tables()?;
        let known = network::names(tables)?;
        let named = names(&self.what, "network or node")?;
        if named.iter().all(|name| known.contains(name)) {
            let whole = |defined: Defined| {
                let whole = defined.hosts.iter().map(|host| host.name().to_owned()).collect();
                Wanted { hosts: defined.hosts.clone(), whole, guests: BTreeSet::new(), defined }
            };
            return Ok(cx.networks(tables, format, &named)?.into_iter().map(whole).collect());
        }
        let nodes = cx.nodes(&self.what)?;
        let mut wanted = Vec::new();
        for name in &known {
            match network::defined(tables, name) {
                Ok(defined) => wanted.extend(of_nodes(defined, &nodes)),
                // Nobody has named it; it may have nothing to do with these nodes.
                Err(failure) => cx.ui.warning(&format!("passed over: {}", network::named(name, failure).message)),
            }
        }
        if wanted.is_empty() {
            return Err(Failure::refused(format!(
                "no network is carried by hosts, or used by guests, of '{}'",
                self.what
            ))
            .hint("list the networks with: lsnet"));
        }
        Ok(wanted)
    }

    fn plan(&self, wanted: &Wanted, made: Option<&Made>, told: &Told) -> Plan {
        let name = &wanted.defined.network.name;
        let network = network::settle(&wanted.defined, made, &BTreeMap::new());
        let hosts = wanted.hosts.iter().filter_map(|host| Some((host.name().to_owned(), told.get(host.name())?)));
        let (mut surveys, mut attached) = (BTreeMap::new(), BTreeMap::new());
        for (host, (survey, networks)) in hosts {
            let found = networks.get(name).into_iter().flatten();
            let meant = found.filter(|found| wanted.whole.contains(&host) || wanted.guests.contains(&found.container));
            attached.insert(host.clone(), meant.cloned().collect());
            surveys.insert(host, survey.clone());
        }
        let samples = if self.all { Samples::All } else { Samples::Some(self.samples.into()) };
        proof::plan(network, surveys, &attached, (samples, self.mtu))
    }
}

/// None where none of the nodes has to do with the network.
fn of_nodes(defined: Defined, nodes: &[Node]) -> Option<Wanted> {
    let names: BTreeSet<&str> = nodes.iter().map(Node::name).collect();
    let network = &defined.network.name;
    let is_on = |node: &&Node| node.get("vmnics").is_some_and(|nics| words(nics).any(|nic| nic == network));
    let guests: Vec<&Node> = nodes.iter().filter(is_on).collect();
    let carriers: BTreeSet<&str> = guests.iter().filter_map(|guest| guest.get("vmhost")).collect();
    let whole: BTreeSet<String> =
        defined.hosts.iter().map(Node::name).filter(|host| names.contains(host)).map(str::to_owned).collect();
    let meant = |host: &&Node| whole.contains(host.name()) || carriers.contains(host.name());
    let hosts: Vec<Node> = defined.hosts.iter().filter(meant).cloned().collect();
    let guests = guests.iter().map(|guest| guest.name().to_owned()).collect();
    (!hosts.is_empty()).then_some(Wanted { hosts, whole, guests, defined })
}

/// Asks all hosts for facts; one that fails says so once and is left out.
async fn look(cx: &Context, wanted: &[Wanted], manner: Manner) -> Result<(Told, Ended), Failure> {
    let backends = cx.backends()?;
    let hosts: BTreeMap<&str, &Node> =
        wanted.iter().flat_map(|wanted| &wanted.hosts).map(|host| (host.name(), host)).collect();
    let nodes: Vec<Node> = hosts.into_values().cloned().collect();
    let told = Mutex::new(Told::new());
    let question = async |node: Node| {
        let survey = backends.survey(&node).await?;
        let mut networks = BTreeMap::new();
        for wanted in wanted.iter().filter(|wanted| wanted.hosts.iter().any(|host| host.name() == node.name())) {
            let name = &wanted.defined.network.name;
            networks.insert(name.clone(), backends.attached(&node, name).await?);
        }
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(node.name().to_owned(), (survey, networks));
        Ok(Answer::silent())
    };
    let ended = cx.each(nodes, manner, question).await;
    Ok((told.into_inner().unwrap_or_else(PoisonError::into_inner), ended))
}

/// Lets every host send its probes.
async fn ask(
    cx: &Context,
    wanted: &Wanted,
    plan: &Plan,
    manner: Manner,
) -> Result<(BTreeMap<String, Answers>, Ended), Failure> {
    let backends = cx.backends()?;
    let nodes = wanted.hosts.iter().filter(|host| plan.surveys.contains_key(host.name())).cloned().collect();
    let answers = Mutex::new(BTreeMap::new());
    let question = async |node: Node| {
        let found = proof::ask(&backends.host(&node).await?, node.name(), plan).await?;
        answers.lock().unwrap_or_else(PoisonError::into_inner).insert(node.name().to_owned(), found);
        Ok(Answer::silent())
    };
    let ended = cx.each(nodes, manner, question).await;
    Ok((answers.into_inner().unwrap_or_else(PoisonError::into_inner), ended))
}

/// Whether the probes would fill tables of neighbours, which everything else on the hosts needs too; then nobody is asked.
fn is_too_much(cx: &Context, plan: &Plan) -> bool {
    let (network, crowded) = (&plan.network.name, proof::crowded(plan));
    for one in &crowded {
        let failure = Failure::refused(format!(
            "{network}: nobody was asked: the table of neighbours of {} holds {}, and the probes would put {} into it",
            one.hosts, one.limit, one.needed
        ));
        cx.ui.failure(&failure.hint(&one.mend).hint("or ask less: --samples 1, or fewer hosts or guests"));
    }
    !crowded.is_empty()
}

fn show(cx: &Context, format: Format, plan: &Plan, judged: &Judged, answers: &BTreeMap<String, Answers>) {
    let reply = |node: &str, answer: Answer| {
        cx.ui.reply(format, Reply { node: Some(node.to_owned()), body: Body::Answer(answer) });
    };
    match format {
        Format::Json => links::objects(plan, judged).into_iter().for_each(|(node, answer)| reply(&node, answer)),
        Format::Lines | Format::Folded => {
            reply(&plan.network.name, Answer { lines: links::lines(plan, judged), ..Answer::default() });
        }
    }
    let without = answers.iter().filter(|(_, answers)| !answers.lacks.is_empty()).map(|(host, _)| host.clone());
    let without: Vec<String> = without.collect();
    if !without.is_empty() {
        let hosts = tables::noderange::fold(&without);
        cx.ui.warning(&format!(
            "{hosts} cannot look for addresses that are used twice: there is no arping (Debian: iputils-arping)"
        ));
    }
}

fn is_well(judged: &Judged) -> bool {
    judged.unasked.is_empty() && judged.faults.is_empty() && judged.links.iter().all(|link| link.cause.is_none())
}
