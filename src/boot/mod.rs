//! What nodes do when they boot over the network: what `nodeset` is told, and what that comes to in the tables.

mod armed;
mod follow;
mod provision;
mod scripts;
mod steps;
pub(crate) mod story;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;

use netboot::http::has_genesis;
use netboot::script::image::Loads;
use netboot::script::{Method, State};
use tables::definitions::{Assignment, Job};
use tables::objects::NODE;
use tables::schema::{self, Table};
use tables::{Edit, Node, Row, Select, Tables};

use crate::context::Context;
use crate::diskless::root::keys;
use crate::failure::Failure;

pub(crate) use follow::follow;
pub(crate) use provision::{Provision, after_help};
pub(crate) use scripts::{Scripts, http_port};
pub(crate) use steps::{Step, Steps, chained};

/// What nodes are to do, with all that the tables and files say of it.
pub(crate) struct Wanted<'t> {
    steps: Steps,
    /// By image, what nodes get that boot it.
    images: BTreeMap<String, Image>,
    scripts: Scripts<'t>,
}

/// An image that can be booted.
struct Image {
    /// `OS-ARCH-PROFILE`.
    what: String,
    method: Method,
    changes: Vec<Assignment>,
}

impl<'t> Wanted<'t> {
    /// Looks up the image that is named or, where none is, those that the nodes mean. One that does not fit is an error.
    pub(crate) fn new(cx: &'t Context, home: &Path, steps: Steps, nodes: &[Node]) -> Result<Self, Failure> {
        Self::with_keys(cx.tables()?, keys(&cx.settings()?), home, steps, nodes)
    }

    /// The same, where the keys are known that open root's account on nodes that are installed.
    pub(crate) fn with_keys(
        tables: &'t Tables,
        keys: Vec<String>,
        home: &Path,
        steps: Steps,
        nodes: &[Node],
    ) -> Result<Self, Failure> {
        if steps.all().iter().any(Step::needs_genesis) && !has_genesis(home) {
            let place = home.join("genesis");
            return Err(Failure::refused(format!("there is no maintenance system in {}", place.display()))
                .hint("make it with: mknb x86_64"));
        }
        // All of them are looked up before the first is done.
        let mut images = BTreeMap::new();
        for step in steps.all().iter().rev() {
            let mut names: Vec<&str> = match step {
                Step::Image(Some(name)) => vec![name],
                Step::Image(None) => nodes.iter().filter_map(|node| node.get("provmethod")).collect(),
                Step::State(_) => Vec::new(),
            };
            names.sort_unstable();
            names.dedup();
            for name in names {
                images.insert(name.to_owned(), Image::find(tables, home, name, step)?);
            }
        }
        Ok(Self { steps, images, scripts: Scripts::new(tables, keys)? })
    }

    fn step(&self) -> &Step {
        self.steps.first()
    }

    /// Why a node cannot do that. Its script is written as it will be: a node that is reset and then gets none stands still.
    pub(crate) fn check(&self, node: &Node) -> Result<(), Failure> {
        if node.get("mgt") == Some("docker") {
            return Err(Failure::refused("it is a container, which does not boot over the network"));
        }
        if *self.step() != Step::State(State::Offline) && node.get("mac").is_none() {
            return Err(scripts::no_mac());
        }
        if self.steps.all().iter().any(Step::takes_own_image) && node.get("provmethod").is_none() {
            return Err(Failure::refused("OS image name must be specified in nodetype.provmethod")
                .hint("name it: nodeset NODE osimage=IMAGE"));
        }
        // One without an address is let go on by its firmware, which asks for no script.
        match node.get("mac") {
            Some(_) => {
                let node = self.applied(node);
                self.scripts.write(&node)?;
                self.scripts.answers(&node).map(drop)
            }
            None => Ok(()),
        }
    }

    /// What the node does, as `nodeset stat` will say.
    pub(crate) fn state(&self, node: &Node) -> State {
        match self.step() {
            Step::State(state) => state.clone(),
            Step::Image(name) => {
                let image = self.image(name.as_deref(), node);
                State::Image {
                    method: image.map_or(Method::Netboot, |image| image.method),
                    what: image.map(|image| image.what.clone()).unwrap_or_default(),
                }
            }
        }
    }

