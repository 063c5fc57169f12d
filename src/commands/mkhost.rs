//! `mkhost`: make Docker hosts of machines that have only sshd.

use std::path::PathBuf;

use clap::Args;
use plugins::dockerhost::Config;
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::docker_host::{self, Certificates};
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::modules::turn::Turn;
use crate::outcome::Outcome;

/// Make Docker hosts of machines that have only sshd
#[derive(Debug, Args)]
#[command(after_help = "Installs the engine from the host's own package source, or from a directory of this machine;
writes daemon.json and the service's drop-in; where dockerendpoint is tcp://HOST:2376, gives
the engine a certificate of its own and makes it listen. What is so already stays: a second
run changes nothing. tabdump -d dockerhost describes what can be said of hosts, as attributes
dockerpools, dockermtu, dockermirrors …, which a group can carry for its hosts.

In daemon.json only the keys that xcrane has set are its own; what an admin puts beside them
stays. The engine is restarted only for what a reload does not do, and whoever is at the
terminal is asked first if that stops containers.

With --plan nothing is changed, and the exit code is 2 if something would be.
Hosts of the dnf family (Fedora, RHEL and kin) are served, but untested on real hosts; from a
directory they get every package there that they lack.

Examples:
  mkhost h[1-40] --plan -b   what would be done, equal plans folded
  mkhost h7                  do it
  mkhost h7 --packages /srv/debs
                             offline: copies over what the host lacks")]
pub(crate) struct Mkhost {
    /// The hosts
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// Show what would be done, with the lines of files that change, and do nothing
    #[arg(long)]
    plan: bool,
    /// Do not ask before running containers stop
    #[arg(short = 'y', long)]
    yes: bool,
    /// Ask only if more running containers than this stop
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    limit: usize,
    /// Install from the .deb or .rpm files of this directory instead of from the host's package source
    #[arg(long, value_name = "DIR")]
    packages: Option<PathBuf>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Mkhost {
    fn is_audited(&self) -> bool {
        !self.plan
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        cx.check(self.shape.format(), &nodes, |node| Ok(Config::of(node).map(drop)?))?;
        if let Some(directory) = self.packages.as_ref().filter(|directory| !directory.is_dir()) {
            return Err(Failure::refused(format!("{} is not a directory", directory.display())));
        }
        let _turn = if self.plan { None } else { Some(Turn::of_nodes(nodes.iter().map(Node::name))?) };
        let certificates = if self.plan { Certificates::Find } else { Certificates::Make };
        let configs = cx.docker_hosts(&nodes, certificates)?;
        let backends = cx.backends()?;
        let look = async |node: Node| {
            let config = configs.iter().find(|config| config.name == node.name()).expect("there is one for each node");
            docker_host::plan(backends, node, config, self.packages.as_deref()).await
        };
        let plans = cx.look_at(nodes, Manner::from(&self.shape), look).await?;
        if self.plan {
            cx.show_plans(&plans, self.shape.format());
            return Ok(plans.outcome());
        }
        cx.agreed(&plans, self.limit, self.yes).await?;
        cx.carry_out(plans, Manner::from(&self.shape), |_| Ok(())).await
    }
}
