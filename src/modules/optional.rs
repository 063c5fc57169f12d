//! What a module can be asked for beside plan and apply: backup, restore, update, scale and test.

use std::fs;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use jiff::Zoned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

use super::applied;
use super::builtin;
use super::config::Config;
use super::contract::{Applied, Kept, Tested, Trial};
use super::manifest::Method;
use super::run::{Asked, answers, gathered};
use super::site::{Ready, Site};
use super::state::{self, Document};
use super::turn::Turn;
use super::{Module, WHOLE, secrets, version};
use crate::context::Context;
use crate::failure::Failure;
use crate::own_file;

/// What a module has said for its `restore`, of each target.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backup {
    pub(crate) module: String,
    pub(crate) version: String,
    targets: BTreeMap<String, Value>,
}

impl Backup {
    /// The one in a file, else the newest that is kept.
    pub(crate) fn read(home: &Path, module: &str, file: Option<&Path>) -> Result<Self, Failure> {
        let file = match file {
            Some(file) => file.to_owned(),
            None => newest(&directory(home, module)).ok_or_else(|| {
                Failure::refused(format!("there is no backup of module {module}"))
                    .hint(format!("make one: xcrane module backup {module}"))
            })?,
        };
        let text = fs::read_to_string(&file)
            .map_err(|error| Failure::refused(format!("cannot read {}: {error}", file.display())))?;
        let backup: Self = serde_json::from_str(&text)
            .map_err(|error| Failure::refused(format!("{} is no backup of a module: {error}", file.display())))?;
        match backup.module == module {
            true => Ok(backup),
            false => Err(Failure::refused(format!("{} is a backup of module {}", file.display(), backup.module))),
        }
    }

    /// Keeps it, readable only by us; the file.
    fn keep(&self, home: &Path) -> Result<PathBuf, Failure> {
        let name = Zoned::now().strftime("%Y%m%d-%H%M%S%.3f").to_string();
        let file = directory(home, &self.module).join(format!("{name}.json"));
        let failed = |error: std::io::Error| Failure::refused(format!("cannot write {}: {error}", file.display()));
        let text = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        own_file::write_with_directories(&file, &text).map_err(failed)?;
        Ok(file)
    }
}

fn directory(home: &Path, module: &str) -> PathBuf {
    home.join("backups").join(module)
}

/// Names are times.
fn newest(directory: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(directory).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.filter(|file| file.extension().is_some_and(|end| end == "json")).max()
}

/// What one target has answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) target: String,
    pub(crate) answer: Result<Vec<Trial>, Failure>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) answers: Vec<Answered>,
    /// Where the backup is.
    pub(crate) file: Option<PathBuf>,
}

/// What is wanted of a module.
pub(crate) struct Wanted {
    pub(crate) method: Method,
    /// For `restore`.
    pub(crate) backup: Option<Backup>,
    /// For `update`: an older version may follow a newer one.
    pub(crate) may_go_back: bool,
}

/// Asks a module that was applied for one of these methods, each of its targets; what they answer becomes the state.
pub(crate) async fn ask(cx: &Context, name: &str, wanted: Wanted) -> Result<Done, Failure> {
    let Wanted { method, backup, may_go_back } = wanted;
    let mut site = Site::read(cx)?;
    let module = site.find(name)?.clone();
    refuse(&site, &module, method)?;
    if method == Method::Update && !may_go_back {
        refuse_older(&site, &module)?;
    }
    let config = config(cx, &site, &module, method)?;
    let targets = site.ready(cx, &module, config.clone())?.targets;
    let mut names: Vec<String> = targets.iter().map(|node| node.name().to_owned()).collect();
    names.extend(site.installed[name].document.targets.keys().filter(|_| method == Method::Scale).cloned());
    let _turn = Turn::take(&site.home, &[name.to_owned()], &names)?;
    site.renew(cx)?;
    refuse(&site, &module, method)?;
    let ready = site.ready(cx, &module, config)?;
    let asked = asked(cx, &ready, method, backup.as_ref())?;
    match method {
        Method::Backup => keep(cx, &site, &ready, asked).await,
        Method::Test => tried(cx, &ready, asked).await,
        _ => change(cx, &ready, method, asked).await,
    }
}

