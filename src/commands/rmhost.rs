//! `rmhost`: take from hosts what mkhost has put there.

use std::collections::BTreeSet;

use clap::Args;
use plugins::Carried;
use plugins::authority::Authority;
use plugins::dockerhost::{self, Config, Unmaking};
use plugins::setup::{Step, Thing};
use tables::Node;
use tables::criterion::{Criterion, Operator};

use super::{Run, Shape};
use crate::context::Context;
use crate::docker_host::{self, Certificates, Looked};
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::modules::turn::Turn;
use crate::network::{self, Made};
use crate::outcome::Outcome;

/// Take from hosts what mkhost has put there; their definitions stay
#[derive(Debug, Args)]
#[command(
    after_help = "Takes away the keys of daemon.json, the drop-ins, the certificates and the trust that mkhost has
written; what an admin has put there by hand stays. The engine itself stays too, unless
--packages is given and mkhost has installed it: then its bridges and packet filter rules go
with it. A host that carries nodes is refused without -f, and so is one whose engine is off while
containers are on its disk, and with --purge one that carries anybody's containers. A network of
mknet's goes by rmnet or mknet only, and packages that others need stay.

With --plan nothing is changed, and the exit code is 2 if something would be.

Examples:
  rmhost h7 --plan           what would be done
  rmhost h7                  the engine stays, with the distribution's settings
  rmhost h7 --purge -y       nothing of ours is left, images and volumes included"
)]
pub(crate) struct Rmhost {
    /// The hosts
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// Show what would be done and do nothing
    #[arg(long)]
    plan: bool,
    /// Also the packages that mkhost installed, and what only they needed
    #[arg(long)]
    packages: bool,
    /// Also the engine's images, containers and volumes; implies --packages
    #[arg(long)]
    purge: bool,
    /// Also where containers are
    #[arg(short, long)]
    force: bool,
    /// Do not ask before running containers stop
    #[arg(short = 'y', long)]
    yes: bool,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Rmhost {
    fn is_audited(&self) -> bool {
        !self.plan
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        cx.check(self.shape.format(), &nodes, |node| Ok(Config::of(node).map(drop)?))?;
        self.refuse_networks(cx, &nodes)?;
        let _turn = if self.plan { None } else { Some(Turn::of_nodes(nodes.iter().map(Node::name))?) };
        let configs = cx.docker_hosts(&nodes, Certificates::Find)?;
        let how = Unmaking { packages: self.packages || self.purge, data: self.purge };
        let backends = cx.backends()?;
        let look = async |node: Node| {
            let config = configs.iter().find(|config| config.name == node.name()).expect("there is one for each node");
            let looked = docker_host::look(backends, &node, config).await?;
            let unwanted = dockerhost::unwanted(how, &looked.observed)?;
            if !self.force {
                refuse_guests(cx, &node, &looked, &unwanted).await?;
            }
            let steps = docker_host::steps(&looked.host, &unwanted).await?;
            let mut plan = docker_host::weighed(backends, node, steps, &looked).await?;
            plan.notes.extend(note(how, &looked, &unwanted, &plan.steps).await?);
            Ok(plan)
        };
        let plans = cx.look_at(nodes, Manner::from(&self.shape), look).await?;
        if self.plan {
            cx.show_plans(&plans, self.shape.format());
            return Ok(plans.outcome());
        }
        cx.agreed(&plans, 0, self.yes).await?;
        cx.carry_out(plans, Manner::from(&self.shape), |node| forget(cx, node)).await
    }
}

impl Rmhost {
    /// What mknet has made on a host, rmnet takes away.
    fn refuse_networks(&self, cx: &Context, nodes: &[Node]) -> Result<(), Failure> {
        let made = network::made(cx, |_| false)?;
        let leaving: BTreeSet<&str> = nodes.iter().map(Node::name).collect();
        cx.check(self.shape.format(), nodes, |node| {
            let on: Vec<_> = made.iter().filter(|(_, hosts)| hosts.contains_key(node.name())).collect();
            if on.is_empty() {
                return Ok(());
            }
            let names = on.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            let failure = Failure::refused(format!("it carries network {names}; take that away first"));
            Err(on.into_iter().fold(failure, |failure, (name, hosts)| failure.hint(taken_away(name, hosts, &leaving))))
        })
    }
}

/// The command that takes a network from those of its hosts that leave.
fn taken_away(network: &str, hosts: &Made, leaving: &BTreeSet<&str>) -> String {
    let stay: Vec<String> = hosts.keys().filter(|host| !leaving.contains(host.as_str())).cloned().collect();
    match stay.is_empty() {
        true => format!("take network {network} away with: rmnet {network}"),
        false => format!("take network {network} away with: mknet {network} hosts={}", tables::noderange::fold(&stay)),
    }
}

/// Who loses their host is to be told before, not after.
async fn refuse_guests(cx: &Context, node: &Node, looked: &Looked, unwanted: &[Thing]) -> Result<(), Failure> {
    if !looked.is_active() {
        return refuse_unknown_guests(cx, node, looked).await;
    }
    let carried = docker_host::carried(cx.backends()?, node).await;
    let carried = carried.map_err(|failure| failure.hint("-f does it without asking the engine whom it carries"))?;
    let (ours, theirs): (Vec<_>, Vec<_>) = carried.into_iter().partition(|guest| guest.managed);
    let folded =
        |guests: Vec<Carried>| tables::noderange::fold(guests.into_iter().map(|guest| guest.name).collect::<Vec<_>>());
    if !ours.is_empty() {
        let names = folded(ours);
        let failure = Failure::refused(format!("it carries {names}: remove them first, or use -f"));
        return Err(failure.hint(format!("remove them with: rmvm -f {names}")));
    }
    if dockerhost::forgets_data(unwanted) && !theirs.is_empty() {
        let why = format!("it carries {}, which xcrane has not made; -f removes them too", folded(theirs));
        return Err(Failure::refused(why).hint("without --purge they stay on the disk"));
    }
    Ok(())
}

/// An engine that is off carries those whose files it has; who they are the tables may know.
async fn refuse_unknown_guests(cx: &Context, node: &Node, looked: &Looked) -> Result<(), Failure> {
    let place = format!("{}/containers", dockerhost::data_root(&looked.observed));
    if looked.is_empty(&place).await? {
        return Ok(());
    }
    let defined = cx
        .tables()?
        .select(&[Criterion::new("vmhost", Operator::Equal, node.name())
            .map_err(|error| Failure::refused(error.to_string()))?])?
        .to_vec();
    let who = match defined.as_slice() {
        [] => String::new(),
        names => format!(", maybe {}", tables::noderange::fold(names)),
    };
    let why = "start it and remove them first, or use -f";
    let failure = Failure::refused(format!("its engine is off and has containers in {place}{who}: {why}"));
    Err(failure.hint(format!("start it with: mkhost {}", node.name())))
}

/// What else a person should know: whose data goes, or why it does not.
async fn note(how: Unmaking, looked: &Looked, unwanted: &[Thing], steps: &[Step]) -> Result<Option<String>, Failure> {
    if dockerhost::forgets_data(unwanted) {
        let volumes = looked.volumes().await?;
        return Ok((!volumes.is_empty()).then(|| format!("volumes that go: {}", volumes.join(", "))));
    }
    let removes = unwanted.iter().any(|thing| matches!(thing, Thing::NoPackages(_)));
    let stays = how.packages && !removes && looked.is_active() && !steps.is_empty();
    Ok(stays.then(|| "mkhost has not installed its engine: that stays, with all that it keeps".to_owned()))
}

/// Its certificate is of no use any more.
fn forget(cx: &Context, host: &Node) -> Result<(), Failure> {
    if let Some(authority) = Authority::open(&cx.settings()?.tls_directory)? {
        authority.forget(host.name())?;
    }
    Ok(())
}
