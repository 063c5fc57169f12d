//! What applying would do: asked of each module, and shown. `kept` keeps it until it is applied.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use plugins::hex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tables::noderange::fold;

use super::config::Config;
use super::contract::{Change, Changes};
use super::kept::Made;
use super::manifest::Method;
use super::run::{about, answers};
use super::site::{Ready, Site};
use super::words::said;
use super::{Module, WHOLE, leavers, program, secrets, state};
use crate::context::Context;
use crate::failure::Failure;
use crate::ui::Format;

/// A plan: modules in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// What tells it from others; made of all that its parts say.
    pub(crate) id: String,
    pub(crate) made: Made,
    pub(crate) parts: Vec<Part>,
}

/// What is to be done by one module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    pub(crate) module: String,
    pub(crate) version: String,
    /// Of the state that it was made for.
    pub(crate) serial: u64,
    /// Of the config's text.
    pub(crate) digest: String,
    /// The digest of each file of the module's directory.
    pub(crate) files: BTreeMap<String, String>,
    /// Of the states of those that it requires, strong or weak, and that were applied.
    pub(crate) required: BTreeMap<String, u64>,
    /// Without its secrets: those are in the file, which is as it was for as long as the plan counts.
    pub(crate) config: Map<String, Value>,
    /// The nodes that the config means, and their addresses.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) nodes: BTreeMap<String, Option<String>>,
    pub(crate) units: Vec<Unit>,
    /// Nodes that it is not for, as they could not be asked, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) missing: BTreeMap<String, String>,
    /// Nodes that the module was applied to, and that its config does not mean any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) left: Vec<String>,
    /// Set where that can be said only later; there are no units then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deferred: Option<Deferred>,
}

/// A part that is planned when others of its plan are applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deferred {
    pub(crate) why: String,
    /// Modules that come before it.
    pub(crate) until: Vec<String>,
}

/// What is to be done on one node, or once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unit {
    /// The node; empty for the whole.
    pub(crate) target: String,
    pub(crate) changes: Vec<Change>,
}

impl Plan {
    pub(crate) fn of(parts: Vec<Part>, made: Made) -> Result<Self, Failure> {
        let text =
            serde_json::to_vec(&parts).map_err(|error| Failure::refused(format!("cannot write a plan: {error}")))?;
        let id = hex(&Sha256::digest(&text)[..8]);
        Ok(Self { id, made, parts })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parts.iter().all(Part::is_empty)
    }

    /// Whether it is for all nodes that its modules mean.
    pub(crate) fn is_whole(&self) -> bool {
        self.parts.iter().all(|part| part.missing.is_empty())
    }

    /// The nodes that it is not for, as a range.
    pub(crate) fn missing(&self) -> String {
        let missing: BTreeSet<&str> =
            self.parts.iter().flat_map(|part| part.missing.keys().map(String::as_str)).collect();
        fold(missing)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.parts.iter().map(|part| part.module.clone()).collect()
    }
}

impl Part {
    pub(crate) fn is_empty(&self) -> bool {
        self.deferred.is_none() && self.units.iter().all(|unit| unit.changes.is_empty())
    }

    /// Its lines for people.
    pub(crate) fn shown(&self, format: Format) -> Vec<String> {
        match &self.deferred {
            Some(Deferred { why, until }) => {
                vec![format!(
                    "{}: planned when {} is applied: {why}",
                    self.module,
                    until.join(" and "),
                    why = said(why)
                )]
            }
            None if self.is_empty() && !self.missing.is_empty() => Vec::new(),
            None if self.is_empty() => vec![format!("{}: nothing to do", self.module)],
            None => shown(&self.module, &self.units, format),
        }
    }

    /// The same where nothing is left that it could wait for.
    pub(crate) fn settled(self) -> Result<Self, Failure> {
        match self.deferred {
            None => Ok(self),
            Some(Deferred { why, .. }) => {
                Err(Failure::refused(format!("module {} cannot be planned: {}", self.module, said(&why))))
            }
        }
    }
}

