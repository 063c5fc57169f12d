//! `mknet`: make networks over hosts, or bring them in step with their definitions.

use clap::Args;
use tables::Node;
use tables::definitions::{Assignment, Job, Operator};

use super::{Run, Shape};
use crate::context::Context;
use crate::definition;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::modules::turn::Turn;
use crate::names::names;
use crate::network::{self, Defined};
use crate::outcome::Outcome;

/// Make networks over hosts, or bring them in step with their definitions
#[derive(Debug, Args)]
#[command(
    after_help = "A network is an object of type network with a driver and hosts: lsdef -t network, mkdef -t network. On every host it is
the engine's network of the same name, which guests are put on by vmnics. Hosts that have left the definition lose it. A
host that cannot be reached is brought in step by the next run.

Drivers: bridge joins the hosts by VXLAN between their addresses, or with an uplink puts containers on the wire behind
that port, or behind the VLAN of it that vlanid names; ovs does either with Open vSwitch, and vlanid is the tag of its packets;
macvlan and ipvlan put containers flat on the wire of the uplink; overlay is that of the Swarm which the hosts are in:
an engine that starts before its swarm is ready gives up on containers there, and rpower NODERANGE on starts them.
Addresses of the uplink of a bridge move to the bridge, as systemd-networkd, NetworkManager or ifupdown is told where one of
them keeps the port. A host that cannot be logged in to after that puts everything back within a minute, or two and a half
where site.connecttimeout gives a login longer.
More than 64 hosts of an ovs network are joined through the first of them, or at any number through the hub that is named.
VLANs of an uplink, ipvlan, NetworkManager's files and Open vSwitch's kernel module are tested by what is written and run,
not on a live kernel.

The mtu is what the smallest uplink of the hosts leaves, unless it is set.

Examples:
  mknet blue driver=bridge net=10.80.0.0 mask=255.255.0.0 hosts=h[1-4]
  mknet blue hosts=h[1-5]    one host more
  mknet lan driver=bridge uplink=eth1 net=10.9.0.0 mask=255.255.0.0 hosts=h[1-4]
  mknet sw driver=ovs vlanid=20 net=10.81.0.0 mask=255.255.0.0 hosts=h[1-4] --install
  mknet flat driver=macvlan uplink=eth1 net=10.9.0.0 mask=255.255.0.0 hosts=h[1-4]
  mknet blue,red --plan      what would be done; exit 2 if that is anything
  chdef c[1-40] vmnics=blue ip='|\\D+(\\d+)|10.80.0.($1+10)|'
  mkvm c[1-40]               guests that are on it"
)]
pub(crate) struct Mknet {
    /// The networks, by comma
    #[arg(value_name = "NETWORKS")]
    networks: String,
    /// Attributes to define or change first; an empty value clears
    #[arg(value_name = "ATTR=VALUE", conflicts_with = "plan")]
    changes: Vec<String>,
    /// Show what would be done, with the lines of files that change; exit 2 if that is anything
    #[arg(long)]
    plan: bool,
    /// Install what a driver needs and a host lacks: Open vSwitch
    #[arg(long)]
    install: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Mknet {
    fn is_audited(&self) -> bool {
        !self.plan
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let mut names = names(&self.networks, "network")?;
        names.sort_unstable();
        let manner = Manner::from(&self.shape);
        let defined = match self.changes.is_empty() {
            true => cx.networks(cx.tables()?, manner.format, &names)?,
            false => self.define(cx, &names, None)?,
        };
        let _turn = if self.plan { None } else { Some(turn(cx, &names, &defined)?) };
        let deeds = network::deeds(cx, &defined, self.install, manner).await?;
        if self.plan {
            cx.show_networks(&deeds, manner.format);
            return Ok(deeds.outcome());
        }
        if !self.changes.is_empty() {
            self.define(cx, &names, Some(&defined))?;
        }
        cx.do_networks(deeds, manner).await
    }
}

impl Mknet {
    /// Defines the networks as mkdef and chdef would. That is kept only where it comes to what has been `checked` against
    /// the hosts; without that it is a rehearsal, to know what there is to check.
    fn define(&self, cx: &Context, names: &[String], checked: Option<&[Defined]>) -> Result<Vec<Defined>, Failure> {
        let changes: Vec<Assignment> = self.changes.iter().map(|word| assignment(word)).collect::<Result<_, _>>()?;
        let object = network::object();
        let wanted = definition::Wanted { object, names: names.to_vec(), changes };
        let faults = definition::faults(std::slice::from_ref(&wanted), true);
        if let Some(fault) = faults.into_iter().next() {
            return Err(fault.into());
        }
        let jobs: Vec<Job<'_>> = names.iter().map(|name| Job { name, changes: &wanted.changes }).collect();
        let ended = cx.tables()?.try_edit(&cx.origin(self.reason.clone()), |edit| {
            let assigned = edit.assign_all(object, &jobs)?;
            if let Some(refusal) = assigned.refusals.into_iter().next() {
                return Err(Undone::Refused(refusal.into()));
            }
            let defined = cx.networks(edit, self.shape.format(), names).map_err(Undone::Refused)?;
            match checked {
                None => Err(Undone::Rehearsed(defined)),
                Some(checked) if is_same(checked, &defined) => Ok(defined),
                Some(_) => {
                    let why = "nothing was done: the tables have changed while the hosts were looked at";
                    Err(Undone::Refused(Failure::refused(why).hint("run it again")))
                }
            }
        });
        match ended {
            Ok(defined) | Err(Undone::Rehearsed(defined)) => Ok(defined),
            Err(Undone::Refused(failure)) => Err(failure),
        }
    }
}

/// Nobody else sets up the hosts that have the networks, or are to have them.
fn turn(cx: &Context, names: &[String], defined: &[Defined]) -> Result<Turn, Failure> {
    let made = network::made(cx, |name| names.iter().any(|meant| meant == name))?;
    let hosts = defined.iter().flat_map(|network| &network.hosts).map(Node::name);
    Turn::of_nodes(hosts.chain(made.values().flat_map(|hosts| hosts.keys().map(String::as_str))))
}

/// Why a change of the tables is not kept.
enum Undone {
    Rehearsed(Vec<Defined>),
    Refused(Failure),
}

impl From<tables::Error> for Undone {
    fn from(error: tables::Error) -> Self {
        Self::Refused(error.into())
    }
}

fn is_same(one: &[Defined], other: &[Defined]) -> bool {
    let networks = |defined: &[Defined]| defined.iter().map(|defined| defined.network.clone()).collect::<Vec<_>>();
    networks(one) == networks(other)
}

fn assignment(word: &str) -> Result<Assignment, Failure> {
    let (attribute, value) =
        word.split_once('=').ok_or_else(|| Failure::usage(format!("'{word}' is not of the form attribute=value")))?;
    Ok(Assignment { attribute: attribute.to_owned(), operator: Operator::Set, value: value.to_owned() })
}