/// The config that it hears: of then where it is asked of what is there, of now where that is to become another.
fn config(cx: &Context, site: &Site, module: &Module, method: Method) -> Result<Map<String, Value>, Failure> {
    let document = site.known(module.manifest.name())?.map(|it| &it.document);
    let of_then = document.and_then(|document| {
        let half = document.unfinished.as_ref().and_then(|half| half.config.as_ref());
        Some((document, half.or(document.config.as_ref())?))
    });
    match (method, of_then) {
        (Method::Backup | Method::Restore | Method::Test, Some((document, config))) => {
            applied::config(cx, site, module, document, config)
        }
        _ => Config::read(&site.home, module)?.values(module),
    }
}

fn refuse(site: &Site, module: &Module, method: Method) -> Result<(), Failure> {
    let name = module.manifest.name();
    if !module.manifest.methods.contains_key(&method) {
        let all: Vec<&str> = module.manifest.methods.keys().map(|method| method.name()).collect();
        return Err(Failure::refused(format!("module {name} has no method {method}; it has {}", all.join(" "))));
    }
    match site.known(name)? {
        None => Err(Failure::refused(format!("module {name} was not applied"))
            .hint(format!("what applying would do: xcrane module plan {name}"))),
        Some(installed) => match installed.document.unfinished.as_ref().filter(|_| method != Method::Test) {
            Some(half) => Err(Failure::refused(format!("module {name} is half applied: {}", half.told()))
                .hint("what is left is done by the same apply, run again; what it had no plan for, by plan and apply")
                .hint("a node that does not come back is left out: of the module's config, then plan and apply")),
            None => Ok(()),
        },
    }
}

/// A directory that is older than what was applied is more often a mistake than meant.
fn refuse_older(site: &Site, module: &Module) -> Result<(), Failure> {
    let (name, version) = (module.manifest.name(), module.manifest.label("version"));
    let applied = site.known(name)?.and_then(|it| it.document.labels.get("version"));
    match applied.filter(|applied| version::parse(applied) > version::parse(version)) {
        None => Ok(()),
        Some(applied) => Err(Failure::refused(format!(
            "module {name} was applied in version {applied}, and {} has version {version}, which is older",
            if module.is_builtin() { "this program".to_owned() } else { module.directory.display().to_string() }
        ))
        .hint(format!("where that is meant: xcrane module update --force {name}"))),
    }
}

/// Whom to ask. Scaling is told to those as well who are to be no part of it any more, after those who are; which of its
/// machines these are a built-in module knows by itself.
fn asked<'a>(
    cx: &Context,
    ready: &Ready<'_>,
    method: Method,
    backup: Option<&Backup>,
) -> Result<Vec<Asked<'a>>, Failure> {
    let mut asked = ready.asked(method);
    if method == Method::Scale && builtin::of(ready.module).is_some() {
        let meant = meant(cx, ready)?;
        asked.sort_by_key(|asked| !meant.contains(&asked.target));
    } else if method == Method::Scale && asked.iter().all(|asked| asked.target != WHOLE) {
        for gone in ready.document.targets.keys().filter(|name| ready.targets.iter().all(|node| node.name() != *name)) {
            // A node that is in no table any more can be asked nothing.
            if let Ok([node]) = cx.nodes(gone).as_deref() {
                asked.push(Asked { target: gone.clone(), node: Some(node.clone()), changes: &[], backup: None });
            }
        }
    }
    let Some(backup) = backup else { return Ok(asked) };
    for asked in &mut asked {
        asked.backup = backup.targets.get(&asked.target).cloned();
        if asked.backup.is_none() {
            let whom = if asked.target == WHOLE { "the whole" } else { &asked.target };
            let why = format!("the backup of module {} has nothing of {whom}", backup.module);
            return Err(Failure::refused(why).hint(
                "what it has is of the nodes that the module had when it was made: bring the module to these before",
            ));
        }
    }
    Ok(asked)
}

