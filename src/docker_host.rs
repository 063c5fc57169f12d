//! What mkhost, lshost and rmhost share: a host's definition made whole, and a look at the host.

use std::time::Duration;

use netboot::interfaces;
use plugins::authority::Authority;
use plugins::dockerhost::{self, Config};
use plugins::setup::{self, Observed, Step, Thing};
use plugins::{Backends, Carried, Host, HostState};
use tables::{Node, Select, schema};

use crate::context::Context;
use crate::failure::Failure;
use crate::plan::Plan;

/// Five years, of which the last third is time to renew it.
const LIFETIME: Duration = Duration::from_secs(5 * 365 * 24 * 3600);

/// Whether certificates that are missing are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certificates {
    Make,
    Find,
}

impl Context {
    /// The definitions of hosts, checked one and all before any host is touched.
    pub(crate) fn docker_hosts(&self, nodes: &[Node], certificates: Certificates) -> Result<Vec<Config>, Failure> {
        let settings = self.settings()?;
        let networks = schema::find("networks").expect("table networks is in the schema");
        let rows = self.tables()?.rows(networks, Select::All)?;
        let known = rows.iter().filter_map(|row| {
            let network = interfaces::parse(row.get("net")?, row.get("mask")?)?;
            Some((row.get("netname").unwrap_or("without a name").to_owned(), network))
        });
        let networks: Vec<_> = known.collect();
        let mut configs = Vec::new();
        for node in nodes {
            configs.push(Config { networks: networks.clone(), ..Config::of(node)? });
        }
        let vouched = |config: &Config| config.trust.iter().any(|trust| trust.authority.is_none());
        if configs.iter().any(|config| config.listen.is_some() || vouched(config)) {
            let authority = match certificates {
                Certificates::Make => Some(Authority::open_or_create(&settings.tls_directory)?),
                Certificates::Find => Authority::open(&settings.tls_directory)?,
            };
            configs.iter_mut().try_for_each(|config| certify(config, authority.as_ref(), certificates))?;
        }
        Ok(configs)
    }
}

fn certify(config: &mut Config, authority: Option<&Authority>, certificates: Certificates) -> Result<(), Failure> {
    let Some(authority) = authority else { return Ok(()) };
    config.authority = Some(authority.certificate().to_owned());
    let Some(listen) = &mut config.listen else { return Ok(()) };
    listen.certificate = match certificates {
        Certificates::Make => {
            authority.provide_client(LIFETIME)?;
            Some(authority.keep(&config.name, &listen.subject, LIFETIME)?)
        }
        Certificates::Find => authority.find(&config.name, &listen.subject)?,
    };
    Ok(())
}

/// A host that was looked at.
pub(crate) struct Looked {
    pub(crate) host: Host,
    /// The answers to [`dockerhost::questions`].
    pub(crate) observed: Observed,
}

/// Looks at a host for what its plan depends on.
pub(crate) async fn look(backends: &Backends, node: &Node, config: &Config) -> Result<Looked, Failure> {
    let host = backends.host(node).await?;
    let observed = setup::observe(&host, &dockerhost::questions(config)).await?;
    Ok(Looked { host, observed })
}

/// The steps to all that is wanted of the host.
pub(crate) async fn steps(host: &Host, wanted: &[Thing]) -> Result<Vec<Step>, Failure> {
    Ok(setup::plan(wanted, &setup::observe(host, wanted).await?))
}

/// The plan with what it does to running containers.
pub(crate) async fn weighed(
    backends: &Backends,
    config: &Config,
    node: Node,
    steps: Vec<Step>,
    looked: &Looked,
) -> Result<Plan, Failure> {
    let active = looked.observed.units.get(dockerhost::SERVICE).is_some_and(|unit| unit.active);
    let ends = |unit: &String| unit == dockerhost::SERVICE || unit == dockerhost::SOCKET;
    let interrupts =
        steps.iter().any(|step| matches!(step, Step::Restart { unit, .. } | Step::Stop { unit } if ends(unit)));
    if !active || !interrupts {
        return Ok(Plan { node, steps, notes: Vec::new(), stops: 0 });
    }
    let state = match state(backends, &node).await {
        Ok(state) => state,
        Err(failure) => {
            let notes = vec![format!("its engine does not say what runs there: {}", failure.message)];
            return Ok(Plan { node, steps, notes, stops: 1 });
        }
    };
    dockerhost::check_data_root(config, &state)?;
    let (note, stops) = weigh(&state, &steps);
    Ok(Plan { node, steps, notes: note.into_iter().collect(), stops })
}

/// The engine's word, by ssh where it may not listen yet.
pub(crate) async fn state(backends: &Backends, node: &Node) -> Result<HostState, Failure> {
    let node = over_ssh(node);
    Ok(backends.hosts(&node)?.state(&node).await?)
}

/// What it carries, asked likewise.
pub(crate) async fn carried(backends: &Backends, node: &Node) -> Result<Vec<Carried>, Failure> {
    let node = over_ssh(node);
    Ok(backends.hosts(&node)?.carried(&node).await?)
}

fn over_ssh(node: &Node) -> Node {
    let kept = node.attributes().filter(|(name, value)| *name != "dockerendpoint" || !value.starts_with("tcp://"));
    Node::new(node.name(), kept.map(|(name, value)| (name.into(), value.into())).collect(), None)
}

/// What becomes of running containers, and how many stop. A stop of the engine is meant.
fn weigh(state: &HostState, steps: &[Step]) -> (Option<String>, usize) {
    let running = match state.running {
        0 => return (None, 0),
        1 => "1 running container".to_owned(),
        count => format!("{count} running containers"),
    };
    if steps.iter().any(|step| matches!(step, Step::Stop { .. })) {
        return (Some(format!("{running} will end with the engine")), state.running);
    }
    match dockerhost::keeps_containers(state, steps) {
        true => (Some(format!("the restart touches {running}; live-restore keeps what runs")), 0),
        false => {
            let note = format!("the restart will stop {running}; what has a restart policy comes back");
            (Some(note), state.running)
        }
    }
}
