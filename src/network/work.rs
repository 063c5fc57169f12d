//! What mknet and rmnet share: looking at all hosts before the first is changed, showing what would be done, doing it.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugins::networks::Network;
use serde_json::Value;
use tables::Node;

use super::record;
use super::task::{self, Deed, Task};
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::look::Seen;
use crate::outcome::Outcome;
use crate::progress::Bars;
use crate::reply::{Answer, Body, Reply};
use crate::ui::Format;

/// What becomes of networks, host by host.
#[derive(Debug, Default)]
pub(crate) struct Work {
    hosts: BTreeMap<String, (Node, Vec<Task>)>,
    /// Hosts that are no nodes any more, with the networks that were made on them.
    lost: Vec<(String, String)>,
}

/// What is to be done on the hosts that could be looked at.
#[derive(Debug)]
pub(crate) struct Deeds {
    seen: Seen<(Node, Vec<Deed>)>,
    lost: Vec<(String, String)>,
}

impl Work {
    pub(crate) fn add(&mut self, node: &Node, task: Task) {
        self.hosts.entry(node.name().to_owned()).or_insert_with(|| (node.clone(), Vec::new())).1.push(task);
    }

    /// The names of the hosts that have something to be done.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(String::as_str)
    }

    /// Takes a network away from a host that has it. A host that is no node any more cannot be asked, which is said.
    pub(crate) fn leave(&mut self, cx: &Context, host: &str, was: &Network, force: bool) -> Result<(), Failure> {
        match cx.tables()?.resolve(&[host.to_owned()]) {
            Ok(nodes) => nodes.iter().for_each(|node| self.add(node, Task::Leave { was: was.clone(), force })),
            Err(tables::Error::InvalidNames { .. }) => {
                let name = &was.name;
                cx.ui.warning(&format!("{host} is no node any more; what it has of network {name} stays there"));
                self.lost.push((host.to_owned(), name.clone()));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    pub(crate) fn nodes(&self) -> Vec<Node> {
        self.hosts.values().map(|(node, _)| node.clone()).collect()
    }

    pub(crate) fn of(&self, node: &Node) -> &[Task] {
        self.hosts.get(node.name()).map(|(_, tasks)| tasks.as_slice()).unwrap_or_default()
    }
}

impl Deeds {
    /// How `--plan` ends.
    pub(crate) fn outcome(&self) -> Outcome {
        self.seen.outcome_if(|(_, deeds)| deeds.iter().any(|deed| !deed.is_nothing()))
    }

    /// Whether no host is looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.seen.ready.is_empty()
    }

    /// How the looking ended; a host that could not be reached has said so.
    pub(crate) fn looked(&self) -> Outcome {
        self.seen.looked
    }

    /// Each thing that would be done, with its host and its network.
    pub(crate) fn lines(&self) -> Vec<String> {
        let open = self.seen.ready.iter().flat_map(|(host, (_, deeds))| deeds.iter().map(move |deed| (host, deed)));
        let open = open.filter(|(_, deed)| !deed.is_nothing());
        open.map(|(host, deed)| format!("{host}: {}: {}", deed.task.network().name, deed.lines().join("\n    ")))
            .collect()
    }
}

impl Context {
    /// Looks at every host for what is to be done there. `before` is how the questions before that ended.
    pub(crate) async fn plan_networks(&self, work: Work, before: Outcome, manner: Manner) -> Result<Deeds, Failure> {
        let backends = self.backends()?;
        let ask = async |node: Node| {
            let mut deeds = Vec::new();
            for task in work.of(&node) {
                deeds.push(task::plan(backends, &node, task).await?);
            }
            Ok((node, deeds))
        };
        let seen = self.look_at(work.nodes(), manner, ask).await?;
        led(&seen.ready)?;
        Ok(Deeds { seen: Seen { looked: before.and(seen.looked), ..seen }, lost: work.lost })
    }

    /// Shows what would be done; equal hosts fold into one.
    pub(crate) fn show_networks(&self, deeds: &Deeds, format: Format) {
        for (name, (_, deeds)) in &deeds.seen.ready {
            let lines = |deed: &Deed| {
                let lines = if deed.is_nothing() { vec![deed.word().to_owned()] } else { deed.lines() };
                lines.into_iter().map(|line| format!("{}: {line}", deed.task.network().name)).collect::<Vec<_>>()
            };
            let answer = Answer {
                lines: deeds.iter().flat_map(lines).collect(),
                data: Some(deeds.iter().map(Deed::data).collect::<Vec<Value>>().into()),
                ..Answer::default()
            };
            self.ui.reply(format, Reply { node: Some(name.clone()), body: Body::Answer(answer) });
        }
        self.ui.finish_folding();
    }

    /// Does it on all hosts at once, and says of each what became of it. What is to be there is noted before and what is
    /// gone after it, so that nothing is forgotten at whatever moment the program is killed.
    pub(crate) async fn do_networks(&self, deeds: Deeds, manner: Manner) -> Result<Outcome, Failure> {
        let hosts = &deeds.seen.ready;
        let nodes = hosts.values().map(|(node, _)| node.clone()).collect();
        let bars = Arc::new(Bars::new(self.ui.clone()));
        self.tables()?.edit(&self.origin(None), |edit| {
            let all = hosts.iter().flat_map(|(host, (_, deeds))| deeds.iter().map(move |deed| (host, deed)));
            let mut in_place = all.filter(|(_, deed)| deed.comes_in_place());
            in_place.try_for_each(|(host, deed)| record::remember(edit, host, deed.task.network()))?;
            deeds.lost.iter().try_for_each(|(host, network)| record::forget(edit, host, network))
        })?;
        let ask = async |node: Node| {
            let deeds = hosts.get(node.name()).map(|(_, deeds)| deeds.as_slice()).unwrap_or_default();
            let mut answer = Answer::default();
            let mut data = Vec::with_capacity(deeds.len());
            for deed in deeds {
                self.do_network(&node, deed, &bars).await.map_err(|failure| failure.after(answer.clone()))?;
                answer.lines.push(format!("{}: {}", deed.task.network().name, deed.word()));
                data.push(deed.data());
                answer.data = Some(data.clone().into());
            }
            Ok(answer)
        };
        let ended = self.each(nodes, manner, ask).await;
        Ok(Outcome::from(ended).and(deeds.seen.looked))
    }

    async fn do_network(&self, node: &Node, deed: &Deed, bars: &Arc<Bars>) -> Result<(), Failure> {
        task::carry_out(self.backends()?, node, deed, bars).await?;
        let (host, network) = (node.name(), deed.task.network());
        match &deed.task {
            Task::Carry { .. } if deed.comes_in_place() => Ok(()),
            Task::Carry { .. } => {
                Ok(self.tables()?.edit(&self.origin(None), |edit| record::remember(edit, host, network))?)
            }
            Task::Leave { .. } => {
                Ok(self.tables()?.edit(&self.origin(None), |edit| record::forget(edit, host, &network.name))?)
            }
        }
    }
}

/// Refuses a network whose hosts all wait for another one to make it.
fn led(hosts: &BTreeMap<String, (Node, Vec<Deed>)>) -> Result<(), Failure> {
    let mut followed = BTreeMap::new();
    for deed in hosts.values().flat_map(|(_, deeds)| deeds) {
        *followed.entry(&deed.task.network().name).or_insert(true) &= deed.follows();
    }
    let Some((name, _)) = followed.into_iter().find(|(_, followed)| *followed) else { return Ok(()) };
    let why = format!("nothing was done: {name}: none of its hosts is a manager of their swarm");
    Err(Failure::refused(why).hint("take one into attribute hosts; docker node ls names them"))
}
