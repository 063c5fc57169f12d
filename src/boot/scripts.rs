//! Scripts as the daemon would give them to nodes, for people to look at.

use netboot::http::{self, has_genesis};
use netboot::install::{self, Answers};
use netboot::script::{self, Around, Method, State, Templates, image};
use tables::schema;
use tables::{Node, Select, Tables};

use crate::config;
use crate::failure::Failure;

/// What stands for the token that a node gets anew at each boot.
const TOKEN: &str = "TOKEN";

/// Writes scripts of nodes.
pub(crate) struct Scripts<'t> {
    tables: &'t Tables,
    home: std::path::PathBuf,
    templates: Templates,
    /// Of the site; nodes may have another.
    master: String,
    port: u16,
    genesis: bool,
    /// Public keys that open root's account on nodes that are installed.
    keys: Vec<String>,
}

/// A node is told from others by its card; it gets no script before that is known.
pub(super) fn no_mac() -> Failure {
    Failure::refused("No MAC address available for this node").hint("set it with: chdef NODE mac=…")
}

impl<'t> Scripts<'t> {
    pub(crate) fn new(tables: &'t Tables, keys: Vec<String>) -> Result<Self, Failure> {
        let home = config::home()?;
        let site = |key: &str, default: &str| Ok::<_, Failure>(tables.site(key)?.unwrap_or_else(|| default.to_owned()));
        Ok(Self {
            tables,
            templates: Templates::new(&home.join("boot"))?,
            // Which of our addresses a node asks is known only when it does.
            master: site("master", "SERVER")?,
            port: http_port(tables)?,
            genesis: has_genesis(&home),
            home,
            keys,
        })
    }

    /// The script that the node would get, with the word TOKEN for what only the node is told.
    pub(crate) fn write(&self, node: &Node) -> Result<String, Failure> {
        self.around(node, |around| Ok(script::write(&self.templates, Some(node), around)?))
    }

    /// What the node's installer would get, by name, with stars for the hash of a password; nothing unless it is to be installed.
    pub(crate) fn answers(&self, node: &Node) -> Result<Vec<(&'static str, String)>, Failure> {
        if !matches!(State::of(node), State::Image { method: Method::Install, .. }) {
            return Ok(Vec::new());
        }
        let answers = Answers::read(self.tables, node, &self.keys)?.without_password();
        self.around(node, |around| {
            let written = |name| Ok((name, answers.write(&self.templates, name, around)?.unwrap_or_default()));
            answers.names().map(written).collect()
        })
    }

    fn around<T>(&self, node: &Node, with: impl FnOnce(&Around<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        let mac = tables::nics::macs(node.get("mac").ok_or_else(no_mac)?)
            .next()
            .map(|(mac, _)| mac.to_owned())
            .unwrap_or_default();
        let mac = mac.parse().map_err(|_| Failure::refused(format!("'{mac}' is not a MAC address")))?;
        let address = node.get("xcatmaster").unwrap_or(&self.master);
        let port = if self.port == http::PORT { String::new() } else { format!(":{}", self.port) };
        let digest = self.digest(node)?;
        with(&Around {
            server: &format!("http://{address}{port}"),
            address,
            mac,
            token: Some(TOKEN),
            genesis: self.genesis,
            digest: digest.as_deref(),
        })
    }

    fn digest(&self, node: &Node) -> Result<Option<String>, Failure> {
        let Some(name) = node.get("provmethod") else { return Ok(None) };
        let linuximage = schema::find("linuximage").expect("table linuximage is in the schema");
        let row = self.tables.rows(linuximage, Select::Keys(&[name]))?.pop();
        Ok(image::digest(&image::directories(&self.home, name, row.as_ref())))
    }
}

/// The port of the daemon's HTTP server, as the site has it.
pub(crate) fn http_port(tables: &Tables) -> Result<u16, Failure> {
    let Some(port) = tables.site("httpport")? else { return Ok(http::PORT) };
    let number = port.parse().ok().filter(|number| *number != 0);
    number.ok_or_else(|| {
        Failure::refused(format!("site.httpport is '{port}', which is no port"))
            .hint("chdef -t site httpport=8080, or httpport= for 80")
    })
}

impl From<install::Error> for Failure {
    fn from(error: install::Error) -> Self {
        let failure = Self::refused(plugins::chain(&error));
        match error {
            install::Error::NoLogin => failure
                .hint("make a key with ssh-keygen, or put a password or its hash (openssl passwd -6) there with tabedit passwd"),
            _ => failure,
        }
    }
}

impl From<script::Error> for Failure {
    fn from(error: script::Error) -> Self {
        let failure = Self::refused(plugins::chain(&error));
        match error {
            script::Error::NoKernel => failure.hint("set it with: nodeset NODE osimage=IMAGE"),
            _ => failure,
        }
    }
}
