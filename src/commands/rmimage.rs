//! `rmimage`: take an image away from a registry of ours, from hosts, and from the tables.

use std::collections::BTreeMap;

use clap::Args;
use plugins::registry::collect;
use plugins::{Reference, Removed};
use tables::{Node, Select};

use super::{Run, Shape};
use crate::context::Context;
use crate::diskless::Image;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::images::hosts::image;
use crate::images::objects::{containerimage, forget, osimage};
use crate::images::registries::Registries;
use crate::images::removal::{InRegistry, Removal, plan};
use crate::images::uses::{Content, Defined, Held, folded};
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::size::size;

/// Remove an image from our registry, from hosts, and from the tables; or what was built of a diskless one
#[derive(Debug, Args)]
#[command(
    after_help = "Of an image that diskless nodes boot (lsdef -t osimage) what genimage, packimage and imgimport have made goes: its root and
what nodes fetch. The definition stays, for genimage to make it anew, unless --xcatdef is given. Refused while a node or
group is defined with it (provmethod).

Of the image of a container: with HOSTS it goes from these only. Refused while a node is defined with it, or a container was made from it, running or
not. With -f those are no reason; a host keeps what one of its containers is made from in any case.

Where another tag means the same content, only the tag goes; IMAGE@DIGEST is the content itself. The registry's space is
freed at once: pushes are refused for that moment. What is gone already is success. With --plan nothing is changed,
and the exit code is 2 if something would be.

Examples:
  rmimage 10.0.0.1:5000/apps/solver:2.0 --plan
  rmimage 10.0.0.1:5000/apps/solver:2.0
  rmimage busybox:1.36 h[1-8]            only from hosts
  rmimage compute                        the root and the packed files of a diskless image"
)]
pub(crate) struct Rmimage {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Only from these hosts
    #[arg(value_name = "HOSTS")]
    noderange: Option<String>,
    /// Also what nodes use
    #[arg(short, long)]
    force: bool,
    /// Show what would be done and do nothing
    #[arg(long)]
    plan: bool,
    /// Leave the space to a later: mkregistry NODE --gc
    #[arg(long, conflicts_with = "plan")]
    no_gc: bool,
    /// Of a diskless image also the definition
    #[arg(long)]
    xcatdef: bool,
    /// Why, for the journal
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Rmimage {
    fn is_audited(&self) -> bool {
        !self.plan
    }

    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        if self.is_diskless(cx)? {
            return self.diskless(cx);
        }
        if self.xcatdef {
            return Err(Failure::usage(format!("--xcatdef is for diskless images, and {} is none", self.image)));
        }
        let image = image(&self.image)?;
        let registries = cx.registries()?;
        let hosts = match &self.noderange {
            Some(range) => cx.image_hosts(range, self.shape.format())?,
            None => cx.all_hosts()?,
        };
        let content = self.content(cx, &registries, image).await?;
        let (held, silent) = cx.held_by(&hosts).await;
        let defined = cx.defined_images()?;
        self.refuse_use(&defined, &content, &held, &silent)?;
        let registry = if self.noderange.is_some() { None } else { registries.of(&content.image) };
        let used = content.used_of_repository(&defined, &held);
        let removal = plan(&content, &held, registry, &used).await?;
        self.refuse_use_of_parts(&content, &removal)?;
        let is_known = self.noderange.is_none() && is_known(cx, &content.image)?;
        if !is_known && removal.is_empty() && silent.is_empty() {
            cx.ui.warning(&format!("nothing to remove: nobody has {}", content.image));
            return Ok(Outcome::Done);
        }
        let outcome = if self.plan {
            self.show(cx, &removal, is_known)
        } else {
            self.carry_out(cx, &content, removal, &hosts, is_known).await?
        };
        Ok(cx.tell_silent(self.shape.format(), silent, outcome))
    }
}

