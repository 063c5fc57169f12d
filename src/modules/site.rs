//! The modules of a site with what was applied of them: what every verb of `xcrane module` works on.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tables::Node;

use super::builtin::{self, Known};
use super::config::Config;
use super::contract::{Change, Request, VERSION};
use super::manifest::{Manifest, Method, Way};
use super::order::{self, Part, Picture};
use super::run::Asked;
use super::schema::Type;
use super::secrets::Secrets;
use super::selector::Selector;
use super::state::{Document, Installed};
use super::unreadable::Unreadable;
use super::{Module, Modules, WHOLE, refusal, state};
use crate::context::Context;
use crate::failure::Failure;

/// The modules there are, and those that were applied.
pub(crate) struct Site {
    pub(crate) home: PathBuf,
    pub(crate) modules: Modules,
    pub(crate) installed: BTreeMap<String, Installed>,
    pub(crate) unreadable: BTreeMap<String, Unreadable>,
    /// Ranges that were looked up: modules mostly mean the same nodes.
    ranges: RefCell<BTreeMap<String, Rc<Vec<Node>>>>,
    /// How many nodes a module works on at once.
    at_once: usize,
}

/// The same where nobody has said it.
const AT_ONCE: usize = 32;

/// Each entry of the journal has all that a module knows of all of its nodes.
const TOGETHER: Duration = Duration::from_millis(200);

/// A module with its config, ready to be asked.
pub(crate) struct Ready<'a> {
    pub(crate) module: &'a Module,
    pub(crate) config: Map<String, Value>,
    pub(crate) secrets: Secrets,
    pub(crate) document: Document,
    pub(crate) serial: u64,
    /// Of all other modules.
    states: Map<String, Value>,
    /// Of those that it requires: what its programs hear. One that is built in hears of all.
    required: Option<Map<String, Value>>,
    pub(crate) targets: Vec<Node>,
    /// Those that the config itself names, and their addresses.
    pub(crate) meant: BTreeMap<String, Option<String>>,
    told: Vec<Value>,
    at_once: usize,
}

impl Site {
    /// Reads them; what looks like a module and is none is a warning.
    pub(crate) fn read(cx: &Context) -> Result<Self, Failure> {
        let home = crate::config::home()?;
        let mut directories = vec![home.join("modules")];
        if let Some(path) = cx.tables()?.site("modulepath")? {
            directories.extend(path.split(':').filter(|part| !part.is_empty()).map(PathBuf::from));
        }
        let modules = Modules::find(&directories).with_builtin();
        modules.problems.iter().for_each(|problem| cx.ui.warning(problem));
        let state::Known { installed, unreadable } = state::load(cx)?;
        Ok(Self { home, modules, installed, unreadable, ranges: RefCell::default(), at_once: at_once(cx)? })
    }

    /// Learns what was applied meanwhile.
    pub(crate) fn renew(&mut self, cx: &Context) -> Result<(), Failure> {
        let state::Known { installed, unreadable } = state::load(cx)?;
        (self.installed, self.unreadable) = (installed, unreadable);
        Ok(())
    }

    pub(crate) fn find(&self, name: &str) -> Result<&Module, Failure> {
        self.modules.all.get(name).ok_or_else(|| refusal::unknown(self, name))
    }

    /// What was applied of a module, if it was; refused where that cannot be read.
    pub(crate) fn known(&self, name: &str) -> Result<Option<&Installed>, Failure> {
        match self.unreadable.get(name) {
            Some(unreadable) => Err(unreadable.failure()),
            None => Ok(self.installed.get(name)),
        }
    }

    /// What counts the changes of a module's state, whether or not it can be read.
    pub(crate) fn serial(&self, name: &str) -> u64 {
        let unreadable = self.unreadable.get(name).map(|unreadable| unreadable.serial);
        unreadable.or_else(|| self.installed.get(name).map(|it| it.serial)).unwrap_or_default()
    }

