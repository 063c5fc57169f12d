//! `updatenode`: what nodes that are up are to have by the tables. What is to be done is worked out, and refused, before the first
//! node is asked: files, then packages, then scripts, as xCAT does it.

mod scripts;
mod software;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;

use netboot::image::packages::Packages;
use netboot::postscripts::{self, Files, Occasion, Postscripts, Script};
use serde_json::json;
use tables::schema::{self, Table};
use tables::{Node, Row, Select, Tables, lists};

use crate::context::Context;
use crate::diskless;
use crate::failure::Failure;
use crate::reply::Answer;
use crate::synclist::{self, Synclist};

/// Which parts are to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) files: bool,
    pub(crate) packages: bool,
    pub(crate) scripts: Option<Choice>,
}

/// Which scripts are to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Those of the tables.
    All,
    Named(Vec<Script>),
}

/// What is to be done to all nodes of a command.
pub(crate) struct Upkeep {
    jobs: HashMap<String, Job>,
    ranges: HashMap<String, HashSet<String>>,
    kept: String,
    user: Option<String>,
    directory: Option<Files>,
}

/// What is to be done to one node; None is a part that was not asked for.
#[derive(Clone)]
struct Job {
    synclists: Option<Vec<Rc<List>>>,
    packages: Option<Rc<Packages>>,
    scripts: Option<Postscripts>,
}

struct List {
    path: PathBuf,
    list: Synclist,
}

/// What an image says, read once for all its nodes.
struct Image {
    synclists: Vec<Rc<List>>,
    packages: Rc<Packages>,
}

impl Upkeep {
    /// Reads all that the nodes need; what is missing or wrong refuses the command.
    pub(crate) fn new(cx: &Context, nodes: &[Node], parts: &Parts, user: Option<&str>) -> Result<Self, Failure> {
        let tables = cx.tables()?;
        let mut images = BTreeMap::new();
        for node in nodes {
            if let Some(name) = image_of(node).filter(|name| !images.contains_key(*name)) {
                images.insert(name, Image::read(tables, name, parts)?);
            }
        }
        let (master, directory) = (master(tables)?, postscripts::directory(tables)?);
        let mut jobs = HashMap::new();
        for node in nodes {
            let image = image_of(node).and_then(|name| images.get(name));
            let scripts = |choice: &Choice| -> Result<Postscripts, Failure> {
                let all = Postscripts::of(tables, node, node.get("xcatmaster").unwrap_or(&master), Occasion::Update)?;
                Ok(match choice {
                    Choice::All => all,
                    Choice::Named(scripts) => all.with(scripts.clone()),
                })
            };
            let job = Job {
                synclists: parts.files.then(|| image.map(|image| image.synclists.clone()).unwrap_or_default()),
                packages: parts.packages.then(|| image.map(|image| image.packages.clone()).unwrap_or_default()),
                scripts: parts.scripts.as_ref().map(scripts).transpose()?,
            };
            jobs.insert(node.name().to_owned(), job);
        }
        let all = || jobs.values().filter_map(|job| job.scripts.as_ref()).flat_map(Postscripts::scripts);
        Files::require(&directory, all())?;
        let files = all().next().is_some().then(|| Files::read(&directory, all())).transpose()?;
        let kept = tables.site("nodesyncfiledir")?.unwrap_or_else(|| synclist::KEPT.to_owned());
        Ok(Self { ranges: ranges(tables, &jobs)?, jobs, kept, user: user.map(str::to_owned), directory: files })
    }

    /// Why a node cannot be served.
    pub(crate) fn check(&self, cx: &Context, node: &Node) -> Result<(), Failure> {
        let job = self.job(node);
        if job.synclists.as_ref().is_some_and(|lists| !lists.is_empty()) {
            cx.backends()?.files(node)?;
        }
        if job.has_packages() && is_guest(node) {
            return Err(Failure::refused("it is a container, whose packages are its image's")
                .hint("put them into the image with imgbuild, and give it to nodes with updatevm"));
        }
        cx.backends()?.exec(node).map(drop).map_err(Failure::from)
    }

    /// What would be done to a node.
    pub(crate) async fn plan(&self, cx: &Context, node: &Node) -> Result<Answer, Failure> {
        let job = self.job(node);
        let mut lines = Vec::new();
        lines.extend(job.synclists.iter().flatten().map(|list| format!("files of {}", list.path.display())));
        if let Some(packages) = job.packages.as_ref().filter(|_| job.has_packages()) {
            lines.extend(software::look(cx, node, packages).await?.1.iter().map(plugins::setup::Step::title));
        }
        let scripts = job.scripts.iter().flat_map(Postscripts::scripts);
        lines.extend(scripts.map(|script| format!("script {} {}", script.name, script.arguments.join(" "))));
        lines.iter_mut().for_each(|line| line.truncate(line.trim_end().len()));
        if lines.is_empty() {
            lines.push("nothing".to_owned());
        }
        Ok(Answer { data: Some(json!({ "plan": lines })), lines, ..Answer::default() })
    }