    /// The same, and what comes after it.
    pub(crate) fn told(&self, node: &Node) -> String {
        self.steps.told(&self.state(node))
    }

    /// The node as it will be.
    pub(crate) fn applied(&self, node: &Node) -> Node {
        let changes = self.changes(node);
        let cells: Vec<(&'static str, &str)> = changes
            .iter()
            .filter_map(|change| Some((NODE.named(&change.attribute).next()?.name, change.value.as_str())))
            .collect();
        node.with(&cells)
    }

    /// Writes it into the tables; what one node cannot have refuses all.
    pub(crate) fn write(&self, edit: &mut Edit<'_>, nodes: &[Node]) -> Result<(), Failure> {
        // Nodes with the same changes share them: thousands then cost little more than one.
        let mut shared: BTreeMap<Option<&str>, Vec<Assignment>> = BTreeMap::new();
        for node in nodes {
            shared.entry(self.image_of(node)).or_insert_with(|| self.changes(node));
        }
        let jobs: Vec<Job<'_>> =
            nodes.iter().map(|node| Job { name: node.name(), changes: &shared[&self.image_of(node)] }).collect();
        let assigned = edit.assign_all(&NODE, &jobs)?;
        match assigned.refusals.into_iter().next() {
            Some(refusal) => Err(refusal.into()),
            None => Ok(()),
        }
    }

    fn changes(&self, node: &Node) -> Vec<Assignment> {
        let mut changes = vec![
            Assignment::set("currstate", self.state(node).to_string()),
            Assignment::set("currchain", self.steps.rest()),
        ];
        if let Step::Image(name) = self.step() {
            changes.extend(self.image(name.as_deref(), node).into_iter().flat_map(|image| image.changes.clone()));
        }
        changes
    }

    /// The image that the node boots, if it does.
    fn image_of<'w>(&'w self, node: &'w Node) -> Option<&'w str> {
        match self.step() {
            Step::Image(Some(name)) => Some(name),
            Step::Image(None) => node.get("provmethod"),
            Step::State(_) => None,
        }
    }

    fn image(&self, name: Option<&str>, node: &Node) -> Option<&Image> {
        self.images.get(name.or_else(|| node.get("provmethod"))?)
    }
}

impl Image {
    fn find(tables: &Tables, home: &Path, name: &str, step: &Step) -> Result<Self, Failure> {
        let row = |table: &'static Table, key: &str| -> Result<Option<Row>, Failure> {
            Ok(tables.rows(table, Select::Keys(&[key]))?.pop())
        };
        let osimage = row(table("osimage"), name)?
            .ok_or_else(|| Failure::refused(format!("Cannot find the OS image {name} in the osimage table")))?;
        let linuximage = row(table("linuximage"), name)?;
        let target = match linuximage.as_ref().and_then(|row| row.get("boottarget")) {
            Some(target) => row(table("boottarget"), target)?,
            None => None,
        };
        let loads = Loads::of(home, &osimage, linuximage.as_ref(), target.as_ref())
            .map_err(|unfit| Failure::refused(format!("image {name} {unfit}")))?;
        let cell = |column| osimage.get(column).unwrap_or_default();
        let words = [cell("osvers"), cell("osarch"), cell("profile")];
        let what: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let what = if what.is_empty() { name.to_owned() } else { what.join("-") };
        let mut changes: Vec<Assignment> =
            [("kernel", loads.kernel.as_str()), ("initrd", &loads.initrd), ("kcmdline", &loads.kcmdline)]
                .map(|(attribute, value)| Assignment::set(attribute, value))
                .into();
        let known = ["os", "arch", "profile"].into_iter().zip(words).filter(|(_, value)| !value.is_empty());
        if matches!(step, Step::Image(Some(_))) {
            changes.push(Assignment::set("provmethod", name));
        }
        changes.extend(known.map(|(attribute, value)| Assignment::set(attribute, value)));
        let method = cell_method(&osimage);
        Ok(Self { what, method, changes })
    }
}

/// How an image is used that can be served.
fn cell_method(osimage: &Row) -> Method {
    osimage.get("provmethod").and_then(Method::parse).unwrap_or(Method::Netboot)
}

fn table(name: &str) -> &'static Table {
    schema::find(name).expect("tables of images are in the schema")
}