/// Lines for people of what is to be done, or was, with the node where there is one; folded, with all nodes that have the same.
pub(crate) fn shown<'a>(module: &str, units: impl IntoIterator<Item = &'a Unit>, format: Format) -> Vec<String> {
    let mut groups: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    let mut places: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for unit in units {
        let lines: Vec<String> = unit.changes.iter().map(Change::shown).collect();
        let place = match format {
            Format::Folded => *places.entry(lines.clone()).or_insert(groups.len()),
            Format::Lines | Format::Json => groups.len(),
        };
        match groups.get_mut(place) {
            Some((targets, _)) => targets.push(&unit.target),
            None => groups.push((vec![&unit.target], lines)),
        }
    }
    let told = |(targets, lines): (Vec<&str>, Vec<String>)| {
        let whom = if targets == [WHOLE] { module.to_owned() } else { format!("{module} on {}", fold(targets)) };
        lines.into_iter().map(move |line| format!("{whom}: {line}"))
    };
    groups.into_iter().flat_map(told).collect()
}

/// What one module would do, or that it says so only later. Nodes that cannot be asked are left out and named; it is refused
/// where nobody could be asked.
pub(crate) async fn part(cx: &Context, site: &Site, module: &Module) -> Result<Part, Failure> {
    let config = Config::read(&site.home, module)?;
    let ready = site.ready(cx, module, config.values(module)?)?;
    refuse_nowhere(&ready, &config)?;
    // Before it is asked: a program that is changed meanwhile is not the one that was planned with.
    let files = program::files(&module.directory)?;
    let (mut units, mut failed, mut later) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    let mut answers = answers::<Changes>(cx, &ready, Method::Plan, ready.asked(Method::Plan));
    while let Some((target, answer)) = answers.next().await {
        match answer {
            Ok(Changes::Now(changes)) => units.push(Unit { changes: masked(changes, &ready), target }),
            Ok(Changes::Deferred(why)) => drop(later.insert(ready.secrets.mask(&why))),
            Err(failure) => {
                let failure = about(&target, failure);
                failed.insert(target, failure);
            }
        }
    }
    drop(answers);
    if !failed.is_empty() && (failed.contains_key(WHOLE) || units.is_empty() && later.is_empty()) {
        return Err(all_of(failed.into_values().collect()));
    }
    // As they are said to come, whoever was first: a plan is known by what it says.
    units.sort_by(|one, other| one.target.cmp(&other.target));
    Ok(Part {
        module: module.manifest.name().to_owned(),
        version: module.manifest.label("version").to_owned(),
        serial: ready.serial,
        digest: digest(&config.text),
        files,
        required: state::serials(&site.installed, &module.manifest),
        nodes: ready.meant.clone(),
        // One target that waits lets all wait: a module is applied as a whole.
        units: if later.is_empty() { units } else { Vec::new() },
        missing: failed.into_iter().map(|(target, failure)| (target, failure.message)).collect(),
        left: leavers::of(&ready),
        deferred: (!later.is_empty())
            .then(|| Deferred { why: later.into_iter().collect::<Vec<_>>().join("; "), until: Vec::new() }),
        config: secrets::without(&module.manifest.config, &ready.config),
    })
}

/// Refuses a module that works on nodes, and has none: nothing would be done, and be taken for done.
fn refuse_nowhere(ready: &Ready<'_>, config: &Config) -> Result<(), Failure> {
    let has_nobody = |method| ready.asked(method).is_empty();
    let Some(key) = ready.module.manifest.targets.as_ref() else { return Ok(()) };
    if !has_nobody(Method::Plan) && !has_nobody(Method::Apply) {
        return Ok(());
    }
    let (name, file) = (ready.module.manifest.name(), config.file.display());
    Err(Failure::refused(format!("module {name} has no nodes to work on: {key} of its config names none"))
        .hint(format!("name them in {file}: {key} = \"NODERANGE\"; or have some proposed: xcrane module init {name}")))
}

fn masked(changes: Vec<Change>, ready: &Ready<'_>) -> Vec<Change> {
    let masked = |Change { what, from, to }: Change| {
        let (from, to) = ready.secrets.mask_both(from, to);
        Change { what: ready.secrets.mask(&what), from, to }
    };
    changes.into_iter().map(masked).collect()
}

/// Several failures as one.
pub(crate) fn all_of(failures: Vec<Failure>) -> Failure {
    let mut all = Failure::refused("");
    let messages: Vec<String> = failures
        .into_iter()
        .map(|failure| {
            crate::failure::add_hints(&mut all.hints, failure.hints);
            failure.message
        })
        .collect();
    Failure { message: messages.join("\n"), ..all }
}

/// What tells one text of a config from another.
pub(crate) fn digest(text: &str) -> String {
    hex(&Sha256::digest(text))
}