/// The names of the nodes that the config means.
fn meant(cx: &Context, ready: &Ready<'_>) -> Result<BTreeSet<String>, Failure> {
    let range = ready.module.manifest.targets.as_ref().and_then(|key| ready.config.get(key)?.as_str());
    let nodes = range.map_or(Ok(Vec::new()), |range| cx.nodes(range))?;
    Ok(nodes.iter().map(|node| node.name().to_owned()).collect())
}

/// A backup is kept when it has all targets: half of one would be restored as a whole.
async fn keep(cx: &Context, site: &Site, ready: &Ready<'_>, asked: Vec<Asked<'_>>) -> Result<Done, Failure> {
    let manifest = &ready.module.manifest;
    let (mut done, mut targets) = (Done::default(), BTreeMap::new());
    let mut answers = answers::<Kept>(cx, ready, Method::Backup, asked);
    while let Some((target, answer)) = answers.next().await {
        let answer = answer.map(|kept| {
            targets.insert(target.clone(), kept.backup);
            Vec::new()
        });
        done.answers.push(Answered { target, answer });
    }
    if done.answers.iter().all(|one| one.answer.is_ok()) {
        let (module, version) = (manifest.name().to_owned(), manifest.label("version").to_owned());
        done.file = Some(Backup { module, version, targets }.keep(&site.home)?);
    }
    Ok(done)
}

async fn tried(cx: &Context, ready: &Ready<'_>, asked: Vec<Asked<'_>>) -> Result<Done, Failure> {
    let mut done = Done::default();
    let mut answers = answers::<Tested>(cx, ready, Method::Test, asked);
    while let Some((target, answer)) = answers.next().await {
        let masked = |trial: Trial| Trial {
            what: ready.secrets.mask(&trial.what),
            fault: trial.fault.map(|fault| ready.secrets.mask(&fault)),
        };
        let answer = answer.map(|said| said.tests.into_iter().map(masked).collect());
        done.answers.push(Answered { target, answer });
    }
    Ok(done)
}

/// A node that is in no table any more is asked nothing, and is nobody's to scale.
fn forget(cx: &Context, document: &mut Document) {
    for name in applied::gone(cx, document) {
        document.targets.remove(&name);
        cx.ui.note(&format!("{name}: is in no table any more, and was forgotten"));
    }
}

/// What several have answered is written down before any of it is told; where nothing is otherwise then, nothing is written.
async fn change(cx: &Context, ready: &Ready<'_>, method: Method, asked: Vec<Asked<'_>>) -> Result<Done, Failure> {
    let (mut done, mut document) = (Done::default(), ready.document.clone());
    let (mut written, mut serial) = (ready.document.clone(), ready.serial);
    let stays = |target: &str| target == WHOLE || ready.targets.iter().any(|node| node.name() == target);
    let mut groups = gathered(answers::<Applied>(cx, ready, method, asked), ready.together(method));
    while let Some(group) = groups.next().await {
        let is_done = group.iter().any(|(_, answer)| answer.is_ok());
        for (target, answer) in group {
            let answer = answer.map(|said| match (said.state, stays(&target)) {
                (_, false) => drop(document.targets.remove(&target)),
                (Some(state), true) => document.remember(&target, state),
                (None, true) => document.know(&target),
            });
            done.answers.push(Answered { answer: answer.map(|()| Vec::new()), target });
        }
        if is_done && document != written {
            serial = state::save(cx, &document, serial)?;
            written.clone_from(&document);
        }
    }
    if method == Method::Scale {
        forget(cx, &mut document);
    }
    let is_whole = done.answers.iter().all(|one| one.answer.is_ok());
    if method == Method::Update && is_whole {
        let Document { labels, strong, directory, .. } = Document::new(ready.module);
        document = Document { labels, strong, directory, ..document };
    }
    if method != Method::Restore && is_whole {
        document.config = Some(secrets::without(&ready.module.manifest.config, &ready.config));
    }
    if document != written {
        state::save(cx, &document, serial)?;
    }
    Ok(done)
}