    /// All modules as the order knows them, also those that were applied and whose directories are gone.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let gone = self.installed.values().filter(|it| !self.modules.all.contains_key(&it.document.name));
        let gone = gone.map(|Installed { document, .. }| Part {
            name: &document.name,
            labels: &document.labels,
            strong: &document.strong,
        });
        self.modules.parts().into_iter().chain(gone).collect()
    }

    /// What others can stand on: modules that were applied to their end, as they were then.
    pub(crate) fn applied(&self) -> Vec<Part<'_>> {
        let whole = self.installed.values().map(|it| &it.document).filter(|document| document.unfinished.is_none());
        whole.map(|it| Part { name: &it.name, labels: &it.labels, strong: &it.strong }).collect()
    }

    /// Whether nothing of this version is left to be applied.
    pub(crate) fn is_applied(&self, name: &str, version: &str) -> bool {
        let is_version = |part: &Part<'_>| part.labels.get("version").is_some_and(|it| it == version);
        self.applied().iter().any(|part| part.name == name && is_version(part))
    }

    /// The plans that are half carried out.
    pub(crate) fn half_applied(&self) -> BTreeSet<&str> {
        let unfinished = self.installed.values().filter_map(|it| it.document.unfinished.as_ref());
        unfinished.map(|unfinished| unfinished.plan.as_str()).collect()
    }

    /// The chosen ones in order; `all` adds what they require.
    pub(crate) fn order(&self, chosen: &[String], all: bool) -> Result<Vec<&Module>, Failure> {
        self.ordered(&self.parts(), &self.applied(), chosen, all)
    }

    /// The chosen ones with all that they require, for a site that has none of it.
    pub(crate) fn whole(&self, chosen: &[String]) -> Result<Vec<&Module>, Failure> {
        self.ordered(&self.modules.parts(), &[], chosen, true)
    }

    fn ordered(
        &self,
        known: &[Part<'_>],
        installed: &[Part<'_>],
        chosen: &[String],
        all: bool,
    ) -> Result<Vec<&Module>, Failure> {
        let mut names = BTreeSet::new();
        for name in chosen {
            names.insert(self.find(name)?.manifest.name());
        }
        if all {
            names = order::completed(known, installed, &names).map_err(|why| refusal::unordered(self, &why))?;
        }
        let ordered = order::order(known, installed, &names).map_err(|why| refusal::unordered(self, &why))?;
        ordered.into_iter().map(|name| self.find(name)).collect()
    }

    /// How the named modules, or all, stand to each other, also where something is lacking; and why that is.
    pub(crate) fn picture<'a>(&'a self, names: &'a [String]) -> Result<(Picture<'a>, Option<Failure>), Failure> {
        let parts = self.parts();
        let mut chosen: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        if let Some(unknown) = chosen.iter().find(|name| !parts.iter().any(|part| part.name == **name)) {
            self.find(unknown)?;
        }
        if chosen.is_empty() {
            chosen.extend(parts.iter().map(|part| part.name));
        }
        let picture = order::picture(&parts, &self.applied(), &chosen);
        let why = (!picture.why.is_empty()).then(|| refusal::unordered(self, &picture.why));
        Ok((picture, why))
    }

    /// What was applied of a module, in words.
    pub(crate) fn status(&self, name: &str) -> &'static str {
        if self.unreadable.contains_key(name) {
            return "unreadable";
        }
        let Some(document) = self.installed.get(name).map(|it| &it.document) else { return "-" };
        let is_there = self.modules.all.contains_key(name);
        match (document.unfinished.is_some(), is_there, refusal::is_broken(document)) {
            (false, true, _) => "applied",
            (true, true, _) => "partial",
            (false, false, false) => "applied; its directory is gone",
            (true, false, false) => "partial; its directory is gone",
            (false, false, true) => "applied; its module.toml cannot be used",
            (true, false, true) => "partial; its module.toml cannot be used",
        }
    }

    /// The version that was applied of a module, where its directory has another one.
    pub(crate) fn applied_otherwise(&self, name: &str) -> Option<&str> {
        let applied = self.installed.get(name)?.document.labels.get("version")?;
        let now = self.modules.all.get(name)?.manifest.label("version");
        (applied != now).then_some(applied)
    }

    /// A module that can be asked: its config checked, its nodes found.
    pub(crate) fn ready<'a>(
        &self,
        cx: &Context,
        module: &'a Module,
        config: Map<String, Value>,
    ) -> Result<Ready<'a>, Failure> {
        let manifest = &module.manifest;
        let mut targets = BTreeMap::new();
        for (key, _) in manifest.config.iter().filter(|(_, wanted)| wanted.kind == Type::Noderange) {
            let Some(range) = config.get(key).and_then(Value::as_str).filter(|range| !range.is_empty()) else {
                continue;
            };
            let nodes = self.nodes(cx, range).map_err(|failure| Failure {
                message: format!("{key} of module {}: {}", manifest.name(), failure.message),
                ..failure
            })?;
            // Only the key that the module names says on which nodes it runs.
            if manifest.targets.as_deref() == Some(key) {
                targets.extend(nodes.iter().map(|node| (node.name().to_owned(), node.clone())));
            }
        }
        let address = |node: &Node| node.get("ip").map(str::to_owned);
        let meant = targets.iter().map(|(name, node)| (name.clone(), address(node))).collect();
        self.refuse_deaf(module)?;
        let (document, serial) = match self.known(manifest.name())? {
            Some(installed) => (installed.document.clone(), installed.serial),
            None => (Document::new(module), 0),
        };
        let states = state::shared(&self.installed, manifest.name());
        if let Some(builtin) = builtin::of(module) {
            let further = builtin.further(cx, &Known { config: &config, states: &states, document: &document })?;
            targets.extend(further.into_iter().map(|node| (node.name().to_owned(), node)));
        }
        let targets: Vec<Node> = targets.into_values().collect();
        let required = builtin::of(module).is_none().then(|| state::required(&self.installed, manifest));
        Ok(Ready {
            module,
            secrets: Secrets::of(&manifest.config, &config),
            config,
            document,
            serial,
            states,
            required,
            told: targets.iter().map(told).collect(),
            targets,
            meant,
            at_once: self.at_once,
        })
    }

    /// Refuses a module that hears of one whose state cannot be read: it would take that for one that was never applied.
    fn refuse_deaf(&self, module: &Module) -> Result<(), Failure> {
        let Manifest { requires, labels, .. } = &module.manifest;
        // One that is built in hears of all, and those that influence it are those by which it changes.
        let is_builtin = builtin::of(module).is_some();
        let hears = |other: &Manifest| {
            let mut wanted = requires.strong.iter().chain(&requires.weak);
            let changes = || is_builtin && other.influences.iter().any(|it| it.matches(labels));
            wanted.any(|it| it.matches(&other.labels)) || changes()
        };
        for (name, unreadable) in &self.unreadable {
            let is_other = name != module.manifest.name();
            if is_other && self.modules.all.get(name).is_some_and(|other| hears(&other.manifest)) {
                let failure = unreadable.failure();
                let why = format!("module {} hears of module {name}: {}", module.manifest.name(), failure.message);
                return Err(Failure { message: why, ..failure });
            }
        }
        Ok(())
    }

    fn nodes(&self, cx: &Context, range: &str) -> Result<Rc<Vec<Node>>, Failure> {
        if let Some(nodes) = self.ranges.borrow().get(range) {
            return Ok(nodes.clone());
        }
        let nodes = Rc::new(cx.nodes(range)?);
        self.ranges.borrow_mut().insert(range.to_owned(), nodes.clone());
        Ok(nodes)
    }

    /// Nodes that modules have chosen for themselves, but for this one.
    pub(crate) fn chosen(&self, cx: &Context, except: &str) -> BTreeSet<String> {
        let mut chosen = BTreeSet::new();
        for (name, module) in self.modules.all.iter().filter(|(name, _)| *name != except) {
            let Some(key) = module.manifest.targets.as_ref() else { continue };
            // What is set up everywhere takes no node from others.
            let chooses = module.manifest.config.get(key).is_some_and(|wanted| wanted.choose > 0);
            if !chooses && !builtin::wants_own(&module.manifest) {
                continue;
            }
            let installed = self.installed.get(name).into_iter();
            let known = installed.flat_map(|installed| &installed.document.targets);
            chosen.extend(known.filter(|(_, said)| !builtin::has_left(said)).map(|(name, _)| name.clone()));
            // A config that is wrong is told when its module is planned.
            let config = Config::read(&self.home, module).and_then(|config| config.values(module)).unwrap_or_default();
            let range = config.get(key).and_then(Value::as_str).filter(|range| !range.is_empty());
            let nodes = range.and_then(|range| self.nodes(cx, range).ok());
            chosen.extend(nodes.iter().flat_map(|nodes| nodes.iter().map(|node| node.name().to_owned())));
        }
        chosen
    }

    /// Which installed modules would lack something without this one.
    pub(crate) fn needed_by(&self, name: &str) -> Vec<&str> {
        let stay: Vec<_> = self.installed.values().map(|it| &it.document).filter(|it| it.name != name).collect();
        let is_met = |one: &str, wanted: &Selector| stay.iter().any(|it| it.name != one && wanted.matches(&it.labels));
        let lacks = |one: &str, strong: &[Selector]| strong.iter().any(|wanted| !is_met(one, wanted));
        let lacking = stay.iter().filter(|one| lacks(&one.name, &one.strong)).map(|one| one.name.as_str());
        // Of one that cannot be read it is known what it requires while its directory is there.
        let unreadable = self.unreadable.keys().filter(|it| *it != name).filter_map(|it| self.modules.all.get(it));
        let manifests = unreadable.map(|module| &module.manifest);
        let further = manifests.filter(|it| lacks(it.name(), &it.requires.strong)).map(Manifest::name);
        lacking.chain(further).collect()
    }

    /// Those whose plan may change when this one was applied.
    pub(crate) fn influenced(&self, module: &Module) -> Vec<&Module> {
        let others = self.modules.all.values().filter(|other| {
            let name = other.manifest.name();
            name != module.manifest.name() && self.installed.contains_key(name)
        });
        others.filter(|other| module.manifest.influences.iter().any(|it| it.matches(&other.manifest.labels))).collect()
    }
}