    /// Does it, in xCAT's words; what comes after a part that failed is left.
    pub(crate) async fn carry_out(&self, cx: &Context, node: &Node) -> Result<Answer, Failure> {
        let job = self.job(node);
        let mut said = Answer::silent();
        match self.parts(cx, node, job, &mut said).await {
            Ok(()) => Ok(said),
            Err(failure) => {
                let further = *failure.said.clone();
                said.lines.extend(further.lines);
                said.errors.extend(further.errors);
                Err(failure.after(said))
            }
        }
    }

    async fn parts(&self, cx: &Context, node: &Node, job: &Job, said: &mut Answer) -> Result<(), Failure> {
        if let Some(lists) = &job.synclists {
            let way = synclist::Way { backends: cx.backends()?, node, user: self.user.as_deref(), kept: &self.kept };
            for list in lists {
                let is_for = |range: &str| self.ranges.get(range).is_some_and(|names| names.contains(node.name()));
                let scripts = synclist::sync(way, &list.list, is_for).await?;
                said.lines.extend(scripts.lines);
                said.errors.extend(scripts.errors);
            }
            let none = if lists.is_empty() { "There were no syncfiles defined to process. " } else { "" };
            said.lines.push(format!("{none}File synchronization has completed."));
        }
        if let Some(packages) = &job.packages {
            let done = if job.has_packages() { software::install(cx, node, packages).await? } else { Vec::new() };
            said.lines.extend(done);
            said.lines.push("Software update has completed.".to_owned());
        }
        let scripts = job.scripts.as_ref().filter(|scripts| !scripts.is_empty());
        if let (Some(scripts), Some(files)) = (scripts, &self.directory) {
            scripts::run(cx.backends()?, node, self.user.as_deref(), files.archive(scripts), said).await?;
        } else if job.scripts.is_some() {
            said.lines.push("There are no postscripts defined to run.".to_owned());
        }
        Ok(())
    }

    fn job(&self, node: &Node) -> &Job {
        &self.jobs[node.name()]
    }
}

impl Job {
    fn has_packages(&self) -> bool {
        self.packages.as_ref().is_some_and(|packages| **packages != Packages::default())
    }
}

impl Image {
    /// The files that an image names, of those parts that were asked for.
    fn read(tables: &Tables, name: &str, parts: &Parts) -> Result<Self, Failure> {
        let row = |table: &'static Table| -> Result<Option<Row>, Failure> {
            Ok(tables.rows(table, Select::Keys(&[name]))?.into_iter().find(|row| !row.is_disabled()))
        };
        let (osimage, linuximage) = (row(table("osimage"))?, row(table("linuximage"))?);
        let words = |row: &Option<Row>, column: &str, asked: bool| -> Vec<String> {
            let cell = row.as_ref().and_then(|row| row.get(column)).filter(|_| asked).unwrap_or_default();
            lists::words(cell).map(str::to_owned).collect()
        };
        let mut packages = Packages::default();
        for column in ["pkglist", "otherpkglist"] {
            for file in words(&linuximage, column, parts.packages) {
                packages
                    .add(file.as_ref(), &diskless::read)
                    .map_err(|why| Failure::refused(format!("image {name}: {why}")))?;
            }
        }
        let mut synclists = Vec::new();
        for file in words(&osimage, "synclists", parts.files) {
            let path = PathBuf::from(file);
            synclists.push(Rc::new(List { list: synclist::read(&path)?, path }));
        }
        Ok(Self { synclists, packages: packages.into() })
    }
}

/// The nodes of every range that a synclist names.
fn ranges(tables: &Tables, jobs: &HashMap<String, Job>) -> Result<HashMap<String, HashSet<String>>, Failure> {
    let mut ranges = HashMap::new();
    for list in jobs.values().flat_map(|job| job.synclists.iter().flatten()) {
        for range in list.list.copies.iter().filter_map(|copy| copy.range.as_ref()) {
            if !ranges.contains_key(range) {
                ranges.insert(range.clone(), tables.expand(range)?.into_iter().collect());
            }
        }
    }
    Ok(ranges)
}

/// Our address as nodes know us, where table noderes says no other.
fn master(tables: &Tables) -> Result<String, Failure> {
    let here = || nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
    Ok(tables.site("master")?.unwrap_or_else(here))
}

fn is_guest(node: &Node) -> bool {
    node.get("mgt") == Some("docker")
}

/// What a server is provisioned with; a container's image is another thing.
fn image_of(node: &Node) -> Option<&str> {
    node.get("provmethod")
}

fn table(name: &str) -> &'static Table {
    schema::find(name).expect("the tables of images are in the schema")
}

impl From<postscripts::Error> for Failure {
    fn from(error: postscripts::Error) -> Self {
        let failure = Self::refused(plugins::chain(&error));
        match error {
            postscripts::Error::Absent { .. } => failure
                .hint("scripts stand in postscripts of the directory that site attribute installdir names (/install)"),
            _ => failure,
        }
    }
}
