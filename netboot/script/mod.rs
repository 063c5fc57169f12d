//! iPXE scripts and kernel command lines of nodes, from one set of templates.
//!
//! A site puts templates of its own beside the built-in ones, under the same names. The cells `bootparams.kcmdline` and
//! `addkcmdline` are templates too. What templates know is public: whoever has a MAC address is given its script.

pub mod image;
mod state;
mod templates;

use std::collections::BTreeMap;

use minijinja::context;
use tables::{Node, objects, schema};

use crate::mac::Mac;

pub use state::{Method, State};
pub use templates::Templates;

/// Where and for whom a script is written.
#[derive(Debug, Clone)]
pub struct Around<'a> {
    /// What addresses of our files begin with, such as `http://10.0.0.1:8080`.
    pub server: &'a str,
    /// The server as [`Around::server`] names it, without the port.
    pub address: &'a str,
    pub mac: Mac,
    /// Proves to us that who calls is the node that was given this script.
    pub token: Option<&'a str>,
    /// Whether there is a maintenance system.
    pub genesis: bool,
    /// The SHA-256 of the root file system of the node's image.
    pub digest: Option<&'a str>,
}

/// Why there is no script.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("template '{name}' fails{}", at(source))]
    Template { name: String, source: minijinja::Error },
    /// The image was not set by nodeset.
    #[error("attribute 'kernel' (table bootparams) is not set")]
    NoKernel,
    /// iPXE takes it for the end of the command.
    #[error("the kernel's command line has the word '{0}', at which iPXE ends it")]
    Word(String),
    /// Of a name that nothing stands for nothing would be left.
    #[error("attribute '{cell}' has {{{{ {name} }}}}, for which nothing stands: there are {}", known())]
    Unknown { cell: &'static str, name: String },
    #[error("there is no maintenance system for {0}")]
    NoGenesis(String),
    #[error("template {} cannot be read", path.display())]
    Unreadable { path: std::path::PathBuf, source: std::io::Error },
}

/// What cells may name; see [`Script::common`].
const NAMES: [&str; 9] = ["address", "again", "digest", "mac", "name", "server", "state", "task", "token"];

fn known() -> String {
    format!("{} and node.ATTRIBUTE", NAMES.join(", "))
}

fn at(error: &minijinja::Error) -> String {
    error.line().map_or_else(String::new, |line| format!(" in line {line}"))
}

/// The script of a node; without one, that of a machine that nobody knows.
pub fn write(templates: &Templates, node: Option<&Node>, around: &Around<'_>) -> Result<String, Error> {
    let Some(node) = node else {
        let template = if around.genesis { "genesis.ipxe" } else { "unknown.ipxe" };
        let nobody = Node::new(&hyphened(around.mac), BTreeMap::new(), None);
        return Script { templates, node: &nobody, around, state: State::Discover }.render(template);
    };
    let state = State::of(node);
    let template = match &state {
        State::Image { .. } => "image.ipxe",
        State::Boot | State::Reboot => "disk.ipxe",
        State::Offline => "offline.ipxe",
        State::Shell if !around.genesis => "shell.ipxe",
        maintenance if !around.genesis => return Err(Error::NoGenesis(maintenance.to_string())),
        _ => "genesis.ipxe",
    };
    Script { templates, node, around, state }.render(template)
}

/// What leads a machine to its own script, for DHCP servers that cannot name it.
pub fn start(templates: &Templates, server: &str) -> Result<String, Error> {
    templates.render("start.ipxe", context! { server })
}

struct Script<'a> {
    templates: &'a Templates,
    node: &'a Node,
    around: &'a Around<'a>,
    state: State,
}

