//! One network on one host: what is to be done there, and doing it.

use std::sync::Arc;

use plugins::networks::{self, EngineNetwork, EngineStep, Member, Network, Present, SwarmRole};
use plugins::setup::{self, Observed, Step, Thing};
use plugins::{Backends, Event, Host, Progress};
use serde::Serialize;
use serde_json::{Value, json};
use tables::Node;

use crate::docker_host::steps;
use crate::failure::Failure;
use crate::progress::Bars;

const LEAVING: &str = "remove them with rmvm; rmnet -f takes a network away from under them";

/// What becomes of a network on a host.
#[derive(Debug, Clone)]
pub(crate) enum Task {
    /// It is carried; `was` is what was made there before, and `install` lets packages be installed for it.
    Carry { network: Network, was: Option<Box<Network>>, install: bool },
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
    /// Another host makes the network for this one too.
    follows: bool,
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

    /// Whether it counts on a manager among the other hosts.
    pub(crate) fn follows(&self) -> bool {
        self.follows && matches!(self.task, Task::Carry { .. })
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
    if let Some(deed) = plan_in_swarm(backends, node, task).await? {
        return Ok(deed);
    }
    let host = backends.host(node).await?;
    match task {
        Task::Carry { network, was, install } => {
            let before = match was.as_ref().filter(|was| !network.comes_in_place_of(was)) {
                Some(was) => steps(&host, &networks::unwanted(was)).await?,
                None => Vec::new(),
            };
            let present = find(backends, node, network).await?;
            if let (false, Some(containers)) = (before.is_empty(), on_it(present.as_ref())) {
                let why = format!(
                    "{}: it would have to be made in another way, and containers are on it: {containers}",
                    network.name
                );
                return Err(Failure::refused(why).hint(LEAVING));
            }
            let member = member(network, node)?;
            let mut observed = observe_to_carry(&host, (network, member), *install, present.as_ref()).await?;
            // What is there now counts only where it is brought in step in place.
            if !before.is_empty() {
                observed = Observed::default();
                networks::take_as_own(network, member, &mut observed);
            }
            let steps = setup::plan(&things(network, member, *install), &observed);
            let engine = networks::engine_step(present.as_ref());
            let engine = engine.map_err(|why| {
                let failure = Failure::refused(format!("{}: {why}", network.name));
                if on_it(present.as_ref()).is_some() { failure.hint(LEAVING) } else { failure }
            })?;
            Ok(Deed { task: task.clone(), before, steps, engine, containers: containers(present), follows: false })
        }
        Task::Leave { was, force } => {
            let present = find(backends, node, was).await?.filter(|present| present.ours);
            let engine = present.as_ref().map(|_| EngineStep::Remove);
            if let (false, Some(containers)) = (force, on_it(present.as_ref())) {
                let why = format!("{}: containers are on it: {containers}", was.name);
                return Err(Failure::refused(why).hint(LEAVING));
            }
            let containers = containers(present);
            let steps = steps(&host, &networks::unwanted(was)).await?;
            Ok(Deed { task: task.clone(), before: Vec::new(), steps, engine, containers, follows: false })
        }
    }
}

/// A swarm's network is a matter of its managers; what is to be done at a host that is none.
async fn plan_in_swarm(backends: &Backends, node: &Node, task: &Task) -> Result<Option<Deed>, Failure> {
    let network = task.network();
    if !network.is_of_swarm() {
        return Ok(None);
    }
    match (backends.networks_on(node)?.swarm_role(node).await?, task) {
        (SwarmRole::Manager, _) => Ok(None),
        (SwarmRole::Outside, Task::Carry { .. }) => {
            let hint = "join it to the others with docker swarm join, or take it out of attribute hosts";
            Err(Failure::refused(format!("{}: the host is in no swarm", network.name)).hint(hint))
        }
        (SwarmRole::Worker | SwarmRole::Outside, _) => {
            let (before, steps, containers) = (Vec::new(), Vec::new(), Vec::new());
            Ok(Some(Deed { task: task.clone(), before, steps, engine: None, containers, follows: true }))
        }
    }
}

/// Looks at a host that is to carry a network; refuses one that lacks what that needs, or has it under the same names.
async fn observe_to_carry(
    host: &Host,
    (network, member): (&Network, &Member),
    install: bool,
    present: Option<&Present>,
) -> Result<Observed, Failure> {
    let mut observed = setup::observe(host, &things(network, member, install)).await?;
    if let Some(what) = networks::lacks(network, &observed) {
        let hint = "let it be installed from the host's packages with: mknet --install";
        return Err(Failure::refused(format!("{}: {what} is not installed", network.name)).hint(hint));
    }
    if networks::is_taken(network, member, &observed) {
        let strangers = networks::strangers(host, network, member).await?;
        // An engine that finds no bridge for its network makes one, which is ours as that network is.
        let of_engine = |name: &String| present.is_some_and(|present| present.ours) && *name == network.bridge();
        if !strangers.iter().all(of_engine) {
            return Err(taken(network, &strangers));
        }
        networks::take_as_own(network, member, &mut observed);
    }
    Ok(observed)
}

fn taken(network: &Network, strangers: &[String]) -> Failure {
    let (names, name) = (strangers.join(", "), &network.name);
    let are = if strangers.len() == 1 { "is there and is" } else { "are there and are" };
    Failure::refused(format!("{name}: {names} {are} not of this network; what others have made is not touched")).hint(
        "take it away there (ip link del, ovs-vsctl del-br), or choose other names: a bridge has the network's, a tunnel \
         that of attribute vni",
    )
}

async fn find(backends: &Backends, node: &Node, network: &Network) -> plugins::Result<Option<Present>> {
    let told = networks::engine_network(network);
    backends.networks_on(node)?.find(node, &told).await
}

/// The containers that a network cannot be taken away from, if there are any.
fn on_it(present: Option<&Present>) -> Option<String> {
    present.map(|present| present.containers.join(", ")).filter(|containers| !containers.is_empty())
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
        Task::Carry { network, install, .. } => {
            let told = make(&host, node, (network, *install), deed, &progress).await?;
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
    (network, install): (&Network, bool),
    deed: &Deed,
    progress: &Progress,
) -> Result<EngineNetwork, Failure> {
    if deed.before.is_empty() {
        setup::carry_out(host, &deed.steps, progress).await?;
    } else {
        let left = steps(host, &things(network, member(network, node)?, install)).await?;
        setup::carry_out(host, &left, progress).await?;
    }
    Ok(networks::engine_network(network))
}

fn things(network: &Network, member: &Member, install: bool) -> Vec<Thing> {
    let things = networks::wanted(network, member);
    if install { networks::installing(network, things) } else { things }
}

fn member<'n>(network: &'n Network, node: &Node) -> Result<&'n Member, Failure> {
    let found = network.members.iter().find(|member| member.host == node.name());
    found.ok_or_else(|| Failure::refused(format!("{}: {} is not among its hosts", network.name, node.name())))
}
