//! `rmregistry`: take a registry away from its node.

use clap::Args;
use plugins::authority::Authority;
use plugins::registry::Config;
use plugins::{Reference, registry, setup};
use tables::{Node, Select};

use super::{Run, Shape};
use crate::context::Context;
use crate::docker_host::{self, Certificates};
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::images::uses::folded;
use crate::modules::turn::Turn;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::registry::{Entry, PASSWD_KEY, entries, find, passwd, passwords, table};

/// Take a registry away from its node
#[derive(Debug, Args)]
#[command(
    after_help = "The service, its settings, accounts and certificate go, and the server's package with the last registry of
the node if mkregistry has installed it; an image that the server ran from stays on the node. The images stay where they are, for a registry of the same
name to serve them again, unless --purge is given. With --plan the exit code is 2 if anything would be done.

Refused while nodes are defined with its images, unless -f is given.

Hosts go on trusting it until: chdef -m HOSTS dockertrust=HOST:PORT && mkhost HOSTS

Examples:
  rmregistry h1 --plan
  rmregistry h1 --purge      nothing of it is left"
)]
pub(crate) struct Rmregistry {
    /// The registry
    #[arg(value_name = "NAME")]
    name: String,
    /// Show what would be done and do nothing
    #[arg(long)]
    plan: bool,
    /// Also while nodes are defined with its images
    #[arg(short, long)]
    force: bool,
    /// Also its images
    #[arg(long)]
    purge: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Rmregistry {
    fn is_audited(&self) -> bool {
        !self.plan
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let all = entries(cx.tables()?)?;
        let entry = find(&all, &self.name)?;
        let node = cx.registry_node(&entry)?;
        // Whom it let in is of no interest any more.
        let config = Entry { users: Vec::new(), ..entry.clone() }.config(&node, &passwords(cx.tables()?)?, &all)?;
        let config = cx.certified(config, Certificates::Find)?;
        self.refuse_use(cx, &config)?;
        let _turn = if self.plan { None } else { Some(Turn::of_nodes([node.name()])?) };
        let backends = cx.backends()?;
        let look = async |node: Node| {
            let host = backends.host(&node).await?;
            let observed = setup::observe(&host, &registry::questions(&config)).await?;
            let steps = docker_host::steps(&host, &registry::unwanted(&config, self.purge, &observed)).await?;
            let stays =
                |image: &Reference| format!("image {image} stays; remove it with: rmimage {image} {}", node.name());
            let notes = config.image.iter().map(stays).collect();
            Ok(Plan { node, steps, notes, stops: 0 })
        };
        let manner = Manner::from(&self.shape);
        let plans = cx.look_at(vec![node], manner, look).await?;
        if self.plan {
            cx.show_plans(&plans, self.shape.format());
            return Ok(plans.outcome());
        }
        let forget = |_: &Node| {
            self.forget(cx, &entry, &all)?;
            if let Some(authority) = Authority::open(&cx.settings()?.tls_directory)? {
                authority.forget(&config.certificate_name())?;
            }
            Ok(())
        };
        cx.carry_out(plans, manner, forget).await
    }
}

impl Rmregistry {
    /// Nodes whose images are in it could not be made anew without it.
    fn refuse_use(&self, cx: &Context, config: &Config) -> Result<(), Failure> {
        let place = config.place();
        let users = cx.defined_images()?.into_iter().filter(|node| node.image.registry() == Some(&*place));
        let users: Vec<String> = users.map(|node| node.node).collect();
        if self.force || users.is_empty() {
            return Ok(());
        }
        let why = format!("registry {} is in use by {}, whose images are of {place}", self.name, folded(users));
        Err(Failure::refused(why).hint("-f removes it all the same"))
    }

    /// Its row goes, and the users whom no other registry lets in.
    fn forget(&self, cx: &Context, entry: &Entry, all: &[Entry]) -> Result<(), Failure> {
        let elsewhere = |user: &String| all.iter().any(|other| other.name != entry.name && other.users.contains(user));
        let users: Vec<&String> = entry.users.iter().filter(|user| !elsewhere(user)).collect();
        cx.tables()?.edit(&cx.origin(self.reason.clone()), |edit| {
            edit.delete(table(), Select::Where(&[("name", &entry.name)]))?;
            for user in users {
                edit.delete(passwd(), Select::Where(&[("key", PASSWD_KEY), ("username", user), ("authdomain", "")]))?;
            }
            Ok(())
        })?;
        Ok(())
    }
}
