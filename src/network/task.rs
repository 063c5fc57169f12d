//! One network on one host: what is to be done there, and doing it.

use std::sync::Arc;

use plugins::networks::{self, EngineNetwork, EngineStep, Member, Network, Present};
use plugins::setup::{self, Observed, Step, Thing};
use plugins::{Backends, Event, Host, Progress};
use serde::Serialize;
use serde_json::{Value, json};
use tables::Node;

use crate::failure::Failure;
use crate::progress::Bars;

/// What becomes of a network on a host.
#[derive(Debug, Clone)]
pub(crate) enum Task {
    /// It is carried; `was` is what was made there before.
    Carry { network: Network, was: Option<Network> },
    /// It goes; `force` takes containers off it first.
    Leave { was: Network, force: bool },
}

/// What carries out a task; nothing of it has happened yet.
#[derive(Debug, Clone)]
pub(crate) struct Deed {
    pub(crate) task: Task,
    /// Takes away what was made in another way.
    before: Vec<Step>,
    steps: Vec<Step>,
    engine: Option<EngineStep>,
    /// Those that are on the network.
    containers: Vec<String>,
}

/// How a network stands on a host.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Standing {
    pub(crate) network: String,
    pub(crate) state: &'static str,
    /// What would be done about it.
    pub(crate) differences: Vec<String>,
    pub(crate) containers: Vec<String>,
}

impl Task {
    /// The network as it is to be, or as it was.
    pub(crate) fn network(&self) -> &Network {
        match self {
            Self::Carry { network, .. } => network,
            Self::Leave { was, .. } => was,
        }
    }
}

impl Deed {
    /// Whether the host is as it should be already.
    pub(crate) fn is_nothing(&self) -> bool {
        self.before.is_empty() && self.steps.is_empty() && self.engine.is_none()
    }

    /// Whether what is there, if anything, is brought in step where it stands.
    pub(crate) fn comes_in_place(&self) -> bool {
        matches!(self.task, Task::Carry { .. }) && self.before.is_empty()
    }

    /// What was done, in a word.
    pub(crate) fn word(&self) -> &'static str {
        match (&self.task, self.engine) {
            (Task::Carry { .. }, _) if self.is_nothing() => "unchanged",
            (Task::Carry { .. }, Some(EngineStep::Make)) => "made",
            (Task::Carry { .. }, _) => "changed",
            (Task::Leave { .. }, _) => "removed",
        }
    }

    /// Each step in a line, with the lines of files that change below it.
    pub(crate) fn lines(&self) -> Vec<String> {
        let engine_first = matches!(self.engine, Some(EngineStep::Remove | EngineStep::MakeAnew));
        let mut lines: Vec<String> = Vec::new();
        lines.extend(self.engine.filter(|_| engine_first).map(|_| self.engine_line(EngineStep::Remove)));
        for step in self.before.iter().chain(&self.steps) {
            lines.push(step.title());
            lines.extend(step.diff().iter().flat_map(|diff| diff.lines()).map(|line| format!("    {line}")));
        }
        let makes = self.engine.filter(|step| *step != EngineStep::Remove);
        lines.extend(makes.map(|_| self.engine_line(EngineStep::Make)));
        lines
    }

    /// The same for scripts.
    pub(crate) fn data(&self) -> Value {
        let steps = self.before.iter().chain(&self.steps);
        let steps: Vec<Value> = steps.map(|step| json!({ "do": step.title(), "diff": step.diff() })).collect();
        let engine = self.engine.map(|step| self.engine_line(step));
        json!({ "network": self.task.network().name, "state": self.word(), "steps": steps, "engine": engine })
    }

    fn engine_line(&self, step: EngineStep) -> String {
        let network = self.task.network();
        match step {
            EngineStep::Make => format!("make the engine's network: {}, mtu {}", network.subnet, network.mtu),
            EngineStep::MakeAnew => format!("make the engine's network anew: {}, mtu {}", network.subnet, network.mtu),
            EngineStep::Remove => "remove the engine's network".to_owned(),
        }
    }
}

/// How a network stands on a host, seen by what is to be done there.
pub(crate) async fn stand(backends: &Backends, node: &Node, task: &Task) -> Result<Standing, Failure> {
    let deed = plan(backends, node, task).await?;
    let titles = || deed.lines().into_iter().filter(|line| !line.starts_with(' ')).collect();
    let (state, differences) = match (task, deed.engine) {
        (Task::Carry { .. }, _) if deed.is_nothing() => ("made", Vec::new()),
        (Task::Carry { was: None, .. }, Some(EngineStep::Make)) => ("missing", Vec::new()),
        (Task::Carry { .. }, _) => ("differs", titles()),
        (Task::Leave { .. }, _) if deed.is_nothing() => ("gone", Vec::new()),
        (Task::Leave { .. }, _) => ("left over", titles()),
    };
    Ok(Standing { network: task.network().name.clone(), state, differences, containers: deed.containers })
}

