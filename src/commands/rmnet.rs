//! `rmnet`: take networks away from their hosts.

use std::collections::BTreeMap;

use clap::Args;
use plugins::networks::Network;

use super::{Run, Shape};
use crate::context::Context;
use crate::definition::not_found;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::modules::turn::Turn;
use crate::names::names;
use crate::network::{self, Work};
use crate::outcome::Outcome;

/// Take networks away from their hosts, without a trace
#[derive(Debug, Args)]
#[command(
    after_help = "The definition stays, for mknet to make the network again, unless -d removes it with the last host. A network whose
definition is gone already is still taken away from wherever it was made.

Examples:
  rmnet blue                 refused where containers are on it
  rmnet -f -d blue           containers lose it and run on; the definition goes too
  rmnet blue --plan          what would be done; exit 2 if that is anything"
)]
pub(crate) struct Rmnet {
    /// The networks, by comma
    #[arg(value_name = "NETWORKS")]
    networks: String,
    /// Show what would be done; exit 2 if that is anything
    #[arg(long)]
    plan: bool,
    /// Also where containers are on it: they lose it
    #[arg(short, long)]
    force: bool,
    /// Remove the definition as well, once no host has it
    #[arg(short, long, conflicts_with = "plan")]
    definition: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Rmnet {
    fn is_audited(&self) -> bool {
        !self.plan
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let names = names(&self.networks, "network")?;
        let manner = Manner::from(&self.shape);
        let work = self.work(cx, &names)?;
        let _turn = if self.plan { None } else { Some(Turn::of_nodes(work.hosts())?) };
        let deeds = cx.plan_networks(work, Outcome::Done, manner).await?;
        if self.plan {
            cx.show_networks(&deeds, manner.format);
            return Ok(deeds.outcome());
        }
        let outcome = cx.do_networks(deeds, manner).await?;
        if self.definition && outcome == Outcome::Done {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            cx.tables()?.edit(&cx.origin(self.reason), |edit| edit.undefine(network::object(), &names))?;
        }
        Ok(outcome)
    }
}

impl Rmnet {
    /// The hosts on which each network was made, and those on which it should have been.
    fn work(&self, cx: &Context, names: &[String]) -> Result<Work, Failure> {
        let tables = cx.tables()?;
        let made = network::made(cx, |name| names.iter().any(|meant| meant == name))?;
        let mut work = Work::default();
        for name in names {
            let mut hosts: BTreeMap<String, Network> = BTreeMap::new();
            match network::defined(tables, name) {
                Ok(defined) => {
                    let network = defined.network;
                    hosts.extend(network.members.iter().map(|member| (member.host.clone(), network.clone())));
                }
                // What was made can be taken away whatever the definition has become.
                Err(_) if made.contains_key(name) => (),
                Err(_) if !network::is_defined(tables, name)? => return Err(not_found(network::object(), name)),
                Err(failure) => return Err(network::named(name, failure)),
            }
            hosts.extend(made.get(name).cloned().unwrap_or_default());
            for (host, was) in &hosts {
                work.leave(cx, host, was, self.force)?;
            }
        }
        Ok(work)
    }
}
