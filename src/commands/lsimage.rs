//! `lsimage`: which images there are, on hosts, in a registry, or as objects, and who uses them.

use std::collections::BTreeMap;

use clap::Args;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use plugins::registry::Manifest;
use plugins::{Digest, HostImage, Reference};
use serde_json::{Value, json};
use tables::{Node, Select};

use super::{Run, Shape};
use crate::columns::columns;
use crate::context::Context;
use crate::failure::Failure;
use crate::fanout::Manner;
use crate::images::diskless::Diskless;
use crate::images::objects::{TYPE, containerimage, osimage};
use crate::images::registries::{Ours, Registries};
use crate::images::uses::{Content, Defined, Held, folded};
use crate::outcome::Outcome;
use crate::reply::{Answer, Body, Reply};
use crate::size::size;

/// How many manifests a registry is asked for at once.
const AT_ONCE: usize = 16;

/// List images: of hosts, of a registry, or all that are known
#[derive(Debug, Args)]
#[command(
    after_help = "Of hosts and registries: image, digest, size, nodes defined with it, containers made from it; '-' is nobody. A
name with a colon, or one that no node has, is a registry. Without argument, all image objects: image, digest,
size, source, hosts that have it, nodes defined with it, containers made from it, and what its tag means in our
registry: same, moved, gone, or '-' where it is none of ours. On a terminal digests are cut short.
An image that nodes boot stands there, too: its name, the digest of its root, the size of what a node fetches, and as source how
far it is (defined, built by genimage, packed by packimage, xcat for one in linuximage.rootimgdir as xCAT lays it out, or
install); the nodes defined with it are those that boot it.

Examples:
  lsimage                       where our images are
  lsimage compute               an image by its name
  lsimage h1                    what takes the disk of h1
  lsimage 10.0.0.1:5000         what a registry has
  lsimage hosts | awk '$5 == \"-\" && $6 == \"-\"'    what nobody uses"
)]
pub(crate) struct Lsimage {
    /// Hosts, a registry by HOST:PORT or name, or an image object by its name; default is all image objects
    #[arg(value_name = "NODERANGE|REGISTRY|IMAGE")]
    noderange: Option<String>,
    #[command(flatten)]
    shape: Shape,
}

impl Run for Lsimage {
    async fn run(self, cx: &Context) -> Result<Outcome, Failure> {
        let Some(target) = &self.noderange else { return self.objects(cx, None).await };
        let registries = cx.registries()?;
        let named = registries.iter().find(|registry| registry.config.name == *target);
        let placed = registries.iter().find(|registry| registry.client.place() == target);
        match (placed, named, cx.nodes(target)) {
            (Some(registry), ..) | (None, Some(registry), Err(_)) => self.registry(cx, registry).await,
            (None, None, Err(_)) if is_image(cx, target)? => self.objects(cx, Some(target)).await,
            (None, None, Err(failure)) if target.contains(':') => {
                let hint = "lsregistry tells which there are; of others only their hosts are asked";
                Err(Failure {
                    hints: vec![hint.into()],
                    ..Failure::refused(format!("'{target}' is none of our registries"))
                }
                .after(*failure.said))
            }
            (None, _, Err(failure)) => Err(failure),
            (None, also, Ok(_)) => {
                let outcome = self.hosts(cx, target).await?;
                if let Some(registry) = also {
                    let place = registry.client.place();
                    cx.ui.hints(&[format!("{target} is a registry, too; see what it has with: lsimage {place}")]);
                }
                Ok(outcome)
            }
        }
    }
}

/// An image and who uses it.
struct Line {
    content: Content,
    size: u64,
    defined: Vec<String>,
    running: Vec<String>,
}

impl Line {
    fn cells(&self, short: bool) -> Vec<String> {
        vec![
            match self.content.image.digest() {
                Some(digest) if short => format!("{}@{}", self.content.image.name(), digest.short()),
                _ => self.content.image.to_string(),
            },
            shown(self.content.digest.as_ref(), short),
            size(self.size),
            folded(self.defined.clone()),
            folded(self.running.clone()),
        ]
    }

    fn data(&self) -> Value {
        json!({ "image": self.content.image, "digest": self.content.digest, "size": self.size,
            "defined": self.defined, "running": self.running })
    }
}

