//! `mkregistry`: set up an image registry on a node, or bring it in step with its definition.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use plugins::archive::Archive;
use plugins::registry::{self, Config};
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::docker_host::Certificates;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::modules::turn::Turn;
use crate::outcome::Outcome;
use crate::registry::{Meant, Wish};
use crate::reply::Answer;
use crate::size::size;

/// Set up an image registry on a node, or bring it in step with its definition
#[derive(Debug, Args)]
#[command(
    after_help = "The registry is the CNCF distribution server from the node's own package source, with TLS by the site's
authority, as a service of its own. What is so already stays: a second run changes nothing, and a
certificate that runs short is renewed. What is given is kept in table registry.

On a node whose source has no such package, but which has an engine, the server runs in a container, from the image in
the file that --image names: what 'docker save' writes of registry:2, for one. The same service starts and stops it.

A user who has no password yet gets one made by chance; hosts pull as the first of --auth by
themselves. A person reads it with: gettab key=registry,username=USER passwd.password

A mirror (--upstream) fetches what it is asked for and keeps it for a week. It logs in to one of our own
registries as hosts do, and to another one as table passwd says (key=registry,authdomain=HOST:PORT), whose
certificate is of an authority that its node trusts or that dockertrust of the node names; what it keeps is
served while the registry behind it is gone. Hosts whose dockerregistries names it ask it first.

A site without internet gets its first image in from a file, see: imgload --help

With --gc, what is in no image any more is removed afterwards. That waits until no push is under way;
then images can be pulled meanwhile, and pushes are refused. With --plan nothing is changed, and the exit code is 2 if something would be.

Examples:
  mkregistry h1 --auth ada --plan
  mkregistry h1 --auth ada       then, for hosts that shall trust it:
  chdef -p hosts dockertrust=10.0.0.1:5000 && mkhost hosts
  mkregistry h9 --upstream h1    a mirror of registry h1 in another rack, and for the hosts there:
  chdef -t group rack2 dockerregistries=10.0.0.9:5000 && mkhost rack2
  mkregistry h1 --name cache --port 5001 --upstream https://registry-1.docker.io
  mkregistry h3 --image registry-2.tar     of an image, where the distribution has no package
  mkregistry h1 --gc"
)]
pub(crate) struct Mkregistry {
    /// The node that it runs on
    #[arg(value_name = "NODE")]
    noderange: String,
    /// The name of the registry; default is that of the node
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What stands in the names of its images; default is the ip of the node, else its name
    #[arg(long, value_name = "HOST")]
    address: Option<String>,
    /// The port that it listens on; default is 5000
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// The directory in which it has its own; default is /var/lib/xcrane/registry
    #[arg(long, value_name = "DIR")]
    storage: Option<String>,
    /// The users whom it lets in, by comma; without any it lets in everyone
    #[arg(long, value_name = "USER", value_delimiter = ',')]
    auth: Vec<String>,
    /// Take the password of the one user of --auth from standard input
    #[arg(long, requires = "auth")]
    password_stdin: bool,
    /// Be a mirror: fetch and keep the images of this registry, which is one of ours or a URL; nothing can be pushed then
    #[arg(long, value_name = "NAME|URL")]
    upstream: Option<String>,
    /// Install from the .deb files of this directory instead of from the node's package source
    #[arg(long, value_name = "DIR")]
    packages: Option<PathBuf>,
    /// Run the server in a container, of the one image in this archive, which is brought to the node
    #[arg(long, value_name = "FILE", conflicts_with = "packages")]
    image: Option<PathBuf>,
    /// Then remove what is in no image any more
    #[arg(long)]
    gc: bool,
    /// Show what would be done, with the lines of files that change, and do nothing
    #[arg(long, conflicts_with = "gc")]
    plan: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Mkregistry {
    fn is_audited(&self) -> bool {
        !self.plan
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        cx.tell_progress(self.shape.format());
        let nodes = cx.nodes(&self.noderange)?;
        let _turn = if self.plan { None } else { Some(Turn::of_nodes(nodes.iter().map(Node::name))?) };
        let certificates = if self.plan { Certificates::Find } else { Certificates::Make };
        let wish = self.wish();
        let meant = wish.meant(cx, certificates).await?;
        let Meant { node, config, archive, is_known, .. } = &meant;
        let manner = Manner::from(&self.shape);
        let look = async |_: Node| wish.look(cx, &meant).await;
        let mut plans = cx.look_at(vec![node.clone()], manner, look).await?;
        if self.plan {
            cx.show_plans(&plans, self.shape.format());
            return Ok(plans.outcome());
        }
        if plans.ready.is_empty() {
            return Ok(plans.outcome());
        }
        wish.keep(cx, &meant)?;
        if let Some(archive) = archive {
            let loaded = self.load(cx, archive, config, node.clone()).await?;
            if loaded != Outcome::Done {
                return Ok(loaded);
            }
            // Its name may mean another one now.
            plans = cx.look_at(vec![node.clone()], manner, look).await?;
        }
        let outcome = cx.carry_out(plans, manner, |_| Ok(())).await?;
        if outcome != Outcome::Done {
            return Ok(outcome);
        }
        if !is_known {
            let place = config.place();
            cx.ui.hints(&[format!("hosts trust it after: chdef -p HOSTS dockertrust={place} && mkhost HOSTS")]);
        }
        if self.gc { collect(cx, config, node.clone(), manner).await } else { Ok(outcome) }
    }
}

impl Mkregistry {
    fn wish(&self) -> Wish {
        Wish {
            noderange: self.noderange.clone(),
            name: self.name.clone(),
            address: self.address.clone(),
            port: self.port,
            storage: self.storage.clone(),
            auth: self.auth.clone(),
            password_stdin: self.password_stdin,
            upstream: self.upstream.clone(),
            packages: self.packages.clone(),
            image: self.image.clone(),
            reason: self.reason.clone(),
        }
    }

    /// Brings the server's image to the node.
    async fn load(
        &self,
        cx: &Context,
        archive: &Arc<Archive>,
        config: &Config,
        node: Node,
    ) -> Result<Outcome, Failure> {
        let backends = cx.backends()?;
        let ask = async |node: Node| {
            let loaded = backends.images_on(&node)?.load(&node, archive).await?;
            let image = config.image.as_ref().map(ToString::to_string).unwrap_or_default();
            Ok(match loaded.changed {
                true => Answer::line(format!("loaded {image}, {} sent", size(loaded.sent))),
                false => Answer::silent(),
            })
        };
        Ok(cx.each(vec![node], Manner::from(&self.shape), ask).await.into())
    }
}

async fn collect(cx: &Context, config: &Config, node: Node, manner: Manner) -> Result<Outcome, Failure> {
    let limit = cx.settings()?.transfer_limit;
    let backends = cx.backends()?;
    let ask = async |node: Node| {
        let (after, before) = registry::collect(&backends.host(&node).await?, config, limit).await?;
        Ok(Answer::line(format!("registry {}: {} freed", config.name, size(before.saturating_sub(after)))))
    };
    Ok(cx.each(vec![node], manner, ask).await.into())
}
