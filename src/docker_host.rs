//! What mkhost, lshost, rmhost and module docker-host share: a host's definition made whole, a look at the host, what is to
//! be done there, and what would go wrong at a shutdown.

use std::path::Path;
use std::time::Duration;

use plugins::authority::Authority;
use plugins::dockerhost::{self, Config, Finding, Shutdown};
use plugins::setup::{self, FileState, Observed, Step, Thing};
use plugins::{Backends, Carried, Error, Host, HostState};
use tables::Node;

use crate::context::{Context, networks};
use crate::failure::Failure;
use crate::plan::Plan;

/// Five years, of which the last third is time to renew it.
const LIFETIME: Duration = Duration::from_secs(5 * 365 * 24 * 3600);

/// Longer than any small program takes on a host; `df` waits for ever where a file server is gone.
const LIMIT: Duration = Duration::from_secs(60);

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
        let networks = networks(self.tables()?)?;
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

impl Looked {
    /// Whether the engine runs.
    pub(crate) fn is_active(&self) -> bool {
        self.observed.units.get(dockerhost::SERVICE).is_some_and(|unit| unit.active)
    }

    /// Whether nothing is in a directory of the host.
    pub(crate) async fn is_empty(&self, directory: &str) -> Result<bool, Failure> {
        let asked = [dockerhost::nothing_in(directory)];
        Ok(setup::observe(&self.host, &asked).await?.facts.into_values().all(|empty| empty))
    }

    /// The names of the volumes in the data root.
    pub(crate) async fn volumes(&self) -> Result<Vec<String>, Failure> {
        let place = format!("{}/volumes/", dockerhost::data_root(&self.observed));
        let list = r#"cd "$1" 2>/dev/null || exit 0; find . -mindepth 1 -maxdepth 1 -type d"#;
        let said = said(&self.host, &["sh", "-c", list, "sh", &place]).await?;
        let mut names: Vec<String> =
            said.lines().filter_map(|line| line.strip_prefix("./")).map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }
}

/// Looks at a host for what its plan depends on.
pub(crate) async fn look(backends: &Backends, node: &Node, config: &Config) -> Result<Looked, Failure> {
    let host = backends.host(node).await?;
    let observed = setup::observe(&host, &dockerhost::questions(config)).await?;
    Ok(Looked { host, observed })
}

/// The steps to all that is wanted of the host.
pub(crate) async fn steps(host: &Host, wanted: &[Thing]) -> plugins::Result<Vec<Step>> {
    let steps = setup::plan(wanted, &setup::observe(host, wanted).await?);
    setup::refuse_needed(host, &steps).await?;
    Ok(steps)
}

/// Refuses to let an engine look elsewhere for its data than where it is. One that does not answer may have containers
/// that only the disk knows of.
pub(crate) async fn check_data_root(
    backends: &Backends,
    node: &Node,
    wanted: &[Thing],
    looked: &Looked,
) -> Result<(), Failure> {
    let Some((from, to)) = dockerhost::moves_data(wanted, &looked.observed) else { return Ok(()) };
    let state = if looked.is_active() { state(backends, node).await.ok() } else { None };
    let what = match state {
        Some(state) if state.guests == 0 || state.data_root == to => return Ok(()),
        Some(state) => format!("{} containers are", state.guests),
        None if looked.is_empty(&from).await? => return Ok(()),
        None => "data of an engine that does not answer is".to_owned(),
    };
    Err(dockerhost::refuse_to_move(&what, &from, &to).into())
}

/// What is to be done to make a Docker host of a node; packages come from a directory of this machine if one is named.
pub(crate) async fn plan(
    backends: &Backends,
    node: Node,
    config: &Config,
    packages: Option<&Path>,
) -> Result<Plan, Failure> {
    let looked = look(backends, &node, config).await?;
    let wanted = dockerhost::wanted(config, &looked.observed)?;
    check_data_root(backends, &node, &wanted, &looked).await?;
    let mut steps = steps(&looked.host, &wanted).await?;
    if let Some(directory) = packages {
        steps = setup::packages_from(steps, directory);
    }
    weighed(backends, node, steps, &looked).await
}

/// What would go wrong at a shutdown. An engine that does not run is what the plan is about.
pub(crate) async fn findings(backends: &Backends, node: &Node, looked: &Looked) -> Result<Vec<Finding>, Failure> {
    if !looked.is_active() {
        return Ok(Vec::new());
    }
    let state = state(backends, node).await?;
    let carried = carried(backends, node).await?;
    let shown = said(&looked.host, &dockerhost::SHOW_UNIT).await?;
    let shutdown = Shutdown::of(daemon(&looked.observed), &shown);
    Ok(dockerhost::findings(node.name(), &state, &carried, &shutdown))
}

fn daemon(observed: &Observed) -> &str {
    match observed.files.get(dockerhost::DAEMON) {
        Some(FileState::Text { text, .. }) => text,
        _ => "",
    }
}

/// What a program on the host prints.
pub(crate) async fn said(host: &Host, argv: &[&str]) -> Result<String, Failure> {
    said_within(LIMIT, host, argv).await
}

async fn said_within(limit: Duration, host: &Host, argv: &[&str]) -> Result<String, Failure> {
    let timed_out = |_| Error::TimedOut { what: format!("{}: {}", host.name(), argv.join(" ")), after: limit };
    let said = tokio::time::timeout(limit, host.run(argv)).await.map_err(timed_out)??;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// The plan with what it does to running containers.
pub(crate) async fn weighed(
    backends: &Backends,
    node: Node,
    steps: Vec<Step>,
    looked: &Looked,
) -> Result<Plan, Failure> {
    let ends = |unit: &String| unit == dockerhost::SERVICE || unit == dockerhost::SOCKET;
    // Packages may stop the engine, or take another's place.
    let interrupts = steps.iter().any(|step| match step {
        Step::Restart { unit, .. } | Step::Stop { unit } => ends(unit),
        Step::Install(_) | Step::Remove { .. } => true,
        _ => false,
    });
    if !looked.is_active() || !interrupts {
        return Ok(Plan { node, steps, notes: Vec::new(), stops: 0 });
    }
    let state = match state(backends, &node).await {
        Ok(state) => state,
        Err(failure) => {
            let notes = vec![format!("its engine does not say what runs there: {}", failure.message)];
            return Ok(Plan { node, steps, notes, stops: 1 });
        }
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_hangs_is_given_up() {
        assert_eq!(said(&Host::Local, &["echo", "x"]).await.unwrap(), "x\n");
        let hung = said_within(Duration::from_millis(50), &Host::Local, &["sleep", "5"]).await.unwrap_err();
        assert!(hung.message.contains("this machine: sleep 5"), "{}", hung.message);
    }
}