impl Lsimage {
    async fn hosts(&self, cx: &Context, range: &str) -> Result<Outcome, Failure> {
        let hosts = cx.image_hosts(range, self.shape.format())?;
        let defined = cx.defined_images()?;
        let aligned = cx.ui.is_terminal();
        let ask = async |host: Node| {
            let held = cx.held(&host).await?;
            let line = |content: Content, image: &HostImage| Line {
                defined: content.defined_on(&defined, host.name()),
                running: held.made_from(image),
                size: image.size,
                content,
            };
            let of = |image| contents(image).into_iter().map(move |content| line(content, image));
            let mut lines: Vec<Line> = held.images.iter().flat_map(of).collect();
            lines.sort_by(|left, right| left.content.image.cmp(&right.content.image));
            Ok(answer(&lines, aligned))
        };
        Ok(cx.each(hosts, Manner::from(&self.shape), ask).await.into())
    }

    async fn registry(&self, cx: &Context, registry: &Ours) -> Result<Outcome, Failure> {
        let mut found = contents_of(registry).await?;
        found.sort_by(|(left, _), (right, _)| left.image.cmp(&right.image));
        let (held, silent) = cx.held_by(&cx.all_hosts()?).await;
        let defined = cx.defined_images()?;
        let lines: Vec<Line> = found
            .into_iter()
            .map(|(content, manifest)| Line {
                defined: content.defined(&defined),
                running: held.values().flat_map(|held| content.running(held)).collect(),
                size: manifest.map_or(0, |manifest| manifest.size),
                content,
            })
            .collect();
        let answer = answer(&lines, cx.ui.is_terminal());
        let node = Some(registry.client.place().to_owned());
        cx.ui.reply(self.shape.format(), Reply { node, body: Body::Answer(answer) });
        Ok(cx.tell_silent(self.shape.format(), silent, Outcome::Done))
    }

    async fn objects(&self, cx: &Context, only: Option<&str>) -> Result<Outcome, Failure> {
        let (mut known, defined, registries) = (known(cx)?, cx.defined_images()?, cx.registries()?);
        known.retain(|known| only.is_none_or(|only| known.content.image.to_string() == only));
        let mut diskless = Diskless::all(cx)?;
        diskless.retain(|image| only.is_none_or(|only| image.name == only));
        // No host has what nodes boot.
        let hosts = if known.is_empty() { Vec::new() } else { cx.all_hosts()? };
        let (held, silent) = cx.held_by(&hosts).await;
        let object = async |known: Known| Object::of(known, &defined, &held, &registries).await;
        let objects: Vec<Object> = stream::iter(known).map(object).buffered(AT_ONCE).collect().await;
        if self.shape.format() == crate::ui::Format::Json {
            for data in objects.iter().map(Object::data).chain(diskless.iter().map(diskless_data)) {
                let body = Body::Answer(Answer { data: Some(data), ..Answer::default() });
                cx.ui.reply(self.shape.format(), Reply { node: None, body });
            }
        } else {
            let aligned = cx.ui.is_terminal();
            let containers = objects.iter().map(|object| object.cells(aligned));
            let cells: Vec<_> = containers.chain(diskless.iter().map(|image| diskless_cells(image, aligned))).collect();
            columns(&cells, aligned).iter().for_each(|line| cx.ui.line(line));
        }
        Ok(cx.tell_silent(self.shape.format(), silent, Outcome::Done))
    }
}

/// An image object.
struct Known {
    content: Content,
    size: u64,
    source: String,
}

struct Object {
    known: Known,
    hosts: Vec<String>,
    defined: Vec<String>,
    running: Vec<String>,
    state: &'static str,
}

impl Object {
    async fn of(known: Known, defined: &[Defined], held: &BTreeMap<String, Held>, registries: &Registries) -> Self {
        let content = &known.content;
        let hosts = held.iter().filter(|(_, held)| content.on(held).is_some()).map(|(host, _)| host.clone()).collect();
        let running = held.values().flat_map(|held| content.running(held)).collect();
        let state = match (registries.of(&content.image), registries.meaning(&content.image).await) {
            (None, _) => "-",
            (Some(_), Err(_)) => "unknown",
            (Some(_), Ok(None)) => "gone",
            (Some(_), Ok(meaning)) if meaning == content.digest => "same",
            (Some(_), Ok(_)) => "moved",
        };
        Self { defined: content.defined(defined), hosts, running, state, known }
    }

