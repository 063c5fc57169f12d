//! `mkregistry`: set up an image registry on a node, or bring it in step with its definition.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use plugins::archive::Archive;
use plugins::registry::{self, Config};
use plugins::{Secret, setup};
use tables::Node;

use super::{Run, Shape};
use crate::context::Context;
use crate::docker_host::{self, Certificates};
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::images::archives;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::registry::{Entry, PASSWD_KEY, entries, passwd, passwords, table};
use crate::reply::Answer;
use crate::size::size;

/// Set up an image registry on a node, or bring it in step with its definition
#[derive(Debug, Args)]
#[command(after_help = "The registry is the CNCF distribution server from the node's own package source, with TLS by the site's
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
  mkregistry h1 --gc")]
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
        let node = self.node(cx)?;
        let all = entries(cx.tables()?)?;
        let archive = match &self.image {
            Some(path) => Some(Arc::new(archives::open(path).await?)),
            None => None,
        };
        let entry = self.entry(cx, &node, &all, archive.as_deref())?;
        let mut passwords = passwords(cx.tables()?)?;
        let new = self.new_passwords(cx, &entry, &passwords).await?;
        passwords.extend(new.iter().cloned());
        let certificates = if self.plan { Certificates::Find } else { Certificates::Make };
        let known = all.iter().find(|known| known.name == entry.name);
        let former = known.map(|known| known.storage().to_owned()).filter(|storage| storage != entry.storage());
        let brings_image = archive.is_some();
        let config = Config { former, brings_image, ..entry.config(&node, &passwords, &all)? };
        let config = cx.certified(cx.introduced(config, &node)?, certificates)?;
        let manner = Manner::from(&self.shape);
        let look = async |node: Node| self.look(cx, &config, node).await;
        let mut plans = cx.look_at(vec![node.clone()], manner, look).await?;
        if self.plan {
            cx.show_plans(&plans, self.shape.format());
            return Ok(plans.outcome());
        }
        if plans.ready.is_empty() {
            return Ok(plans.outcome());
        }
        self.define(cx, &entry, &new)?;
        if let Some(archive) = &archive {
            let loaded = self.load(cx, archive, &config, node.clone()).await?;
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
        if !all.iter().any(|known| known.name == entry.name) {
            let place = config.place();
            cx.ui.hints(&[format!("hosts trust it after: chdef -p HOSTS dockertrust={place} && mkhost HOSTS")]);
        }
        if self.gc { collect(cx, &config, node, manner).await } else { Ok(outcome) }
    }
}

impl Mkregistry {
    fn node(&self, cx: &Context) -> Result<Node, Failure> {
        if let Some(directory) = self.packages.as_ref().filter(|directory| !directory.is_dir()) {
            return Err(Failure::refused(format!("{} is not a directory", directory.display())));
        }
        if self.password_stdin && self.auth.len() != 1 {
            return Err(Failure::usage("--password-stdin is for one user, and --auth names several"));
        }
        let mut nodes = cx.nodes(&self.noderange)?;
        match (nodes.pop(), nodes.is_empty()) {
            (Some(node), true) => Ok(node),
            _ => Err(Failure::refused(format!("'{}' is more than one node; a registry is on one", self.noderange))),
        }
    }

    /// What is known of the registry, with what was said now.
    fn entry(&self, cx: &Context, node: &Node, all: &[Entry], archive: Option<&Archive>) -> Result<Entry, Failure> {
        let name = self.name.clone().unwrap_or_else(|| node.name().to_owned());
        let known = all.iter().find(|entry| entry.name == name).cloned();
        let known = known.unwrap_or_else(|| Entry { name, node: node.name().to_owned(), ..Entry::default() });
        if known.node != node.name() {
            return Err(Failure::refused(format!("registry {} is on {} already", known.name, known.node))
                .hint(format!("remove it there with: rmregistry {}", known.name)));
        }
        Ok(Entry {
            address: self.address.clone().unwrap_or(known.address),
            port: self.port.map_or(known.port, |port| port.to_string()),
            storage: self.storage.clone().unwrap_or(known.storage),
            users: if self.auth.is_empty() { known.users } else { self.auth.clone() },
            image: archive.map(|archive| self.name_of(archive)).transpose()?.unwrap_or(known.image),
            upstream: self.upstream(cx, all)?.unwrap_or(known.upstream),
            ..known
        })
    }

    /// What the only image of an archive is called.
    fn name_of(&self, archive: &Archive) -> Result<String, Failure> {
        let file = self.image.as_deref().map(Path::display);
        match archive.images() {
            [image] => image.names.first().cloned().ok_or("its image has no name"),
            _ => Err("it holds several images"),
        }
        .map_err(|why| Failure::refused(format!("{} is not the image of one server: {why}", file.expect("it was opened"))))
    }

    /// Brings the server's image to the node.
    async fn load(&self, cx: &Context, archive: &Arc<Archive>, config: &Config, node: Node) -> Result<Outcome, Failure> {
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

    /// The URL behind the mirror, also where one of our own registries is meant.
    fn upstream(&self, cx: &Context, all: &[Entry]) -> Result<Option<String>, Failure> {
        let Some(said) = &self.upstream else { return Ok(None) };
        let Some(own) = all.iter().find(|entry| &entry.name == said) else { return Ok(Some(said.clone())) };
        Ok(Some(format!("https://{}", cx.registry_place(own)?)))
    }

    /// Passwords that are not in the tables yet, by user.
    async fn new_passwords(
        &self,
        cx: &Context,
        entry: &Entry,
        known: &crate::registry::Passwords,
    ) -> Result<Vec<(String, Secret)>, Failure> {
        if self.password_stdin {
            let user = self.auth.first().cloned().unwrap_or_default();
            let password = cx.password(&format!("Password of {user}")).await?;
            return Ok(vec![(user, password)]);
        }
        let lacking = entry.users.iter().filter(|user| self.auth.contains(user) && !known.contains_key(*user));
        lacking.map(|user| Ok((user.clone(), Secret::random()?))).collect()
    }

    async fn look(&self, cx: &Context, config: &Config, node: Node) -> Result<Plan, Failure> {
        let host = cx.backends()?.host(&node).await?;
        let observed = setup::observe(&host, &registry::questions(config)).await?;
        let wanted = registry::wanted(config, &observed)?;
        let mut steps = docker_host::steps(&host, &wanted).await?;
        if let Some(directory) = &self.packages {
            steps = setup::packages_from(steps, directory);
        }
        Ok(Plan { node, steps, notes: registry::notes(config, &observed), stops: 0 })
    }

    /// Comes before the first change of the node, so that a run that is killed can be completed.
    fn define(&self, cx: &Context, entry: &Entry, new: &[(String, Secret)]) -> Result<(), Failure> {
        let cells = entry.cells();
        let cells: Vec<(&str, &str)> = cells.iter().map(|(column, value)| (*column, value.as_str())).collect();
        cx.tables()?.edit(&cx.origin(self.reason.clone()), |edit| {
            edit.set(table(), &[&entry.name], &cells)?;
            for (user, password) in new {
                let chosen = [("key", PASSWD_KEY), ("username", user.as_str()), ("authdomain", "")];
                edit.set_where(passwd(), &chosen, &[("password", password.reveal())])?;
            }
            Ok(())
        })?;
        Ok(())
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