impl Ready<'_> {
    /// What a method is run for: each of the nodes, or the whole.
    pub(crate) fn asked<'b>(&self, method: Method) -> Vec<Asked<'b>> {
        let asked = |target: &str, node| Asked { target: target.to_owned(), node, changes: &[], backup: None };
        let each = || self.targets.iter().map(|node| asked(node.name(), Some(node.clone()))).collect();
        match self.module.manifest.methods.get(&method).map(|run| run.way) {
            Some(Way::Node | Way::Ansible) => each(),
            Some(Way::Builtin) if self.module.manifest.targets.is_some() && builtin::is_of_each(method) => each(),
            _ => vec![asked(WHOLE, None)],
        }
    }

    /// On how many nodes it is run at the same time.
    pub(crate) fn at_once(&self, method: Method) -> usize {
        let most = self.module.manifest.at_once.filter(|_| method.changes());
        most.map_or(self.at_once, |most| most.get().min(self.at_once))
    }

    /// Answers that come within this time of each other are written down together. A function of ours reads what is written of
    /// its other machines, and so each is written at once.
    pub(crate) fn together(&self, method: Method) -> Duration {
        match self.module.manifest.methods.get(&method).map(|run| run.way) {
            Some(Way::Builtin) => Duration::ZERO,
            _ => TOGETHER,
        }
    }

    /// Whether the module says so itself.
    pub(crate) fn is_bounded(&self, method: Method) -> bool {
        self.module.manifest.at_once.is_some() && method.changes()
    }

    pub(crate) fn request<'b>(&'b self, method: Method, target: &str, changes: &'b [Change]) -> Request<'b> {
        Request {
            contract: VERSION,
            method: method.name(),
            module: self.module.manifest.name(),
            version: self.module.manifest.label("version"),
            // Nothing was written of one that was never applied.
            applied: self.document.labels.get("version").filter(|_| self.serial > 0).map(String::as_str),
            config: &self.config,
            state: self.document.of(target),
            states: self.required.as_ref().unwrap_or(&self.states),
            all: &self.states,
            target: self.targets.iter().position(|node| node.name() == target).map(|place| &self.told[place]),
            targets: &self.told,
            changes,
            backup: None,
        }
    }
}

/// As the command line says, else the site.
fn at_once(cx: &Context) -> Result<usize, Failure> {
    if let Some(fanout) = cx.fanout() {
        return Ok(fanout.get());
    }
    let Some(text) = cx.tables()?.site("modulefanout")? else { return Ok(AT_ONCE) };
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| {
        Failure::refused(format!("site attribute 'modulefanout' is '{text}', which is not a number of nodes"))
            .hint("set it with: chdef -t site modulefanout=32")
    })
}

/// What a module hears of a node: its attributes, without those that are secret.
pub(super) fn told(node: &Node) -> Value {
    json!({ "name": node.name(), "ip": node.get("ip"), "groups": node.get("groups"), "arch": node.get("arch") })
}