impl Script<'_> {
    fn render(&self, template: &'static str) -> Result<String, Error> {
        let (server, node) = (self.around.server, self.node);
        let loads_image = matches!(self.state, State::Image { .. });
        let kernel = node.get("kernel").filter(|_| loads_image);
        if loads_image && kernel.is_none() {
            return Err(Error::NoKernel);
        }
        let initrd = node.get("initrd").filter(|_| loads_image).map(|initrd| self.address_of(initrd));
        let initrd_name = match &initrd {
            Some(address) => address.rsplit('/').next().map(str::to_owned),
            None => self.state.is_maintenance().then(|| "initrd.${arch}".to_owned()),
        };
        let needs_kernel = loads_image || template == "genesis.ipxe";
        let kcmdline = if needs_kernel { self.kcmdline(initrd_name.as_deref())? } else { String::new() };
        let values = context! {
            server,
            kernel => kernel.map(|kernel| self.address_of(kernel)),
            initrd,
            kcmdline,
            image => node.get("provmethod").map(one_line).unwrap_or_else(|| one_line(&self.state.to_string())),
            ..self.common()
        };
        self.templates.render(template, values)
    }

    /// What scripts and command lines know.
    fn common(&self) -> minijinja::Value {
        context! {
            name => self.node.name(),
            state => one_line(&self.state.to_string()),
            // Of a command no more than the word: iPXE would read its quotes and semicolons. The node asks for it as a step.
            task => self.state.word(),
            mac => hyphened(self.around.mac),
            server => self.around.server,
            address => self.around.address,
            token => self.around.token,
            digest => self.around.digest,
            again => again(self.around),
            node => public(self.node),
        }
    }

    /// The kernel's command line as one line.
    fn kcmdline(&self, initrd_name: Option<&str>) -> Result<String, Error> {
        let own = match self.state {
            State::Image { .. } => self.cell("kcmdline")?,
            _ => String::new(),
        };
        let is_image = matches!(self.state, State::Image { .. });
        let values = context! { own, is_image, more => self.cell("addkcmdline")?, initrd_name, ..self.common() };
        let text = self.templates.render("kcmdline", values)?;
        // What has `R::` before it is for the installed system.
        let words: Vec<&str> = text.split_whitespace().filter(|word| !word.starts_with("R::")).collect();
        match words.iter().find(|word| word.starts_with('#') || ["||", "&&", ";"].contains(word)) {
            Some(word) => Err(Error::Word((*word).to_owned())),
            None => Ok(words.join(" ")),
        }
    }

    /// An attribute that is a template itself. xCAT's word for our address is understood.
    fn cell(&self, attribute: &'static str) -> Result<String, Error> {
        let text = self.node.get(attribute).unwrap_or_default();
        let text = text.replace("!myipfn!", self.around.address);
        if let Some(name) = self.templates.names(&text).into_iter().find(|name| !is_known(name)) {
            return Err(Error::Unknown { cell: attribute, name });
        }
        self.templates.render_text(attribute, &text, self.common())
    }

    /// Where a file is that a cell names: an address, or a path on our own server.
    fn address_of(&self, cell: &str) -> String {
        let cell = one_line(cell);
        if cell.contains("://") { cell } else { format!("{}/{}", self.around.server, cell.trim_start_matches('/')) }
    }
}

/// Whether a name of a template stands for anything, be it nothing for this node.
fn is_known(name: &str) -> bool {
    match name.split_once('.') {
        Some(("node", attribute)) => attribute == "name" || objects::NODE.named(attribute).next().is_some(),
        _ => name == "node" || NAMES.contains(&name),
    }
}

/// Where a node asks us for what is its own.
pub(crate) fn again(around: &Around<'_>) -> String {
    format!("{}/node/{}", around.server, hyphened(around.mac))
}

/// The attributes of a node that everybody may know.
pub(crate) fn public(node: &Node) -> BTreeMap<&str, String> {
    let is_secret =
        |name: &str| objects::NODE.named(name).any(|attribute| attribute.column.kind == schema::Kind::Secret);
    let attributes = node.attributes().filter(|(name, _)| !is_secret(name));
    attributes.map(|(name, value)| (name, one_line(value))).chain([("name", node.name().to_owned())]).collect()
}

/// As in names of files and in addresses.
fn hyphened(mac: Mac) -> String {
    mac.to_string().replace(':', "-")
}

/// A line of a script must stay one, whatever a cell holds.
fn one_line(text: &str) -> String {
    text.split(char::is_control).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