    fn cells(&self, short: bool) -> Vec<String> {
        let Known { content, size: bytes, source } = &self.known;
        vec![
            content.image.to_string(),
            shown(content.digest.as_ref(), short),
            size(*bytes),
            source.replace(' ', ":"),
            folded(self.hosts.clone()),
            folded(self.defined.clone()),
            folded(self.running.clone()),
            self.state.to_owned(),
        ]
    }

    fn data(&self) -> Value {
        let Known { content, size, source } = &self.known;
        json!({ "image": content.image, "digest": content.digest, "size": size, "source": source, "hosts": self.hosts,
            "defined": self.defined, "running": self.running, "registry": self.state })
    }
}

/// The columns of [`Object::cells`], so that a script reads all lines alike.
fn diskless_cells(image: &Diskless, short: bool) -> Vec<String> {
    let none = || "-".to_owned();
    vec![
        image.name.clone(),
        shown(image.digest.as_ref(), short),
        image.size.map_or_else(none, size),
        image.state.to_owned(),
        none(),
        folded(image.nodes.clone()),
        none(),
        none(),
    ]
}

fn diskless_data(image: &Diskless) -> Value {
    json!({ "image": image.name, "digest": image.digest, "size": image.size, "state": image.state, "defined": image.nodes })
}

fn is_image(cx: &Context, name: &str) -> Result<bool, Failure> {
    Ok(!cx.tables()?.rows(osimage(), Select::Where(&[("imagename", name)]))?.is_empty())
}

fn known(cx: &Context) -> Result<Vec<Known>, Failure> {
    let tables = cx.tables()?;
    let rows = tables.rows(osimage(), Select::Where(&[("imagetype", TYPE)]))?;
    let further = tables.rows(containerimage(), Select::All)?;
    let by_name: BTreeMap<&str, _> = further.iter().filter_map(|row| Some((row.get("imagename")?, row))).collect();
    let known = rows.iter().filter_map(|row| {
        let name = row.get("imagename")?;
        let cell = |column: &str| by_name.get(name).and_then(|row| row.get(column));
        Some(Known {
            content: Content {
                image: name.parse().ok()?,
                digest: cell("digest").and_then(|digest| digest.parse().ok()),
            },
            size: cell("size").and_then(|size| size.parse().ok()).unwrap_or_default(),
            source: cell("source").unwrap_or("-").to_owned(),
        })
    });
    let mut known: Vec<Known> = known.collect();
    known.sort_by(|left, right| left.content.image.cmp(&right.content.image));
    Ok(known)
}

/// An image of a host by each of its tags, and by the digests of repositories of which it has no tag.
fn contents(image: &HostImage) -> Vec<Content> {
    let bare = |name: &&Reference| !image.tags.iter().any(|tag| tag.is_same_name(name));
    let names = image.tags.iter().chain(image.digests.iter().filter(bare));
    names.map(|name| Content { image: name.clone(), digest: image.digest(name).cloned() }).collect()
}

/// What a registry has, by tag.
async fn contents_of(registry: &Ours) -> Result<Vec<(Content, Option<Manifest>)>, Failure> {
    let client = &registry.client;
    let mut found = Vec::new();
    for repository in client.repositories().await? {
        let look = |tag: String| {
            let repository = &repository;
            async move {
                let manifest = client.manifest(repository, &tag).await?;
                let image = Reference::new(client.place(), repository, &tag).map_err(Failure::refused)?;
                let digest = manifest.as_ref().map(|manifest| manifest.digest.clone());
                Ok::<_, Failure>((Content { image, digest }, manifest))
            }
        };
        let tags = client.tags(&repository).await?;
        found.extend(stream::iter(tags).map(look).buffered(AT_ONCE).try_collect::<Vec<_>>().await?);
    }
    Ok(found)
}

fn shown(digest: Option<&Digest>, short: bool) -> String {
    match digest {
        Some(digest) if short => format!("sha256:{}", digest.short()),
        Some(digest) => digest.to_string(),
        None => "-".into(),
    }
}

fn answer(lines: &[Line], aligned: bool) -> Answer {
    let data: Vec<Value> = lines.iter().map(Line::data).collect();
    let cells: Vec<Vec<String>> = lines.iter().map(|line| line.cells(aligned)).collect();
    Answer { lines: columns(&cells, aligned), data: Some(data.into()), ..Answer::default() }
}
