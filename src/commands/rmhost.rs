//! `rmhost`: take from hosts what mkhost has put there.

use clap::Args;
use plugins::Error;
use plugins::authority::Authority;
use plugins::dockerhost::{self, Config, Unmaking};
use tables::Node;
use tables::criterion::{Criterion, Operator};

use super::{Run, Shape};
use crate::context::Context;
use crate::docker_host::{self, Certificates, Looked};
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::network;
use crate::outcome::Outcome;

/// Take from hosts what mkhost has put there; their definitions stay
#[derive(Debug, Args)]
#[command(
    after_help = "Takes away the keys of daemon.json, the drop-ins, the certificates and the trust that mkhost has
written; what an admin has put there by hand stays. The engine itself stays too, unless
--packages is given and mkhost has installed it: then its bridges and packet filter rules go
with it. A host that carries nodes or networks is refused, and one whose engine is off while
containers are on its disk.

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
    /// Also where containers of ours are
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
        if !self.force {
            self.refuse_networks(cx, &nodes)?;
        }
        let configs = cx.docker_hosts(&nodes, Certificates::Find)?;
        let how = Unmaking { packages: self.packages || self.purge, data: self.purge };
        let backends = cx.backends()?;
        let look = async |node: Node| {
            let config = configs.iter().find(|config| config.name == node.name()).expect("there is one for each node");
            let looked = docker_host::look(backends, &node, config).await?;
            if !self.force {
                refuse_guests(cx, &node, &looked).await?;
            }
            let unwanted = dockerhost::unwanted(how, &looked.observed)?;
            let steps = docker_host::steps(&looked.host, &unwanted).await?;
            docker_host::weighed(backends, node, steps, &looked).await
        };
        let plans = cx.plans(nodes, Manner::from(&self.shape), look).await;
        if self.plan {
            cx.show_plans(&plans, self.shape.format());
            return Ok(plans.outcome());
        }
        cx.agreed(&plans, 0, self.yes).await?;
        let gone: Vec<String> = plans.ready.keys().cloned().collect();
        let outcome = cx.carry_out(plans, Manner::from(&self.shape)).await?;
        if outcome == Outcome::Done {
            forget(cx, &gone)?;
        }
        Ok(outcome)
    }
}

impl Rmhost {
    /// What mknet has made on a host, rmnet takes away.
    fn refuse_networks(&self, cx: &Context, nodes: &[Node]) -> Result<(), Failure> {
        let made = network::made(cx, |_| false)?;
        cx.check(self.shape.format(), nodes, |node| {
            let on = made.iter().filter(|(_, hosts)| hosts.contains_key(node.name()));
            let names = on.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",");
            if names.is_empty() {
                return Ok(());
            }
            let failure = Failure::refused(format!("it carries network {names}; take that away first, or use -f"));
            Err(failure.hint(format!("from this host alone with: mknet {names} hosts=…, from all with: rmnet {names}")))
        })
    }
}

/// Who loses their host is to be told before, not after.
async fn refuse_guests(cx: &Context, node: &Node, looked: &Looked) -> Result<(), Failure> {
    if !looked.is_active() {
        return refuse_unknown_guests(cx, node, looked).await;
    }
    let carried = docker_host::carried(cx.backends()?, node).await;
    let carried = carried.map_err(|failure| failure.hint("-f does it without asking the engine whom it carries"))?;
    let names: Vec<String> = carried.into_iter().filter(|guest| guest.managed).map(|guest| guest.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    let names = tables::noderange::fold(&names);
    let error = Error::Refused { what: format!("it carries {names}"), why: "remove them first, or use -f".into() };
    Err(Failure::from(error).hint(format!("remove them with: rmvm -f {names}")))
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
    let why = "start it and remove them first, or use -f".into();
    let error = Error::Refused { what: format!("its engine is off and has containers in {place}{who}"), why };
    Err(Failure::from(error).hint(format!("start it with: mkhost {}", node.name())))
}

/// Their certificates are of no use any more.
fn forget(cx: &Context, hosts: &[String]) -> Result<(), Failure> {
    if let Some(authority) = Authority::open(&cx.settings()?.tls_directory)? {
        hosts.iter().try_for_each(|host| authority.forget(host))?;
    }
    Ok(())
}
