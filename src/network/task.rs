//! One network on one host: what is to be done there, and doing it.

use std::sync::Arc;

use plugins::networks::{self, Driver, EngineNetwork, EngineStep, Member, Network, Present, SwarmRole};
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

/// Why nothing can be said of a host, or done there.
#[derive(Debug)]
pub(crate) struct Obstacle {
    pub(crate) failure: Failure,
    /// The host does not answer: what is to be done there is left to a later run.
    pub(crate) unreachable: bool,
}

impl From<plugins::Error> for Obstacle {
    fn from(error: plugins::Error) -> Self {
        Self { unreachable: error.is_unreachable(), failure: error.into() }
    }
}

impl From<Failure> for Obstacle {
    fn from(failure: Failure) -> Self {
        Self { failure, unreachable: false }
    }
}

impl From<Obstacle> for Failure {
    fn from(obstacle: Obstacle) -> Self {
        obstacle.failure
    }
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
pub(crate) async fn plan(backends: &Backends, node: &Node, task: &Task) -> Result<Deed, Obstacle> {
    if let Some(deed) = plan_in_swarm(backends, node, task).await? {
        return Ok(deed);
    }
    let host = backends.host(node).await?;
    match task {
        Task::Carry { network, was, install } => {
            let before = match was.as_ref().filter(|was| !is_built_alike(was, network)) {
                Some(was) => steps(&host, &networks::unwanted(was)).await?,
                None => Vec::new(),
            };
            let present = find(backends, node, network).await?;
            if let (false, Some(containers)) = (before.is_empty(), on_it(present.as_ref())) {
                let why = format!(
                    "{}: it would have to be made in another way, and containers are on it: {containers}",
                    network.name
                );
                return Err(Failure::refused(why).hint(LEAVING).into());
            }
            let steps = steps_to_carry(&host, &things(network, node, *install)?, network, before.is_empty()).await?;
            let engine = networks::engine_step(present.as_ref());
            let engine = engine.map_err(|why| Failure::refused(format!("{}: {why}", network.name)))?;
            Ok(Deed { task: task.clone(), before, steps, engine, containers: containers(present), follows: false })
        }
        Task::Leave { was, force } => {
            let present = find(backends, node, was).await?.filter(|present| present.ours);
            let engine = present.as_ref().map(|_| EngineStep::Remove);
            if let (false, Some(containers)) = (force, on_it(present.as_ref())) {
                let why = format!("{}: containers are on it: {containers}", was.name);
                return Err(Failure::refused(why).hint(LEAVING).into());
            }
            let containers = containers(present);
            let steps = steps(&host, &networks::unwanted(was)).await?;
            Ok(Deed { task: task.clone(), before: Vec::new(), steps, engine, containers, follows: false })
        }
    }
}

/// A swarm's network is a matter of its managers; what is to be done at a host that is none.
async fn plan_in_swarm(backends: &Backends, node: &Node, task: &Task) -> Result<Option<Deed>, Obstacle> {
    let network = task.network();
    if network.driver != Driver::Overlay {
        return Ok(None);
    }
    match (backends.networks_on(node)?.swarm_role(node).await?, task) {
        (SwarmRole::Manager, _) => Ok(None),
        (SwarmRole::Outside, Task::Carry { .. }) => {
            let hint = "join it to the others with docker swarm join, or take it out of attribute hosts";
            Err(Failure::refused(format!("{}: the host is in no swarm", network.name)).hint(hint).into())
        }
        (SwarmRole::Worker | SwarmRole::Outside, _) => {
            let (before, steps, containers) = (Vec::new(), Vec::new(), Vec::new());
            Ok(Some(Deed { task: task.clone(), before, steps, engine: None, containers, follows: true }))
        }
    }
}

/// What is there now counts only where it is brought in step in place.
async fn steps_to_carry(
    host: &Host,
    wanted: &[Thing],
    network: &Network,
    in_place: bool,
) -> Result<Vec<Step>, Obstacle> {
    let observed = setup::observe(host, wanted).await?;
    if let Some(what) = networks::lacks(network, &observed) {
        let hint = "let it be installed from the host's packages with: mknet --install";
        return Err(Failure::refused(format!("{}: {what} is not installed", network.name)).hint(hint).into());
    }
    let observed = if in_place { observed } else { Observed::default() };
    Ok(setup::plan(wanted, &observed))
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
        let left = steps(host, &things(network, node, install)?).await?;
        setup::carry_out(host, &left, progress).await?;
    }
    Ok(networks::engine_network(network))
}

fn things(network: &Network, node: &Node, install: bool) -> Result<Vec<Thing>, Failure> {
    let things = networks::wanted(network, member(network, node)?);
    Ok(if install { networks::installing(network, things) } else { things })
}

fn member<'n>(network: &'n Network, node: &Node) -> Result<&'n Member, Failure> {
    let found = network.members.iter().find(|member| member.host == node.name());
    found.ok_or_else(|| Failure::refused(format!("{}: {} is not among its hosts", network.name, node.name())))
}

/// Whether what carries a network can be brought in step where it stands.
fn is_built_alike(one: &Network, other: &Network) -> bool {
    let alike = one.driver == other.driver && one.subnet.is_ipv4() == other.subnet.is_ipv4();
    if alike && one.driver == Driver::Bridge && one.is_tunnelled() && other.is_tunnelled() {
        // Its script puts one tunnel in the place of another.
        return true;
    }
    alike
        && (one.vlan, one.vni, &one.hub, &one.uplink) == (other.vlan, other.vni, &other.hub, &other.uplink)
        && one.options == other.options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_brought_in_step_where_it_stands() {
        let network = |text: &str| -> Network {
            let whole = format!(
                r#"{{"name":"blue","subnet":"10.80.0.0/16","gateway":null,"range":null,"mtu":1450,"vlan":null,"hub":null,"options":{{}},"members":[],{text}}}"#
            );
            serde_json::from_str(&whole).unwrap()
        };
        let check = |one: &str, other: &str, expected: bool| {
            assert_eq!(is_built_alike(&network(one), &network(other)), expected, "{one} {other}");
        };
        let mesh = r#""driver":"bridge","vni":7,"uplink":null"#;
        check(mesh, mesh, true);
        check(mesh, r#""driver":"bridge","vni":8,"uplink":null"#, true);
        check(mesh, r#""driver":"bridge","vni":7,"uplink":"eth1""#, true);
        check(mesh, r#""driver":"bridge","vni":null,"uplink":"eth1""#, false);
        check(mesh, r#""driver":"ovs","vni":7,"uplink":null"#, false);
        check(r#""driver":"ovs","vni":8,"uplink":null"#, r#""driver":"ovs","vni":7,"uplink":null"#, false);
    }
}
