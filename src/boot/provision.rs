//! What `rinstall` and `rnetboot` do: say what to boot, boot from the network, switch on, and wait if asked to.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use plugins::{BootDevice, BootOverride, Persistence, PowerAction};
use tables::Node;

use super::armed::Armed;
use super::watch::Watch;
use super::{Steps, Wanted};
use crate::commands::Shape;
use crate::config;
use crate::console;
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::outcome::Outcome;
use crate::reply::Answer;
use crate::switching::Switching;

/// How a console is opened that is to show the boot.
const LOOK: console::Manner = console::Manner { spy: false, take_over: false, settle: Duration::from_secs(1) };

/// What the help of a command that provisions says after its options.
pub(crate) fn after_help(command: &str) -> String {
    format!(
        "The same as nodeset NODERANGE STATE, rsetboot NODERANGE net and rpower NODERANGE boot, all of it checked before the
first node is touched, the scripts that they would get too. --wait is for what says that it is up: osimage, runcmd, runimage.
What was set is taken back of nodes that could not be reached. A node whose BMC then says that it boots from something else is left
alone.
A server on which containers run is left alone without --drain or --force, as by rpower, and what circuits carry counts.

Examples:
  {command} rack1                     the images of their definitions
  {command} n1 osimage=debian12 -u    this image, by UEFI
  {command} n1 -c                     and look at it
  {command} rack1 --wait 900          tell how far they come, and who got stuck where
  {command} all --stagger 20/30 -m 50 twenty at a time, half a minute apart, and ask first if these are more than 50
  {command} h7 --drain                stop the containers that run on it first"
    )
}

/// Which nodes, what they boot, and how.
#[derive(Debug, Args)]
pub(crate) struct Provision {
    /// The nodes
    #[arg(value_name = "NODERANGE")]
    noderange: String,
    /// What to boot, as nodeset takes it, several by comma
    #[arg(value_name = "STATE", default_value = "osimage")]
    steps: Steps,
    /// By UEFI
    #[arg(short = 'u', long)]
    uefi: bool,
    /// Wait so many seconds for the nodes to say that they are up
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u32>,
    /// Open the console of the node, which must be one, as rcons does
    #[arg(short = 'c', long, conflicts_with = "wait")]
    console: bool,
    #[command(flatten)]
    switching: Switching,
    #[command(flatten)]
    shape: Shape,
}

/// What became of nodes that were to boot.
struct Begun {
    outcome: Outcome,
    booting: BTreeSet<String>,
    /// Those that run on as before.
    untouched: BTreeSet<String>,
}

impl Provision {
    /// Everything is checked for every node before the first is touched.
    pub(crate) async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let nodes = cx.nodes(&self.noderange)?;
        self.check_wait(cx)?;
        let seat = match self.console {
            true => Some(console::only("-c", &self.noderange, nodes.clone())?),
            false => None,
        };
        if let Some(node) = &seat {
            cx.backends()?.console(node)?;
        }
        let (tables, backends, format) = (cx.tables()?, cx.backends()?, self.shape.format());
        let wanted = Wanted::new(cx, &config::home()?, self.steps.clone(), &nodes)?;
        cx.check(format, &nodes, |node| {
            wanted.check(node)?;
            backends.boot(node)?.check(node, Some(BootDevice::Network))?;
            Ok(backends.power(node)?.check(node, PowerAction::Boot)?)
        })?;
        let manner = Manner::from(&self.shape).widened(backends.beyond_fanout(&nodes));
        let mut cleared = self.switching.clear(cx, manner, nodes, PowerAction::Boot, "boot").await?;
        let nodes = std::mem::take(&mut cleared.nodes);
        let armed = tables.try_edit(&cx.origin(None), |edit| Armed::write(edit, &wanted, &nodes))?;
        let Begun { outcome, booting, untouched } = self.boot(cx, manner, nodes.clone()).await?;
        let outcome = cleared.outcome.and(outcome);
        cleared.tell_stopped(cx);
        drop(cleared); // others may load the circuits while we wait
        let left: Vec<Node> = nodes.into_iter().filter(|node| !booting.contains(node.name())).collect();
        armed.disarm(cx, &wanted, &left, &untouched)?;
        match self.wait {
            // One that was not reached is no reason to lose sight of the others.
            Some(seconds) if outcome != Outcome::Interrupted => {
                let watch = Watch::new(cx, format, booting.into_iter().collect());
                Ok(outcome.and(watch.run(Duration::from_secs(seconds.into())).await?))
            }
            _ => match seat {
                Some(node) if outcome == Outcome::Done => console::open(cx, node, LOOK, None).await,
                _ => Ok(outcome),
            },
        }
    }

    /// Refuses to wait for what nobody will say.
    fn check_wait(&self, cx: &Context) -> Result<(), Failure> {
        match self.wait {
            Some(_) if !self.steps.says_booted() => Err(Failure::usage(
                "--wait is for osimage, runcmd and runimage: who boots otherwise does not say when it is up",
            )),
            Some(_) if !cx.keeps_statuses()? => {
                Err(Failure::refused("--wait waits for statuses, which this site does not want (site.nodestatus)")
                    .hint("it wants them with: chdef -t site nodestatus=y"))
            }
            _ => Ok(()),
        }
    }

    async fn boot(&self, cx: &Context, manner: Manner, nodes: Vec<Node>) -> Result<Begun, Failure> {
        let backends = cx.backends()?;
        let network =
            BootOverride { device: BootDevice::Network, persistence: Persistence::Once, efi: self.uefi, url: None };
        let (booting, untouched) = (Mutex::default(), Mutex::default());
        let add = |names: &Mutex<BTreeSet<String>>, node: &Node| {
            names.lock().unwrap_or_else(PoisonError::into_inner).insert(node.name().to_owned());
        };
        let boot = async |node: Node| {
            // What its firmware may have been told by then does no harm: its power was left alone.
            let told = async {
                let now = backends.boot(&node)?.set(&node, Some(network.clone())).await?;
                plugins::heeded(Some(&network), now.as_ref())
            };
            let doubt = told.await.inspect_err(|_| add(&untouched, &node))?;
            let powered = cx.apply_power(&node, PowerAction::Boot).await.inspect_err(|failure| {
                if failure.did_nothing {
                    add(&untouched, &node);
                }
            })?;
            add(&booting, &node);
            Ok(Answer { warnings: doubt.into_iter().chain(powered.warning).collect(), ..Answer::line(powered.word) })
        };
        let outcome = self.switching.each(cx, nodes, manner, boot).await;
        let [booting, untouched] =
            [booting, untouched].map(|names| names.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok(Begun { outcome, booting, untouched })
    }
}
