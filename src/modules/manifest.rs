//! `module.toml`: what a module says of itself, what it needs, and how its methods are run.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Deserialize;

use super::requirements::{Requirements, is_inside};
use super::schema::{Schema, Type};
use super::selector::{Labels, Selector};
use super::version;

/// The file that makes a directory a module.
pub(crate) const FILE: &str = "module.toml";

/// What `module.toml` says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) labels: Labels,
    #[serde(default)]
    pub(crate) requires: Requires,
    /// Whose plan may change when this module was applied.
    #[serde(default)]
    pub(crate) influences: Vec<Selector>,
    #[serde(default)]
    pub(crate) requirements: Requirements,
    #[serde(default)]
    pub(crate) config: Schema,
    /// The key of the config that says on which nodes it works.
    #[serde(default)]
    pub(crate) targets: Option<String>,
    /// How many of these it changes at the same time; default is as many as are asked.
    #[serde(default)]
    pub(crate) at_once: Option<NonZeroUsize>,
    /// For methods that run in a container.
    #[serde(default)]
    pub(crate) container: Container,
    pub(crate) methods: BTreeMap<Method, Run>,
}

/// The container in which methods run.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Container {
    /// Default is the one that the module was added from.
    #[serde(default)]
    pub(crate) image: Option<String>,
    /// The key of the config that says on which Docker host; default is the host that site.modulehost names.
    #[serde(default)]
    pub(crate) host: Option<String>,
    /// The engine's network that it is in.
    #[serde(default)]
    pub(crate) network: Option<String>,
}

/// Other modules that must, or should, be there before.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requires {
    #[serde(default)]
    pub(crate) strong: Vec<Selector>,
    #[serde(default)]
    pub(crate) weak: Vec<Selector>,
}

/// What a module can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    Metadata,
    Init,
    Plan,
    Apply,
    Audit,
    Backup,
    Restore,
    Update,
    Scale,
    Test,
}

impl Method {
    /// Those without which it is no module.
    pub(crate) const REQUIRED: [Self; 5] = [Self::Metadata, Self::Init, Self::Plan, Self::Apply, Self::Audit];

    /// Whether nodes are otherwise after it.
    pub(crate) fn changes(self) -> bool {
        match self {
            Self::Apply | Self::Restore | Self::Update | Self::Scale => true,
            Self::Metadata | Self::Init | Self::Plan | Self::Audit | Self::Backup | Self::Test => false,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Init => "init",
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::Audit => "audit",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Update => "update",
            Self::Scale => "scale",
            Self::Test => "test",
        }
    }
}

/// How a method is run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    pub(crate) way: Way,
    /// A file of the module's directory: the program, or for `ansible` the playbook.
    #[serde(default)]
    pub(crate) program: Option<PathBuf>,
    /// Seconds after which it is ended.
    #[serde(default = "default_limit")]
    pub(crate) limit: u64,
}

const fn default_limit() -> u64 {
    600
}

/// Where a method's program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    /// In this program.
    Builtin,
    /// On the management node.
    Local,
    /// On each of the target nodes, sent there over ssh.
    Node,
    /// In the module's own container, on a Docker host.
    Container,
    /// A playbook, by ansible-playbook on the management node.
    Ansible,
}

impl Manifest {
    /// Reads the text of `module.toml`; the error has the line and what is wrong.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        match manifest.refuse() {
            Some(why) => Err(why),
            None => Ok(manifest),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.label("name")
    }

    pub(crate) fn label(&self, key: &str) -> &str {
        self.labels.get(key).map_or("", String::as_str)
    }

    /// What can be read and makes no module all the same.
    fn refuse(&self) -> Option<String> {
        if !is_name(self.name()) {
            return Some(format!("label 'name' is '{}'; it takes letters, digits, '.', '_' and '-'", self.name()));
        }
        if version::parse(self.label("version")).is_none() {
            return Some(format!(
                "label 'version' is '{}', which is no version, as 1.2.3 is one",
                self.label("version")
            ));
        }
        let lacking: Vec<&str> =
            Method::REQUIRED.iter().filter(|method| !self.methods.contains_key(method)).map(|it| it.name()).collect();
        if !lacking.is_empty() {
            return Some(format!("there is no [methods.{}]: every module has {}", lacking[0], lacking.join(" ")));
        }
        if let Some(why) = self.refuse_targets().or_else(|| self.requirements.refuse()) {
            return Some(why);
        }
        if let Some(why) = self.container.refuse(&self.config) {
            return Some(format!("[container]: {why}"));
        }
        let wrong =
            self.methods.iter().find_map(|(method, run)| Some(format!("[methods.{method}]: {}", run.refuse(*method)?)));
        wrong.or_else(|| {
            self.config
                .iter()
                .find_map(|(key, wanted)| Some(format!("[config.{key}]: {}", wanted.refuse(&self.config)?)))
        })
    }

    fn refuse_targets(&self) -> Option<String> {
        let once = |method: &Method| matches!(method, Method::Metadata | Method::Init);
        let is_on_nodes = |method: &Method, run: &Run| match run.way {
            Way::Node => true,
            Way::Ansible => !once(method),
            Way::Builtin | Way::Local | Way::Container => false,
        };
        let on_nodes = self.methods.iter().find(|(method, run)| is_on_nodes(method, run)).map(|(method, _)| method);
        match (&self.targets, on_nodes) {
            (Some(key), _) if self.config.get(key).is_none_or(|wanted| wanted.kind != Type::Noderange) => {
                Some(format!("targets is '{key}', and there is no [config.{key}] of type noderange"))
            }
            (None, Some(method)) => Some(format!("[methods.{method}] runs on nodes, and targets does not say which")),
            (Some(_), Some(method @ (Method::Metadata | Method::Init))) => {
                Some(format!("[methods.{method}] is asked once and of no node; 'local' is a way for it"))
            }
            (None, None) if self.at_once.is_some() => {
                Some("at_once is a number of nodes, and targets does not say of which".into())
            }
            _ => None,
        }
    }
}