impl Rmimage {
    /// Whether the name is that of a definition which is no container's.
    fn is_diskless(&self, cx: &Context) -> Result<bool, Failure> {
        let rows = cx.tables()?.rows(osimage(), Select::Where(&[("imagename", &self.image)]))?;
        Ok(rows.iter().any(|row| row.get("imagetype") == Some("linux")))
    }

    fn diskless(self, cx: &Context) -> Result<Outcome, Failure> {
        if self.noderange.is_some() {
            return Err(Failure::usage(format!("{} is no image of a container: no host has it", self.image)));
        }
        let image = Image::read(cx, &self.image)?;
        let users = image.users(cx)?;
        if !users.is_empty() && !self.force {
            return Err(Failure::refused(format!(
                "image {} is in use: {} defined with it",
                image.name,
                is_or_are(&users)
            ))
            .hint("give these another image, or remove it all the same with -f"));
        }
        let built = image.built()?;
        let say = |lines| {
            let body = Body::Answer(Answer { lines, ..Answer::default() });
            cx.ui.reply(self.shape.format(), Reply { node: Some(image.name.clone()), body });
            cx.ui.finish_folding();
        };
        let definition = self.xcatdef.then(|| "the definition".to_owned());
        let lines =
            |word: &str| built.iter().chain(&definition).map(|what| format!("{word} {what}")).collect::<Vec<_>>();
        if built.is_empty() && !self.xcatdef {
            cx.ui.warning(&format!("nothing to remove: of image {} nothing is built", image.name));
            return Ok(Outcome::Done);
        }
        if self.plan {
            say(lines("remove"));
            return Ok(Outcome::Code(2));
        }
        image.remove(cx, self.xcatdef, self.reason)?;
        say(lines("removed"));
        Ok(Outcome::Done)
    }

    /// What the name means: in our registry, else as the table has it.
    async fn content(&self, cx: &Context, registries: &Registries, image: Reference) -> Result<Content, Failure> {
        if let Some(digest) = image.digest().cloned() {
            return Ok(Content { image, digest: Some(digest) });
        }
        let meaning = match registries.meaning(&image).await {
            Err(why) if self.noderange.is_none() => return Err(Failure::refused(why)),
            meaning => meaning.ok().flatten(),
        };
        let row = cx.tables()?.rows(containerimage(), Select::Where(&[("imagename", &image.to_string())]))?;
        let known = row.first().and_then(|row| row.get("digest")).and_then(|digest| digest.parse().ok());
        Ok(Content { image, digest: meaning.or(known) })
    }

    /// Says who uses the image, and refuses unless that is no reason. Who does not answer may run it.
    fn refuse_use(
        &self,
        all: &[Defined],
        content: &Content,
        held: &BTreeMap<String, Held>,
        silent: &BTreeMap<String, Failure>,
    ) -> Result<(), Failure> {
        if self.force {
            return Ok(());
        }
        let defined: Vec<String> = match &self.noderange {
            None => content.defined(all),
            Some(_) => held.keys().flat_map(|host| content.defined_on(all, host)).collect(),
        };
        let running: Vec<String> = held.values().flat_map(|held| content.running(held)).collect();
        let mut why = Vec::new();
        if !defined.is_empty() {
            why.push(format!("{} defined with it", is_or_are(&defined)));
        }
        if !running.is_empty() {
            why.push(format!("{} made from it", is_or_are(&running)));
        }
        if !why.is_empty() {
            return Err(Failure::refused(format!("image {} is in use: {}", content.image, why.join("; ")))
                .hint("give these nodes another image, or remove it all the same with -f"));
        }
        if self.noderange.is_none() && !silent.is_empty() {
            let names = folded(silent.keys().cloned());
            let reasons = silent.values().map(|failure| failure.message.clone()).collect::<Vec<_>>().join("; ");
            return Err(Failure::refused(format!(
                "nothing was done: whether {names} has containers of image {} is not known: {reasons}",
                content.image
            ))
            .hint("-f removes it where it can be removed"));
        }
        Ok(())
    }