/// Looks at a host and says what is to be done there; refuses what cannot be.
pub(crate) async fn plan(backends: &Backends, node: &Node, task: &Task) -> Result<Deed, Failure> {
    let host = backends.host(node).await?;
    match task {
        Task::Carry { network, was } => {
            let before = match was.as_ref().filter(|was| !is_built_alike(was, network)) {
                Some(was) => steps(&host, &networks::unwanted(was, member(was, node)?)?).await?,
                None => Vec::new(),
            };
            let steps = steps_to_carry(&host, node, network, before.is_empty()).await?;
            let present = find(backends, node, network).await?;
            let engine = networks::engine_step(present.as_ref());
            let engine = engine.map_err(|why| Failure::refused(format!("{}: {why}", network.name)))?;
            Ok(Deed { task: task.clone(), before, steps, engine, containers: containers(present) })
        }
        Task::Leave { was, force } => {
            let present = find(backends, node, was).await?.filter(|present| present.ours);
            let engine = present.as_ref().map(|_| EngineStep::Remove);
            let containers = containers(present);
            if !containers.is_empty() && !force {
                let why = format!("{}: containers are on it: {}", was.name, containers.join(", "));
                return Err(Failure::refused(why).hint("remove them with rmvm, or let them lose it with: rmnet -f"));
            }
            let steps = steps(&host, &networks::unwanted(was, member(was, node)?)?).await?;
            Ok(Deed { task: task.clone(), before: Vec::new(), steps, engine, containers })
        }
    }
}

/// What is there now counts only where it is brought in step in place.
async fn steps_to_carry(host: &Host, node: &Node, network: &Network, in_place: bool) -> Result<Vec<Step>, Failure> {
    let wanted = networks::wanted(network, member(network, node)?)?;
    let observed = setup::observe(host, &wanted).await?;
    match networks::lacks(network, &observed) {
        Some(why) => Err(Failure::refused(format!("{}: {why}", network.name))),
        None if in_place => Ok(setup::plan(&wanted, &observed)),
        None => Ok(setup::plan(&wanted, &Observed::default())),
    }
}

async fn find(backends: &Backends, node: &Node, network: &Network) -> Result<Option<Present>, Failure> {
    let told = networks::engine_network(network, member(network, node)?)?;
    Ok(backends.networks_on(node)?.find(node, &told).await?)
}

fn containers(present: Option<Present>) -> Vec<String> {
    present.map(|present| present.containers).unwrap_or_default()
}

/// Carries a deed out: the engine lets go of what is taken away under it, and is told last of what is made.
pub(crate) async fn carry_out(backends: &Backends, node: &Node, deed: &Deed, bars: &Arc<Bars>) -> Result<(), Failure> {
    if deed.is_nothing() {
        return Ok(());
    }
    let (bars, name) = (bars.clone(), node.name().to_owned());
    let progress = Progress::new(move |event: Event| bars.show(event.of(&name)));
    let host = backends.host(node).await?;
    let engine = backends.networks_on(node)?;
    let network = deed.task.network();
    if matches!(deed.engine, Some(EngineStep::Remove | EngineStep::MakeAnew)) {
        engine.remove(node, &network.name, matches!(deed.task, Task::Leave { force: true, .. })).await?;
    }
    setup::carry_out(&host, &deed.before, &progress).await?;
    match &deed.task {
        Task::Leave { .. } => Ok(setup::carry_out(&host, &deed.steps, &progress).await?),
        Task::Carry { network, .. } => {
            let told = make(&host, node, network, deed, &progress).await?;
            if deed.engine.is_some() {
                engine.make(node, &told).await?;
            }
            Ok(())
        }
    }
}

/// Makes what the engine is to find; returns what it is told.
async fn make(
    host: &Host,
    node: &Node,
    network: &Network,
    deed: &Deed,
    progress: &Progress,
) -> Result<EngineNetwork, Failure> {
    let member = member(network, node)?;
    if deed.before.is_empty() {
        setup::carry_out(host, &deed.steps, progress).await?;
    } else {
        let left = steps(host, &networks::wanted(network, member)?).await?;
        setup::carry_out(host, &left, progress).await?;
    }
    Ok(networks::engine_network(network, member)?)
}

fn member<'n>(network: &'n Network, node: &Node) -> Result<&'n Member, Failure> {
    let found = network.members.iter().find(|member| member.host == node.name());
    found.ok_or_else(|| Failure::refused(format!("{}: {} is not among its hosts", network.name, node.name())))
}

async fn steps(host: &Host, things: &[Thing]) -> Result<Vec<Step>, Failure> {
    Ok(setup::plan(things, &setup::observe(host, things).await?))
}

/// Whether what carries a network can be brought in step where it stands.
fn is_built_alike(one: &Network, other: &Network) -> bool {
    one.driver == other.driver
        && (one.vlan, one.vni, &one.hub, &one.uplink) == (other.vlan, other.vni, &other.hub, &other.uplink)
        && lasting(one).eq(lasting(other))
        && one.subnet.is_ipv4() == other.subnet.is_ipv4()
}

/// Options of what is there; leave to install is none of these.
fn lasting(network: &Network) -> impl Iterator<Item = (&String, &String)> {
    network.options.iter().filter(|(name, _)| *name != "install")
}