impl Container {
    fn refuse(&self, config: &Schema) -> Option<String> {
        let image = self.image.as_deref().and_then(|image| image.parse::<plugins::Reference>().err());
        image.or_else(|| {
            let key = self.host.as_ref()?;
            let is_range = config.get(key).is_some_and(|wanted| wanted.kind == Type::Noderange);
            (!is_range).then(|| format!("host is '{key}', and there is no [config.{key}] of type noderange"))
        })
    }
}

impl Run {
    fn refuse(&self, method: Method) -> Option<String> {
        if self.limit == 0 {
            return Some("a limit of 0 seconds leaves no time".into());
        }
        match (&self.program, self.way) {
            (None, Way::Builtin | Way::Container) => None,
            // They are answered by what module.toml says.
            (None, Way::Ansible) if matches!(method, Method::Metadata | Method::Init) => None,
            (None, _) => Some("it names no program".into()),
            (Some(program), _) if !is_inside(program) => Some(format!("{} is not in the module", program.display())),
            (Some(_), _) => None,
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Builtin => "builtin",
            Self::Local => "local",
            Self::Node => "node",
            Self::Container => "container",
            Self::Ansible => "ansible",
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a word can name a module: it becomes a file's name, a row's key, and a word of a command line.
pub(super) fn is_name(word: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    word.len() <= 64 && word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(is_fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
influences = [["kind eq monitoring"]]
targets = "members"

[labels]
name = "etcd"
version = "3.4"
short = "a key-value store on several nodes"
provides-kv = "etcd"

[requires]
strong = [["kind eq node-base", "version ge 1.2"]]
weak = [["kind eq network"]]

[requirements]
packages = { debian12 = ["etcd-server"] }

[config.members]
type = "noderange"
help = "nodes that hold the data"
required = true

[methods]
metadata = { way = "local", program = "module" }
init = { way = "local", program = "module" }
plan = { way = "node", program = "module", limit = 30 }
apply = { way = "node", program = "module" }
audit = { way = "container" }
"#;

    #[test]
    fn all_that_a_module_can_say() {
        let manifest = Manifest::read(WHOLE).unwrap();
        assert_eq!((manifest.name(), manifest.label("version"), manifest.label("kind")), ("etcd", "3.4", ""));
        assert_eq!(manifest.requires.strong[0].to_string(), "kind eq node-base and version ge 1.2");
        assert_eq!((manifest.methods[&Method::Plan].limit, manifest.methods[&Method::Apply].limit), (30, 600));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let check = |from: &str, to: &str, expected: &str| {
            let why = Manifest::read(&WHOLE.replacen(from, to, 1)).unwrap_err();
            assert!(why.contains(expected), "{why}");
        };
        check("name = \"etcd\"", "name = \"../etcd\"", "label 'name' is '../etcd'");
        check("version = \"3.4\"", "version = \"new\"", "'new', which is no version");
        check("audit = {", "test = {", "there is no [methods.audit]");
        check("program = \"module\"", "program = \"../module\"", "../module is not in the module");
        check("program = \"module\"", "program = \"/bin/sh\"", "/bin/sh is not in the module");
        check(", program = \"module\"", "", "[methods.metadata]: it names no program");
        check("limit = 30", "limit = 0", "leaves no time");
        check("init = { way = \"local\"", "init = { way = \"node\"", "[methods.init] is asked once");
        check("[\"etcd-server\"]", "[]", "[requirements] packages: debian12 has none");
        check("way = \"node\"", "way = \"moon\"", "unknown variant `moon`");
        check("kind eq monitoring", "kind is monitoring", "there is no operator 'is'");
        check("[\"kind eq network\"]", "[]", "at least one expression");
        check("targets = \"members\"", "", "[methods.plan] runs on nodes, and targets does not say which");
        check("targets = \"members\"", "targets = \"members\"\nat_once = 0", "invalid value: integer `0`");
        check("targets = \"members\"", "targets = \"port\"", "there is no [config.port] of type noderange");
        check("required = true", "requird = true", "unknown field `requird`");
        check("required = true", "default = 3", "[config.members]: its own default: takes a noderange");
    }
}