    /// The same of who uses one of the manifests of an index, which its digest alone does not tell.
    fn refuse_use_of_parts(&self, content: &Content, removal: &Removal<'_>) -> Result<(), Failure> {
        let users = removal.registry.as_ref().map(InRegistry::users).unwrap_or_default();
        if self.force || users.is_empty() {
            return Ok(());
        }
        let what =
            format!("image {} is in use: {} defined with or made from a part of it", content.image, is_or_are(&users));
        Err(Failure::refused(what).hint("give these nodes another image; -f removes the rest, and that part stays"))
    }

    fn show(&self, cx: &Context, removal: &Removal, is_known: bool) -> Outcome {
        let say = |node: Option<&str>, line: String| {
            let reply = Reply { node: node.map(str::to_owned), body: Body::Answer(Answer::line(line)) };
            cx.ui.reply(self.shape.format(), reply);
        };
        for (host, names) in &removal.hosts {
            names.iter().for_each(|name| say(Some(host), format!("remove {name}")));
        }
        for (host, guests) in &removal.kept {
            say(Some(host), format!("keep it: {} made from it", is_or_are(guests)));
        }
        if let Some(registry) = &removal.registry {
            say(Some(registry.ours.node.name()), registry.title());
        }
        if is_known {
            say(None, "forget the object".into());
        }
        cx.ui.finish_folding();
        let is_pending = is_known || !removal.hosts.is_empty() || removal.registry.is_some();
        if is_pending { Outcome::Code(2) } else { Outcome::Done }
    }

    async fn carry_out(
        &self,
        cx: &Context,
        content: &Content,
        removal: Removal<'_>,
        hosts: &[Node],
        is_known: bool,
    ) -> Result<Outcome, Failure> {
        let backends = cx.backends()?;
        let manner = Manner::from(&self.shape);
        for (host, guests) in &removal.kept {
            cx.ui.warning(&format!("{host} keeps it: {} made from it", is_or_are(guests)));
        }
        let chosen = hosts.iter().filter(|host| removal.hosts.contains_key(host.name())).cloned().collect();
        let ask = async |host: Node| {
            let mut lines = Vec::new();
            for name in &removal.hosts[host.name()] {
                let removed = backends.images_on(&host)?.remove(&host, name).await?;
                lines.push(format!("{} {name}", word(removed)));
            }
            Ok(Answer { lines, ..Answer::default() })
        };
        let mut outcome: Outcome = cx.each(chosen, manner, ask).await.into();
        if let Some(registry) = removal.registry.as_ref().filter(|_| outcome != Outcome::Interrupted) {
            let ask = async |_| self.in_registry(cx, registry).await;
            let ended: Outcome = cx.each(vec![registry.ours.node.clone()], manner, ask).await.into();
            outcome = if ended == Outcome::Done { outcome } else { ended };
        }
        if is_known && outcome == Outcome::Done {
            cx.tables()?.edit(&cx.origin(self.reason.clone()), |edit| forget(edit, &content.image))?;
        }
        Ok(outcome)
    }

    async fn in_registry(&self, cx: &Context, registry: &InRegistry<'_>) -> Result<Answer, Failure> {
        registry.remove().await?;
        let mut line = registry.done();
        if !self.no_gc && registry.frees() {
            let ours = registry.ours;
            let host = cx.backends()?.host(&ours.node).await?;
            let (after, before) = collect(&host, &ours.config, cx.settings()?.transfer_limit).await?;
            line.push_str(&format!(", {} freed", size(before.saturating_sub(after))));
        }
        Ok(Answer::line(line))
    }
}

fn is_known(cx: &Context, image: &Reference) -> Result<bool, Failure> {
    Ok(!cx.tables()?.rows(osimage(), Select::Where(&[("imagename", &image.to_string())]))?.is_empty())
}

fn is_or_are(names: &[String]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", folded(names.iter().cloned()))
}

fn word(removed: Removed) -> &'static str {
    match removed {
        Removed::Absent => "has no",
        Removed::Untagged => "untagged",
        Removed::Removed => "removed",
    }
}
